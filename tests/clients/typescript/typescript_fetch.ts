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
    return { status, location: headers.get("location"), data: await result.value() };
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    return { status: error.response.status, problem: await error.response.json() };
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
    createBook: (bookRequest) => answer(books.createBookRaw({ bookRequest })),
    getBook: (id) => answer(books.getBookRaw({ id })),
    partialUpdateBook: (id, patchedBookRequest) =>
      answer(books.partialUpdateBookRaw({ id, patchedBookRequest })),
    deleteBook: (id) => answer(books.deleteBookRaw({ id })),
  };
});
