// Two phones and the admin, whatever the phones keep books in: `phone(catalogue, onConflict)` gives
// {create, edit, remove, sync, books}.
import { deepEqual, equal } from "node:assert/strict";
import { Catalogue, PROPERTIES } from "./catalogue.js";

// How often a phone tries again where the network fails.
export const TRIES = 3;
const url = process.env.CATALOGUE_URL;

// A connection that was kept may be closed by the server when it is used again.
async function persistently(address, options) {
  for (let tries = TRIES; ; tries--) {
    try {
      return await fetch(address, options);
    } catch (error) {
      if (tries === 0) throw error;
    }
  }
}

async function logIn(username) {
  const body = JSON.stringify({ username, password: `demo-${username}` });
  const headers = { "Content-Type": "application/json" };
  const options = { method: "POST", headers, body };
  const answer = await persistently(new URL("/api/token/", url), options);
  equal(answer.status, 200);
  return (await answer.json()).access;
}

export async function scenario(phone) {
  const [librarian, admin] = [await logIn("librarian"), await logIn("admin")];
  const server = new Catalogue(url, admin, persistently);
  const conflicts = { a: [], b: [] };
  let isLost = false;
  // The network of A: a write arrives, and its answer does not.
  const fetchLosing = async (address, options) => {
    const answer = await fetch(address, options);
    if (isLost && options.method === "POST") {
      isLost = false;
      await answer.text();
      throw new TypeError("The network is gone.");
    }
    return answer;
  };
  const a = await phone(new Catalogue(url, librarian, fetchLosing), (each) => conflicts.a.push(each));
  const b = await phone(new Catalogue(url, librarian), (each) => conflicts.b.push(each));
  const expectConflicts = (ofA, ofB) => {
    const told = (list) => list.map(({ uid, property }) => [uid, property]);
    deepEqual([told(conflicts.a), told(conflicts.b)], [ofA, ofB]);
    conflicts.a.length = conflicts.b.length = 0;
  };
  const shown = async (kept, uid) => (await kept.books()).get(uid);
  const stored = (uid) => server.book(uid);
  const byAdmin = async (uid, change) => {
    const { id } = await stored(uid);
    await server.request("PATCH", `/api/books/${id}/`, change);
  };

  await a.sync();
  await b.sync();
  equal((await a.books()).size, (await b.books()).size);

  // Offline, A makes a book; online, it is B's, too.
  const uid = await a.create({ title: "Mort", description: "" });
  equal(await stored(uid), null);
  await a.sync();
  equal((await stored(uid)).title, "Mort");
  await b.sync();
  equal((await shown(b, uid)).title, "Mort");

  // Three edit three different things: all stay.
  await a.edit(uid, { description: "Death has an apprentice." });
  await b.edit(uid, { title: "Mort!" });
  await byAdmin(uid, { language: "en" });
  for (const each of [a, b, a]) await each.sync();
  const merged = { title: "Mort!", description: "Death has an apprentice." };
  for (const each of [a, b]) deepEqual(await shown(each, uid), merged);
  const { title, description, language } = await stored(uid);
  deepEqual({ title, description, language }, { ...merged, language: "en" });
  expectConflicts([], []);

  // Both edit the same: the later author is shown what was not stored.
  await a.edit(uid, { title: "Mort (A)" });
  await b.edit(uid, { title: "Mort (B)", description: "By B." });
  for (const each of [a, b, a]) await each.sync();
  for (const each of [a, b]) {
    deepEqual(await shown(each, uid), { title: "Mort (A)", description: "By B." });
  }
  expectConflicts([], [[uid, "title"]]);

  // So it is with the admin.
  await a.edit(uid, { title: "Mort (A again)" });
  await byAdmin(uid, { title: "Mort (admin)" });
  for (const each of [a, b]) await each.sync();
  for (const each of [a, b]) equal((await shown(each, uid)).title, "Mort (admin)");
  expectConflicts([[uid, "title"]], []);

  // An edit at once after the last was sent, which nobody has told the version of yet.
  for (const title of ["One", "Two", "Three"]) {
    await b.edit(uid, { title });
    await b.sync();
  }
  await b.sync();
  equal((await stored(uid)).title, "Three");
  expectConflicts([], []);

  // The answer is lost, of an edit and of a new book.
  await a.sync();
  await a.edit(uid, { title: "Sent once" });
  const other = await a.create({ title: "Sourcery", description: "" });
  isLost = true;
  await a.sync();
  equal(isLost, false);
  await a.sync();
  await a.sync();
  equal((await stored(uid)).title, "Sent once");
  equal((await server.request("GET", "/api/books/?title=Sourcery")).results.length, 1);
  expectConflicts([], []);

  // What the server never saw is deleted without a word.
  const never = await a.create({ title: "Never", description: "" });
  await a.remove(never);
  await a.sync();
  equal(await stored(never), null);
  expectConflicts([], []);

  // A deletes what B edits: B is shown the edit.
  await b.sync();
  await a.remove(other);
  await b.edit(other, { title: "Sourcery!" });
  for (const each of [a, b]) await each.sync();
  equal(await stored(other), null);
  equal(await shown(b, other), undefined);
  expectConflicts([], [[other, null]]);

  // B edits what A deletes: it stays, and A is shown that.
  await b.edit(uid, { title: "Still here" });
  await a.remove(uid);
  for (const each of [b, a, a]) await each.sync();
  equal((await stored(uid)).title, "Still here");
  equal((await shown(a, uid)).title, "Still here");
  expectConflicts([[uid, null]], []);

  // What the server refuses is shown.
  await a.edit(uid, { title: " " });
  await a.sync();
  equal(conflicts.a.length, 1);
  deepEqual(conflicts.a[0].theirs.code, "invalid");
  await a.edit(uid, { title: "Mended" });
  for (const each of [a, b, a]) await each.sync();
  equal((await stored(uid)).title, "Mended");

  // Another role may see another catalogue: the cursors end, and both begin anew.
  const accounts = await server.request("GET", "/api/users/");
  const { id } = accounts.results.find(({ username }) => username === "librarian");
  await server.request("PATCH", `/api/users/${id}/`, { role: "admin" });
  await a.edit(uid, { title: "Kept in the queue" });
  const late = await b.create({ title: "So is this", description: "" });
  for (const each of [a, b, a]) await each.sync();
  for (const each of [a, b]) {
    equal((await shown(each, uid)).title, "Kept in the queue");
    equal((await shown(each, late)).title, "So is this");
  }

  // In the end all have the same.
  const headers = { Authorization: `Bearer ${admin}` };
  const lines = await (await persistently(new URL("/api/books/?format=ndjson", url), { headers })).text();
  const all = lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map((book) => [book.uid, Object.fromEntries(PROPERTIES.map((name) => [name, book[name]]))]);
  for (const each of [a, b]) deepEqual(new Map([...(await each.books())].sort()), new Map(all.sort()));
}
