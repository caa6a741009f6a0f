import createClient from "openapi-fetch";
import type { components, paths } from "./generated/openapi_typescript";
import { scenario, type Answer } from "./scenario";

async function answer<Data>(
  result: Promise<{ data?: Data; error?: components["schemas"]["Problem"]; response: Response }>,
): Promise<Answer<Data>> {
  const { data, error: problem, response } = await result;
  const { status, headers } = response;
  return { status, location: headers.get("location"), etag: headers.get("etag"), data, problem };
}

await scenario((baseUrl, token) => {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const client = createClient<paths, "application/json" | "application/problem+json">({
    baseUrl,
    headers,
  });
  return {
    obtainTokens: (body) => answer(client.POST("/api/token/", { body })),
    refreshTokens: (body) => answer(client.POST("/api/token/refresh/", { body })),
    logOut: (body) => answer(client.POST("/api/token/blacklist/", { body })),
    createAuthor: (body, query) => answer(client.POST("/api/authors/", { body, params: { query } })),
    getAuthor: (id, query) =>
      answer(client.GET("/api/authors/{id}/", { params: { path: { id }, query } })),
    listSubjects: (query) => answer(client.GET("/api/subjects/", { params: { query } })),
    listBooks: (query) => answer(client.GET("/api/books/", { params: { query } })),
    createBook: (body, key) =>
      answer(client.POST("/api/books/", { body, params: { header: { "Idempotency-Key": key } } })),
    getBook: (id, unless) => {
      const params = { path: { id }, header: { "If-None-Match": unless } };
      return answer(client.GET("/api/books/{id}/", { params }));
    },
    partialUpdateBook: (id, body, onlyIf) => {
      const params = { path: { id }, header: { "If-Match": onlyIf } };
      return answer(client.PATCH("/api/books/{id}/", { body, params }));
    },
    deleteBook: (id) => answer(client.DELETE("/api/books/{id}/", { params: { path: { id } } })),
  };
});
