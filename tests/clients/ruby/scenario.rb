# What a user of the catalogue does, with the Ruby client that openapi-generator makes.
require "openapi_client"

include OpenapiClient

URL = ENV.fetch("CATALOGUE_URL")
ISBNS = [ENV.fetch("ISBN_1"), ENV.fetch("ISBN_2")]
# In names that nobody else uses.
MARK = ENV.fetch("MARK")

def same(actual, expected)
  raise "#{actual.inspect} is not #{expected.inspect}" unless actual == expected
end

def with_token(token = nil)
  configuration = Configuration.new
  configuration.scheme, configuration.host = URL.split("://")
  configuration.access_token = token
  ApiClient.new(configuration)
end

ANONYMOUS = with_token

def log_in(username)
  body = TokenObtainPairRequest.new(username: username, password: "demo-#{username}")
  TokensApi.new(ANONYMOUS).obtain_tokens(body)
end

def refusal(status)
  yield
rescue ApiError => error
  same(error.code, status)
  error
else
  raise "It was not refused"
end

def faults(status, &call)
  body = JSON.parse(refusal(status, &call).response_body, symbolize_names: true)
  problem = Problem.build_from_hash(body)
  same(problem.status, status)
  (problem.errors || []).map { |fault| [fault.pointer, fault.code] }
end

# Log in, and refresh.
refresh = TokenRefreshRequest.new(refresh: log_in("librarian").refresh)
pair = TokensApi.new(ANONYMOUS).refresh_tokens(refresh)
books = BooksApi.new(with_token(pair.access))
authors = AuthorsApi.new(books.api_client)

# An author with a profile and books.
author = authors.create_author(
  AuthorRequest.new(
    name: "Ada #{MARK}",
    birth_year: 1950,
    profile: AuthorProfileItemRequest.new(biography: "Writes.", website: "https://example.org/"),
    books: [
      BookOfAuthorItemRequest.new(title: "First #{MARK}"),
      BookOfAuthorItemRequest.new(title: "Second #{MARK}"),
    ],
  ),
  expand: [AuthorExpandable::BOOKS],
)
same(author.profile.biography, "Writes.")
same(author.books.map(&:id).sort, author.book_ids)

# A nested book: a new series, subjects by key, an existing and a new author, two editions.
subject_ids = SubjectsApi.new(ANONYMOUS).list_subjects(page_size: 2).results.map(&:id).sort
book, status, headers = books.create_book_with_http_info(
  BookRequest.new(
    title: "Nested #{MARK}",
    description: "Kept.",
    first_published_year: -50,
    series: SeriesItemRequest.new(name: "Series #{MARK}"),
    series_position: "1",
    subject_ids: subject_ids,
    authors: [AuthorItemRequest.new(id: author.id), AuthorItemRequest.new(name: "Bob #{MARK}")],
    editions: [
      EditionItemRequest.new(isbn13: ISBNS[0], format: EditionFormat::HARDCOVER, pages: 300),
      EditionItemRequest.new(
        isbn13: ISBNS[1], format: EditionFormat::EBOOK, published_on: "2020-02",
      ),
    ],
  ),
)
same(status, 201)
same(headers["location"], "#{URL}/api/books/#{book.id}/")
same(book.series.name, "Series #{MARK}")
same(book.subject_ids.sort, subject_ids)
same(book.authors.map(&:name), ["Ada #{MARK}", "Bob #{MARK}"])
same(book.editions.map(&:isbn13), ISBNS)
same(book.editions[1].published_on, "2020-02")

# All pages, by cursor, to the end.
query = { page_size: 100, count: true, ordering: BookOrdering::BY_ID_DESCENDING }
page = BooksApi.new(ANONYMOUS).list_books(query)
seen = page.results.map(&:id)
while page.next_cursor
  page = BooksApi.new(ANONYMOUS).list_books(query.merge(cursor: page.next_cursor))
  seen += page.results.map(&:id)
end
same(seen.uniq.size, page.count)
same(seen.size > 200, true)

# Filter, and expand.
ancient = books.list_books(
  author: [author.id.to_s],
  role: [ContributionRole::AUTHOR, ContributionRole::EDITOR],
  first_published_year_max: -1,
)
same(ancient.results.map(&:id), [book.id])
same(authors.get_author(author.id, expand: [AuthorExpandable::BOOKS]).books.size, 3)

# One property changes, the others stay; null empties one.
renamed = books.partial_update_book(book.id, PatchedBookRequest.new(title: "Renamed #{MARK}"))
before, after = book.to_hash, renamed.to_hash
changed = before.keys.reject { |name| before[name] == after[name] }
# `sort_title` is made from the title.
same(changed, %i[title sort_title version updated_at])
emptied = books.partial_update_book(
  book.id, PatchedBookRequest.new(series: nil, first_published_year: nil),
)
same([emptied.series_id, emptied.first_published_year], [nil, nil])
same(emptied.editions.map(&:isbn13), ISBNS)

# What has not changed is not sent again, and what somebody else has changed not overwritten.
_, _, headers = books.get_book_with_http_info(book.id)
tag = headers["etag"]
refusal(304) { books.get_book(book.id, if_none_match: tag) }
first = PatchedBookRequest.new(description: "By the first.")
same(books.partial_update_book(book.id, first, if_match: tag).description, "By the first.")
late = PatchedBookRequest.new(description: "By another.")
same(faults(412) { books.partial_update_book(book.id, late, if_match: tag) }, [])

# Every refusal is a Problem.
# The client itself refuses what the contract rules out, so this is what only the server knows.
invalid = BookRequest.new(title: "No", language: "xx-nowhere", authors: [AuthorItemRequest.new])
same(
  faults(400) { books.create_book(invalid) },
  [["/language", "language"], ["/authors/0/name", "required"]],
)
taken = BookRequest.new(title: "Taken", editions: [EditionItemRequest.new(isbn13: ISBNS[0])])
same(faults(409) { books.create_book(taken) }, [["/editions/0/isbn13", "unique"]])
no = BookRequest.new(title: "No")
same(faults(401) { BooksApi.new(ANONYMOUS).create_book(no) }, [])
member = BooksApi.new(with_token(log_in("member").access))
same(faults(403) { member.create_book(no) }, [])

# Gone.
_, status, = books.delete_book_with_http_info(book.id)
same(status, 204)
same(faults(404) { books.get_book(book.id) }, [])
TokensApi.new(ANONYMOUS).log_out(TokenBlacklistRequest.new(refresh: pair.refresh))
