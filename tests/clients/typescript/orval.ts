import * as api from "./generated/orval";
import { scenario, type Answer } from "./scenario";

// Its calls resolve to a union of what each status brings.
type Result = { status: number; data: unknown; headers: Headers };
type Success<Call extends Result> = Extract<Call, { status: 200 | 201 | 204 }>["data"];

async function answer<Call extends Result>(call: Promise<Call>): Promise<Answer<Success<Call>>> {
  const { status, data, headers } = await call;
  const [location, etag] = [headers.get("location"), headers.get("etag")];
  return status < 400
    ? { status, location, etag, data: data as Success<Call> }
    : { status, location, etag, problem: data as api.Problem };
}

// It asks the page's own server; here there is no page.
const { fetch } = globalThis;

await scenario((baseUrl, token) => {
  globalThis.fetch = (path, init) => fetch(new URL(String(path), baseUrl), init);
  // It knows no parameter that is a header: they go with its options.
  const optionsWith = (name: string, value?: string) => ({
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(value === undefined ? {} : { [name]: value }),
    },
  });
  const options = optionsWith("Authorization");
  return {
    obtainTokens: (body) => answer(api.obtainTokens(body)),
    refreshTokens: (body) => answer(api.refreshTokens(body)),
    logOut: (body) => answer(api.logOut(body)),
    createAuthor: (body, query) => answer(api.createAuthor(body, query, options)),
    getAuthor: (id, query) => answer(api.getAuthor(id, query)),
    listSubjects: (query) => answer(api.listSubjects(query)),
    listBooks: (query) => answer(api.listBooks(query)),
    createBook: (body, key) =>
      answer(api.createBook(body, optionsWith("Idempotency-Key", key))),
    getBook: (id, unless) =>
      answer(api.getBook(id, undefined, optionsWith("If-None-Match", unless))),
    partialUpdateBook: (id, body, onlyIf) =>
      answer(api.partialUpdateBook(id, body, optionsWith("If-Match", onlyIf))),
    deleteBook: (id) => answer(api.deleteBook(id, options)),
  };
});
