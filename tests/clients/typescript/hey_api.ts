import * as api from "./generated/hey_api";
import { createClient } from "./generated/hey_api/client";
import { scenario, type Answer } from "./scenario";

async function answer<Data>(
  result: Promise<{ data?: Data; error?: api.Problem; response?: Response }>,
): Promise<Answer<Data>> {
  const { data, error: problem, response } = await result;
  if (response === undefined) throw new Error("There was no answer.");
  const { status, headers } = response;
  return { status, location: headers.get("location"), etag: headers.get("etag"), data, problem };
}

await scenario((baseUrl, token) => {
  const client = createClient({ baseUrl, auth: token });
  return {
    obtainTokens: (body) => answer(api.obtainTokens({ client, body })),
    refreshTokens: (body) => answer(api.refreshTokens({ client, body })),
    logOut: (body) => answer(api.logOut({ client, body })),
    createAuthor: (body, query) => answer(api.createAuthor({ client, body, query })),
    getAuthor: (id, query) => answer(api.getAuthor({ client, path: { id }, query })),
    listSubjects: (query) => answer(api.listSubjects({ client, query })),
    listBooks: (query) => answer(api.listBooks({ client, query })),
    createBook: (body, key) =>
      answer(api.createBook({ client, body, headers: { "Idempotency-Key": key } })),
    getBook: (id, unless) =>
      answer(api.getBook({ client, path: { id }, headers: { "If-None-Match": unless } })),
    partialUpdateBook: (id, body, onlyIf) => {
      const headers = { "If-Match": onlyIf };
      return answer(api.partialUpdateBook({ client, path: { id }, body, headers }));
    },
    deleteBook: (id) => answer(api.deleteBook({ client, path: { id } })),
  };
});
