import createClient from "openapi-fetch";
import type { components, paths } from "./generated/openapi_typescript";
import { scenario, type Answer } from "./scenario";

async function answer<Data>(
  result: Promise<{ data?: Data; error?: components["schemas"]["Problem"]; response: Response }>,
): Promise<Answer<Data>> {
  const { data, error: problem, response } = await result;
  return { status: response.status, location: response.headers.get("location"), data, problem };
}

await scenario((baseUrl, token) => {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const client = createClient<paths>({ baseUrl, headers });
  return {
    obtainTokens: (body) => answer(client.POST("/api/token/", { body })),
    refreshTokens: (body) => answer(client.POST("/api/token/refresh/", { body })),
    logOut: (body) => answer(client.POST("/api/token/blacklist/", { body })),
    createAuthor: (body, query) => answer(client.POST("/api/authors/", { body, params: { query } })),
    getAuthor: (id, query) =>
      answer(client.GET("/api/authors/{id}/", { params: { path: { id }, query } })),
    listSubjects: (query) => answer(client.GET("/api/subjects/", { params: { query } })),
    listBooks: (query) => answer(client.GET("/api/books/", { params: { query } })),
    createBook: (body) => answer(client.POST("/api/books/", { body })),
    getBook: (id) => answer(client.GET("/api/books/{id}/", { params: { path: { id } } })),
    partialUpdateBook: (id, body) =>
      answer(client.PATCH("/api/books/{id}/", { body, params: { path: { id } } })),
    deleteBook: (id) => answer(client.DELETE("/api/books/{id}/", { params: { path: { id } } })),
  };
});
