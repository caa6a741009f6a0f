// What a user of the catalogue does, with the Java client that openapi-generator makes.
import java.net.URI;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.AuthorsApi;
import org.openapitools.client.api.BooksApi;
import org.openapitools.client.api.SubjectsApi;
import org.openapitools.client.api.TokensApi;
import org.openapitools.client.model.*;

public class Scenario {
    static final String URL = given("CATALOGUE_URL");
    static final List<String> ISBNS = List.of(given("ISBN_1"), given("ISBN_2"));
    // In names that nobody else uses.
    static final String MARK = given("MARK");
    static final TokensApi TOKENS = new TokensApi(withToken(null));

    interface Call {
        Object run() throws ApiException;
    }

    static String given(String name) {
        return Objects.requireNonNull(System.getenv(name), name + " is not set");
    }

    static void same(Object actual, Object expected) {
        if (!Objects.equals(actual, expected)) {
            throw new AssertionError(actual + " is not " + expected);
        }
    }

    static ApiClient withToken(String token) {
        var client = new ApiClient();
        client.updateBaseUri(URL);
        if (token != null) {
            client.setRequestInterceptor(
                request -> request.header("Authorization", "Bearer " + token));
        }
        return client;
    }

    static TokenObtainPair logIn(String username) throws ApiException {
        var who = new TokenObtainPairRequest().username(username).password("demo-" + username);
        return TOKENS.obtainTokens(
            TokensApi.APIObtainTokensRequest.newBuilder().tokenObtainPairRequest(who).build());
    }

    static ApiException refusal(int status, Call call) {
        try {
            call.run();
        } catch (ApiException refusal) {
            same(refusal.getCode(), status);
            return refusal;
        }
        throw new AssertionError("It was not refused");
    }

    static List<String> faults(int status, Call call) throws Exception {
        var body = refusal(status, call).getResponseBody();
        var problem = ApiClient.createDefaultObjectMapper().readValue(body, Problem.class);
        same(problem.getStatus(), status);
        if (problem.getErrors() == null) {
            return List.of();
        }
        return problem.getErrors().stream()
            .map(fault -> fault.getPointer() + " " + fault.getCode())
            .toList();
    }

    static Book create(BooksApi books, BookRequest book) throws ApiException {
        return books.createBook(
            BooksApi.APICreateBookRequest.newBuilder().bookRequest(book).build());
    }

    static Book update(BooksApi books, long id, PatchedBookRequest patch, String ifMatch)
            throws ApiException {
        return books.partialUpdateBook(
            BooksApi.APIPartialUpdateBookRequest.newBuilder()
                .id(id)
                .patchedBookRequest(patch)
                .ifMatch(ifMatch)
                .build());
    }

    static BooksApi.APIGetBookRequest book(long id, String ifNoneMatch) {
        return BooksApi.APIGetBookRequest.newBuilder().id(id).ifNoneMatch(ifNoneMatch).build();
    }

    public static void main(String[] arguments) throws Exception {
        // Log in, and refresh.
        var refresh = new TokenRefreshRequest().refresh(logIn("librarian").getRefresh());
        var pair = TOKENS.refreshTokens(
            TokensApi.APIRefreshTokensRequest.newBuilder().tokenRefreshRequest(refresh).build());
        var books = new BooksApi(withToken(pair.getAccess()));
        var authors = new AuthorsApi(withToken(pair.getAccess()));

        // An author with a profile and books.
        var author = authors.createAuthor(
            AuthorsApi.APICreateAuthorRequest.newBuilder()
                .authorRequest(new AuthorRequest()
                    .name("Ada " + MARK)
                    .birthYear(1950)
                    .profile(new AuthorProfileItemRequest()
                        .biography("Writes.")
                        .website(URI.create("https://example.org/")))
                    .books(List.of(
                        new BookOfAuthorItemRequest().title("First " + MARK),
                        new BookOfAuthorItemRequest().title("Second " + MARK))))
                .expand(List.of(AuthorExpandable.BOOKS))
                .build());
        same(author.getProfile().getBiography(), "Writes.");
        same(
            author.getBooks().stream().map(BookOfAuthorItem::getId).sorted().toList(),
            author.getBookIds());

        // A nested book: a new series, subjects by key, an existing and a new author, two editions.
        var subjects = new SubjectsApi(withToken(null)).listSubjects(
            SubjectsApi.APIListSubjectsRequest.newBuilder().pageSize(2).build());
        var subjectIds = subjects.getResults().stream().map(Subject::getId).sorted().toList();
        var created = books.createBookWithHttpInfo(
            BooksApi.APICreateBookRequest.newBuilder()
                .bookRequest(new BookRequest()
                    .title("Nested " + MARK)
                    .description("Kept.")
                    .firstPublishedYear(-50)
                    .series(new SeriesItemRequest().name("Series " + MARK))
                    .seriesPosition("1")
                    .subjectIds(subjectIds)
                    .authors(List.of(
                        new AuthorItemRequest().id(author.getId()),
                        new AuthorItemRequest().name("Bob " + MARK)))
                    .editions(List.of(
                        new EditionItemRequest()
                            .isbn13(ISBNS.get(0))
                            .format(EditionFormat.HARDCOVER)
                            .pages(300),
                        new EditionItemRequest()
                            .isbn13(ISBNS.get(1))
                            .format(EditionFormat.EBOOK)
                            .publishedOn("2020-02"))))
                .build());
        var book = created.getData();
        long id = book.getId();
        same(created.getStatusCode(), 201);
        same(created.getHeaders().get("location"), List.of(URL + "/api/books/" + id + "/"));
        same(book.getSeries().getName(), "Series " + MARK);
        same(book.getSubjectIds().stream().sorted().toList(), subjectIds);
        same(
            book.getAuthors().stream().map(AuthorItem::getName).toList(),
            List.of("Ada " + MARK, "Bob " + MARK));
        same(book.getEditions().stream().map(EditionItem::getIsbn13).toList(), ISBNS);
        same(book.getEditions().get(1).getPublishedOn(), "2020-02");

        // All pages, by cursor, to the end.
        Set<Long> seen = new HashSet<>();
        var query = BooksApi.APIListBooksRequest.newBuilder()
            .pageSize(100)
            .count(true)
            .ordering(BookOrdering.BY_ID_DESCENDING);
        PaginatedBookList page;
        do {
            page = books.listBooks(query.build());
            page.getResults().forEach(each -> seen.add(each.getId()));
            query.cursor(page.getNextCursor());
        } while (page.getNextCursor() != null);
        same(seen.size() > 200, true);
        same((long) seen.size(), page.getCount());

        // Filter, and expand.
        var ancient = books.listBooks(
            BooksApi.APIListBooksRequest.newBuilder()
                .author(List.of("" + author.getId()))
                .role(List.of(ContributionRole.AUTHOR, ContributionRole.EDITOR))
                .firstPublishedYearMax(-1L)
                .build());
        same(ancient.getResults().stream().map(Book::getId).toList(), List.of(id));
        var expanded = authors.getAuthor(
            AuthorsApi.APIGetAuthorRequest.newBuilder()
                .id(author.getId())
                .expand(List.of(AuthorExpandable.BOOKS))
                .build());
        same(expanded.getBooks().size(), 3);

        // One property changes, the others stay.
        var renamed = update(books, id, new PatchedBookRequest().title("Renamed " + MARK), null);
        same(renamed.getTitle(), "Renamed " + MARK);
        // `sort_title` is made from the title.
        renamed.title(book.getTitle()).sortTitle(book.getSortTitle());
        var mapper = ApiClient.createDefaultObjectMapper();
        var before = mapper.convertValue(book, java.util.Map.class);
        var after = mapper.convertValue(renamed, java.util.Map.class);
        for (var name : List.of("version", "updated_at")) {
            before.remove(name);
            after.remove(name);
        }
        same(after, before);

        // Null empties a property, and changes no other.
        update(books, id, new PatchedBookRequest().series(null).firstPublishedYear(null), null);
        var read = books.getBookWithHttpInfo(book(id, null));
        same(read.getData().getSeriesId(), null);
        same(read.getData().getFirstPublishedYear(), null);
        same(read.getData().getEditions(), book.getEditions());

        // What has not changed is not sent again, and what somebody else has changed not overwritten.
        var tag = read.getHeaders().get("etag").get(0);
        refusal(304, () -> books.getBook(book(id, tag)));
        var first = new PatchedBookRequest().description("By the first.");
        same(update(books, id, first, tag).getDescription(), "By the first.");
        var late = new PatchedBookRequest().description("By another.");
        same(faults(412, () -> update(books, id, late, tag)), List.of());

        // Every refusal is a Problem.
        var invalid = new BookRequest().title("").authors(List.of(new AuthorItemRequest().name("")));
        same(
            faults(400, () -> create(books, invalid)),
            List.of("/title blank", "/authors/0/name blank"));
        var taken = new BookRequest()
            .title("Taken")
            .editions(List.of(new EditionItemRequest().isbn13(ISBNS.get(0))));
        same(faults(409, () -> create(books, taken)), List.of("/editions/0/isbn13 unique"));
        var no = new BookRequest().title("No");
        same(faults(401, () -> create(new BooksApi(withToken(null)), no)), List.of());
        var member = new BooksApi(withToken(logIn("member").getAccess()));
        same(faults(403, () -> create(member, no)), List.of());

        // Gone.
        var gone = books.deleteBookWithHttpInfo(
            BooksApi.APIDeleteBookRequest.newBuilder().id(id).build());
        same(gone.getStatusCode(), 204);
        same(faults(404, () -> books.getBook(book(id, null))), List.of());
        var out = new TokenBlacklistRequest().refresh(pair.getRefresh());
        TOKENS.logOut(
            TokensApi.APILogOutRequest.newBuilder().tokenBlacklistRequest(out).build());
    }
}
