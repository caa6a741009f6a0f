// What a user of the app of docs/reviews.md does, with the types of its own contract.
import { deepEqual, equal, ok } from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./catalogue";

const baseUrl = process.env.CATALOGUE_URL;
type Whole = "application/json" | "application/problem+json";
const anonymous = createClient<paths, Whole>({ baseUrl });
const tokens = await anonymous.POST("/api/token/", {
  body: { username: "member", password: "demo-member" },
});
ok(tokens.data);
const member = createClient<paths, Whole>({
  baseUrl,
  headers: { Authorization: `Bearer ${tokens.data.access}` },
});

const books = await member.GET("/api/books/", { params: { query: { page_size: 1 } } });
const [book] = books.data?.results ?? [];
ok(book);
equal(book.my_rating, null);
equal(book.average_rating, null);

const body: components["schemas"]["ReviewRequest"] = { rating: 5, text: "Once more." };
const path = { book_id: book.id };
const { data: review } = await member.POST("/api/books/{book_id}/reviews/", {
  body,
  params: { path },
});
ok(review);
deepEqual([review.username, review.rating, review.version], ["member", 5, 1]);

const again = await member.POST("/api/books/{book_id}/reviews/", { body, params: { path } });
equal(again.error?.status, 409);

const ratedFirst = await member.GET("/api/books/", {
  params: { query: { ordering: "average_rating", page_size: 1 } },
});
const [rated] = ratedFirst.data?.results ?? [];
ok(rated);
const mine: number | null = rated.my_rating;
deepEqual([rated.id, mine, rated.average_rating], [book.id, 5, 5]);

const { data: bookmark } = await member.POST("/api/bookmarks/", { body: { book: book.id } });
ok(bookmark);
equal(bookmark.days_old, 0);

const gone = await member.DELETE("/api/reviews/{id}/", { params: { path: { id: review.id } } });
equal(gone.response.status, 204);
