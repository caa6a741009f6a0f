// What a user of the catalogue does, with the Kotlin client that openapi-generator makes.
import java.net.URI
import java.net.URLDecoder
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import org.openapitools.client.apis.AuthorsApi
import org.openapitools.client.apis.BooksApi
import org.openapitools.client.apis.SubjectsApi
import org.openapitools.client.apis.TokensApi
import org.openapitools.client.infrastructure.ApiClient
import org.openapitools.client.infrastructure.ClientError
import org.openapitools.client.infrastructure.ClientException
import org.openapitools.client.infrastructure.Serializer
import org.openapitools.client.infrastructure.Success
import org.openapitools.client.models.AuthorExpandable
import org.openapitools.client.models.AuthorItemRequest
import org.openapitools.client.models.AuthorProfileItemRequest
import org.openapitools.client.models.AuthorRequest
import org.openapitools.client.models.BookOfAuthorItemRequest
import org.openapitools.client.models.BookOrdering
import org.openapitools.client.models.BookRequest
import org.openapitools.client.models.ContributionRole
import org.openapitools.client.models.EditionFormat
import org.openapitools.client.models.EditionItemRequest
import org.openapitools.client.models.PaginatedBookList
import org.openapitools.client.models.PatchedBookRequest
import org.openapitools.client.models.Problem
import org.openapitools.client.models.SeriesItemRequest
import org.openapitools.client.models.TokenBlacklistRequest
import org.openapitools.client.models.TokenObtainPair
import org.openapitools.client.models.TokenObtainPairRequest
import org.openapitools.client.models.TokenRefreshRequest

fun given(name: String): String = checkNotNull(System.getenv(name)) { "$name is not set" }

fun <T> same(actual: T, expected: T) = check(actual == expected) { "$actual is not $expected" }

fun faults(status: Int, call: () -> Unit): List<Pair<String?, String>> {
    val refusal = runCatching(call).exceptionOrNull()
    check(refusal is ClientException) { "It was not refused: $refusal" }
    val body = (refusal.response as ClientError<*>).body.toString()
    val problem = Serializer.gson.fromJson(body, Problem::class.java)
    same(problem.status, status)
    same(refusal.statusCode, status)
    return problem.errors.orEmpty().map { it.pointer to it.code }
}

fun logIn(tokens: TokensApi, username: String): TokenObtainPair =
    tokens.obtainTokens(TokenObtainPairRequest(password = "demo-$username", username = username))

fun main() {
    val url = given("CATALOGUE_URL")
    val isbns = listOf(given("ISBN_1"), given("ISBN_2"))
    // In names that nobody else uses.
    val mark = given("MARK")
    val tokens = TokensApi(url)

    // Log in, and refresh.
    val pair = tokens.refreshTokens(TokenRefreshRequest(logIn(tokens, "librarian").refresh))
    ApiClient.accessToken = pair.access
    val books = BooksApi(url)
    val authors = AuthorsApi(url)

    // An author with a profile and books.
    val author = authors.createAuthor(
        AuthorRequest(
            name = "Ada $mark",
            birthYear = 1950,
            profile = AuthorProfileItemRequest(
                biography = "Writes.",
                website = URI("https://example.org/"),
            ),
            books = listOf(
                BookOfAuthorItemRequest(title = "First $mark"),
                BookOfAuthorItemRequest(title = "Second $mark"),
            ),
        ),
        expand = listOf(AuthorExpandable.BOOKS),
    )
    val id: Long = author.id
    same(author.profile?.biography, "Writes.")
    same(author.books?.map { it.id }?.sorted(), author.bookIds)

    // A nested book: a new series, subjects by key, an existing and a new author, two editions.
    val subjectIds = SubjectsApi(url).listSubjects(pageSize = 2).results.map { it.id }.sorted()
    val created = books.createBookWithHttpInfo(
        idempotencyKey = null,
        bookRequest = BookRequest(
            title = "Nested $mark",
            description = "Kept.",
            firstPublishedYear = -50,
            series = SeriesItemRequest(name = "Series $mark"),
            seriesPosition = "1",
            subjectIds = subjectIds,
            authors = listOf(AuthorItemRequest(id = id), AuthorItemRequest(name = "Bob $mark")),
            editions = listOf(
                EditionItemRequest(isbn13 = isbns[0], format = EditionFormat.hardcover, pages = 300),
                EditionItemRequest(
                    isbn13 = isbns[1],
                    format = EditionFormat.ebook,
                    publishedOn = "2020-02",
                ),
            ),
        ),
    ) as Success
    val book = checkNotNull(created.data)
    same(created.statusCode, 201)
    same(created.headers["location"], listOf("$url/api/books/${book.id}/"))
    same(book.series?.name, "Series $mark")
    same(book.subjectIds.sorted(), subjectIds)
    same(book.authors.map { it.name }, listOf("Ada $mark", "Bob $mark"))
    same(book.editions.map { it.isbn13 }, isbns)
    same(book.editions[1].publishedOn, "2020-02")

    // All pages, by cursor, to the end.
    val seen = mutableSetOf<Long>()
    var cursor: String? = null
    var page: PaginatedBookList
    do {
        page = books.listBooks(
            pageSize = 100, count = true, ordering = BookOrdering.BY_ID_DESCENDING, cursor = cursor,
        )
        seen += page.results.map { it.id }
        cursor = page.next?.rawQuery?.split("&")?.first { it.startsWith("cursor=") }
            ?.let { URLDecoder.decode(it.removePrefix("cursor="), Charsets.UTF_8) }
    } while (cursor != null)
    check(seen.size > 200)
    same(seen.size.toLong(), page.count)

    // Filter, and expand.
    val ancient = books.listBooks(
        author = listOf("$id"),
        role = listOf(ContributionRole.author, ContributionRole.editor),
        firstPublishedYearMax = -1,
    )
    same(ancient.results.map { it.id }, listOf(book.id))
    same(authors.getAuthor(id, expand = listOf(AuthorExpandable.BOOKS)).books?.size, 3)

    // One property changes, the others stay.
    val renamed = books.partialUpdateBook(book.id, PatchedBookRequest(title = "Renamed $mark"))
    same(
        renamed.copy(
            title = book.title,
            // It is made from the title.
            sortTitle = book.sortTitle,
            version = book.version,
            updatedAt = book.updatedAt,
        ),
        book,
    )

    // gson leaves null out, so what shall be emptied is said by hand.
    val json = """{"series": null, "first_published_year": null}"""
    val request = Request.Builder()
        .url("$url/api/books/${book.id}/")
        .header("Authorization", "Bearer ${pair.access}")
        .patch(json.toRequestBody("application/json".toMediaType()))
        .build()
    OkHttpClient().newCall(request).execute().use { same(it.code, 200) }
    val emptied = books.getBook(book.id)
    same(emptied.seriesId, null)
    same(emptied.firstPublishedYear, null)

    // Another order of the contributors.
    val authorIds = book.authorIds.reversed()
    val reordered = books.partialUpdateBook(book.id, PatchedBookRequest(authorIds = authorIds))
    same(reordered.contributions.map { it.authorId }, authorIds)

    // What has not changed is not sent again, and what somebody else has changed not overwritten.
    val read = books.getBookWithHttpInfo(book.id, null, null, null, null)
    val tag = read.headers.getValue("etag").single()
    same(books.getBookWithHttpInfo(book.id, null, null, tag, null).statusCode, 304)
    val first = PatchedBookRequest(description = "By the first.")
    same(books.partialUpdateBook(book.id, first, ifMatch = tag).description, "By the first.")
    val late = PatchedBookRequest(description = "By another.")
    same(faults(412) { books.partialUpdateBook(book.id, late, ifMatch = tag) }, listOf())

    // What is repeated is done once.
    val once = BookRequest(title = "Once $mark")
    val key = "once $mark"
    val stored = books.createBook(once, idempotencyKey = key)
    same(books.createBook(once, idempotencyKey = key), stored)
    val twice = BookRequest(title = "Twice $mark")
    same(faults(422) { books.createBook(twice, idempotencyKey = key) }, listOf())

    // Every refusal is a Problem.
    val invalid = BookRequest(title = "", authors = listOf(AuthorItemRequest(name = "")))
    same(
        faults(400) { books.createBook(invalid) },
        listOf("/title" to "blank", "/authors/0/name" to "blank"),
    )
    val taken = BookRequest(
        title = "Taken",
        editions = listOf(EditionItemRequest(isbn13 = isbns[0])),
    )
    same(faults(409) { books.createBook(taken) }, listOf("/editions/0/isbn13" to "unique"))
    same(faults(404) { books.getBook(999_999_999) }, listOf())
    val no = BookRequest(title = "No")
    ApiClient.accessToken = logIn(tokens, "member").access
    same(faults(403) { books.createBook(no) }, listOf())
    ApiClient.accessToken = "none"
    same(faults(401) { books.createBook(no) }, listOf())

    // Gone.
    ApiClient.accessToken = pair.access
    same(books.deleteBookWithHttpInfo(book.id, ifMatch = null, idempotencyKey = null).statusCode, 204)
    same(faults(404) { books.getBook(book.id) }, listOf())
    tokens.logOut(TokenBlacklistRequest(pair.refresh))
}
