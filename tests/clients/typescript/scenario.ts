// What a user of the catalogue does, once for all clients: each is an implementation of Catalogue,
// and so its types are held against those of another generator.
import { deepEqual, equal, ok } from "node:assert/strict";
import type { components, operations } from "./generated/openapi_typescript";

type Schemas = components["schemas"];
// Some generators take the arrays of read-only properties at their word.
type Author = Omit<Schemas["Author"], "book_ids"> & { book_ids: readonly number[] };
type Query<Name extends keyof operations> = NonNullable<operations[Name]["parameters"]["query"]>;

export interface Answer<Data> {
  status: number;
  location?: string | null;
  etag?: string | null;
  data?: Data;
  problem?: Schemas["Problem"];
}

export interface Catalogue {
  obtainTokens(body: Schemas["TokenObtainPairRequest"]): Promise<Answer<Schemas["TokenObtainPair"]>>;
  refreshTokens(body: Schemas["TokenRefreshRequest"]): Promise<Answer<Schemas["TokenRefresh"]>>;
  logOut(body: Schemas["TokenBlacklistRequest"]): Promise<Answer<unknown>>;
  createAuthor(body: Schemas["AuthorRequest"], query: Query<"createAuthor">): Promise<Answer<Author>>;
  getAuthor(id: number, query: Query<"getAuthor">): Promise<Answer<Author>>;
  listSubjects(query: Query<"listSubjects">): Promise<Answer<Schemas["PaginatedSubjectList"]>>;
  listBooks(query: Query<"listBooks">): Promise<Answer<Schemas["PaginatedBookList"]>>;
  createBook(body: Schemas["BookRequest"], key?: string): Promise<Answer<Schemas["Book"]>>;
  getBook(id: number, unless?: string): Promise<Answer<Schemas["Book"]>>;
  partialUpdateBook(
    id: number,
    body: Schemas["PatchedBookRequest"],
    onlyIf?: string,
  ): Promise<Answer<Schemas["Book"]>>;
  deleteBook(id: number): Promise<Answer<unknown>>;
}

function given(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

function data<Data>(answer: Answer<Data>): Data {
  ok(answer.data, JSON.stringify(answer.problem));
  return answer.data;
}

function faults(answer: Answer<unknown>) {
  ok(answer.problem);
  equal(answer.problem.status, answer.status);
  return answer.problem.errors?.map(({ pointer, code }) => [pointer, code]);
}

export async function scenario(connect: (url: string, token?: string) => Catalogue) {
  const url = given("CATALOGUE_URL");
  const isbns = [given("ISBN_1"), given("ISBN_2")];
  // In names that nobody else uses.
  const mark = given("MARK");
  const anonymous = connect(url);
  const logIn = async (username: string) =>
    data(await anonymous.obtainTokens({ username, password: `demo-${username}` }));

  // Log in, and refresh.
  const { refresh } = await logIn("librarian");
  const pair = data(await anonymous.refreshTokens({ refresh }));
  const librarian = connect(url, pair.access);

  // An author with a profile and books.
  const author = data(
    await librarian.createAuthor(
      {
        name: `Ada ${mark}`,
        birth_year: 1950,
        profile: { biography: "Writes.", website: "https://example.org/" },
        books: [{ title: `First ${mark}` }, { title: `Second ${mark}` }],
      },
      { expand: ["books"] },
    ),
  );
  equal(author.profile?.biography, "Writes.");
  deepEqual(author.books?.map((book) => book.id).sort(), author.book_ids);

  // A nested book: a new series, subjects by key, an existing and a new author, two editions.
  const subjects = data(await anonymous.listSubjects({ page_size: 2 }));
  const subject_ids = subjects.results.map((subject) => subject.id).sort();
  const created = await librarian.createBook({
    title: `Nested ${mark}`,
    description: "Kept.",
    first_published_year: -50,
    series: { name: `Series ${mark}` },
    series_position: "1",
    subject_ids,
    authors: [{ id: author.id }, { name: `Bob ${mark}` }],
    editions: [
      { isbn13: isbns[0], format: "hardcover", pages: 300 },
      { isbn13: isbns[1], format: "ebook", published_on: "2020-02" },
    ],
  });
  equal(created.status, 201);
  const book = data(created);
  if (created.location !== undefined) equal(created.location, `${url}/api/books/${book.id}/`);
  equal(book.series?.name, `Series ${mark}`);
  deepEqual([...book.subject_ids].sort(), subject_ids);
  deepEqual(book.authors.map((each) => each.name), [`Ada ${mark}`, `Bob ${mark}`]);
  deepEqual(book.editions.map((edition) => edition.isbn13), isbns);
  equal(book.editions[1]?.published_on, "2020-02");

  // All pages, by cursor, to the end.
  const seen = new Set<number>();
  let cursor: string | undefined;
  let count: number | undefined;
  do {
    const page = data(
      await anonymous.listBooks({ page_size: 100, count: true, ordering: "-id", cursor }),
    );
    page.results.forEach((each) => seen.add(each.id));
    count = page.count;
    cursor = page.next ? (new URL(page.next).searchParams.get("cursor") ?? undefined) : undefined;
  } while (cursor !== undefined);
  ok(seen.size > 200);
  equal(seen.size, count);

  // Filter, and expand.
  const ancient = await anonymous.listBooks({
    author: [`${author.id}`],
    role: ["author", "editor"],
    first_published_year_max: -1,
  });
  deepEqual(data(ancient).results.map((each) => each.id), [book.id]);
  const expanded = data(await anonymous.getAuthor(author.id, { expand: ["books"] }));
  equal(expanded.books?.length, 3);
  // Some clients read nested lists whether or not they are asked for.
  const fields = ["id", "name", "other_names"] as const;
  const short = data(await anonymous.getAuthor(author.id, { fields: [...fields] }));
  deepEqual(Object.keys(JSON.parse(JSON.stringify(short))).sort(), fields);

  // One property changes, the others stay; null empties one.
  const renamed = data(await librarian.partialUpdateBook(book.id, { title: `Renamed ${mark}` }));
  // `sort_title` is made from the title.
  const { title, sort_title, version, updated_at } = renamed;
  deepEqual(renamed, { ...book, title, sort_title, version, updated_at });
  equal(title, `Renamed ${mark}`);
  const emptied = data(
    await librarian.partialUpdateBook(book.id, { series: null, first_published_year: null }),
  );
  equal(emptied.series_id, null);
  equal(emptied.first_published_year, null);

  // Another order of the contributors.
  const author_ids = [...book.author_ids].reverse();
  const reordered = data(await librarian.partialUpdateBook(book.id, { author_ids }));
  deepEqual(reordered.contributions.map((each) => each.author_id), author_ids);

  // What has not changed is not sent again, and what somebody else has changed not overwritten.
  const { etag } = await anonymous.getBook(book.id);
  ok(etag);
  equal((await anonymous.getBook(book.id, etag)).status, 304);
  const described = { description: "By the first." };
  equal((await librarian.partialUpdateBook(book.id, described, etag)).status, 200);
  const late = await librarian.partialUpdateBook(book.id, { description: "By another." }, etag);
  equal(late.status, 412);
  equal(late.problem?.code, "precondition_failed");
  equal((await anonymous.getBook(book.id, etag)).status, 200);

  // What is repeated is done once.
  const key = `once ${mark}`;
  const once = await librarian.createBook({ title: `Once ${mark}` }, key);
  equal(once.status, 201);
  deepEqual(await librarian.createBook({ title: `Once ${mark}` }, key), once);
  const misused = await librarian.createBook({ title: `Twice ${mark}` }, key);
  equal(misused.status, 422);
  equal(misused.problem?.code, "idempotency_mismatch");

  // Every refusal is a Problem.
  const invalid = await librarian.createBook({ title: "", authors: [{ name: "" }] });
  equal(invalid.status, 400);
  deepEqual(faults(invalid), [
    ["/title", "blank"],
    ["/authors/0/name", "blank"],
  ]);
  const unknown = await anonymous.createBook({ title: "No" });
  equal(unknown.status, 401);
  equal(unknown.problem?.code, "not_authenticated");
  const member = connect(url, (await logIn("member")).access);
  const forbidden = await member.createBook({ title: "No" });
  equal(forbidden.status, 403);
  equal(forbidden.problem?.code, "permission_denied");
  const missing = await anonymous.getBook(999_999_999);
  equal(missing.status, 404);
  equal(missing.problem?.code, "not_found");
  const conflict = await librarian.createBook({ title: "Taken", editions: [{ isbn13: isbns[0] }] });
  equal(conflict.status, 409);
  deepEqual(faults(conflict), [["/editions/0/isbn13", "unique"]]);

  // Gone.
  equal((await librarian.deleteBook(book.id)).status, 204);
  equal((await anonymous.getBook(book.id)).status, 404);
  equal((await anonymous.logOut({ refresh: pair.refresh })).status, 200);
}
