import {
  AuthorsApi,
  BooksApi,
  Configuration,
  ResponseError,
  SubjectsApi,
  TokensApi,
  type ApiResponse,
} from "./generated/typescript_fetch";
import { scenario, type Answer } from "./scenario";

async function answer<Data>(call: Promise<ApiResponse<Data>>): Promise<Answer<Data>> {
  try {
    const result = await call;
    const { status, headers } = result.raw;
    const [location, etag] = [headers.get("location"), headers.get("etag")];
    return { status, location, etag, data: await result.value() };
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    const { status } = error.response;
    return status === 304 ? { status } : { status, problem: await error.response.json() };
  }
}

await scenario((basePath, accessToken) => {
  const configuration = new Configuration({ basePath, accessToken });
  const tokens = new TokensApi(configuration);
  const authors = new AuthorsApi(configuration);
  const books = new BooksApi(configuration);
  const subjects = new SubjectsApi(configuration);
  return {
    obtainTokens: (tokenObtainPairRequest) =>
      answer(tokens.obtainTokensRaw({ tokenObtainPairRequest })),
    refreshTokens: (tokenRefreshRequest) =>
      answer(tokens.refreshTokensRaw({ tokenRefreshRequest })),
    logOut: (tokenBlacklistRequest) => answer(tokens.logOutRaw({ tokenBlacklistRequest })),
    createAuthor: (authorRequest, query) =>
      answer(authors.createAuthorRaw({ authorRequest, ...query })),
    getAuthor: (id, query) => answer(authors.getAuthorRaw({ id, ...query })),
    listSubjects: ({ page_size }) => answer(subjects.listSubjectsRaw({ pageSize: page_size })),
    listBooks: ({ page_size, first_published_year_max, ...query }) =>
      answer(
        books.listBooksRaw({
          ...query,
          pageSize: page_size,
          firstPublishedYearMax: first_published_year_max,
        }),
      ),
    createBook: (bookRequest, idempotencyKey) =>
      answer(books.createBookRaw({ bookRequest, idempotencyKey })),
    getBook: (id, ifNoneMatch) => answer(books.getBookRaw({ id, ifNoneMatch })),
    partialUpdateBook: (id, patchedBookRequest, ifMatch) =>
      answer(books.partialUpdateBookRaw({ id, patchedBookRequest, ifMatch })),
    deleteBook: (id) => answer(books.deleteBookRaw({ id })),
  };
});
