"""What a user of the catalogue does, with the Python client that openapi-generator makes."""

import os
from urllib.parse import parse_qs, urlsplit

import pytest
from openapi_client import (
    ApiClient,
    AuthorExpandable,
    AuthorItemRequest,
    AuthorProfileItemRequest,
    AuthorRequest,
    AuthorsApi,
    BookOfAuthorItemRequest,
    BookOrdering,
    BookRequest,
    BooksApi,
    Configuration,
    ContributionRole,
    EditionFormat,
    EditionItemRequest,
    PatchedBookRequest,
    Problem,
    SeriesItemRequest,
    SubjectsApi,
    TokenBlacklistRequest,
    TokenObtainPairRequest,
    TokenRefreshRequest,
    TokensApi,
)
from openapi_client.exceptions import (
    ApiException,
    BadRequestException,
    ConflictException,
    ForbiddenException,
    NotFoundException,
    UnauthorizedException,
    UnprocessableEntityException,
)

URL = os.environ["CATALOGUE_URL"]
ISBNS = [os.environ["ISBN_1"], os.environ["ISBN_2"]]
# In names that nobody else uses.
MARK = os.environ["MARK"]


def with_token(token=None):
    return ApiClient(Configuration(host=URL, access_token=token))


def log_in(username):
    body = TokenObtainPairRequest(username=username, password=f"demo-{username}")
    return TokensApi(anonymous).obtain_tokens(body)


def faults(call, refusal, status):
    with pytest.raises(refusal) as refused:
        call()
    problem = refused.value.data
    assert isinstance(problem, Problem)
    assert problem.status == refused.value.status == status
    return [(fault.pointer, fault.code) for fault in problem.errors or []]


# Log in, and refresh.
anonymous = with_token()
pair = TokensApi(anonymous).refresh_tokens(TokenRefreshRequest(refresh=log_in("librarian").refresh))
books = BooksApi(with_token(pair.access))
authors = AuthorsApi(books.api_client)

# An author with a profile and books.
author = authors.create_author(
    AuthorRequest(
        name=f"Ada {MARK}",
        birth_year=1950,
        profile=AuthorProfileItemRequest(biography="Writes.", website="https://example.org/"),
        books=[
            BookOfAuthorItemRequest(title=f"First {MARK}"),
            BookOfAuthorItemRequest(title=f"Second {MARK}"),
        ],
    ),
    expand=[AuthorExpandable.BOOKS],
)
assert author.profile.biography == "Writes."
assert sorted(book.id for book in author.books) == author.book_ids

# A nested book: a new series, subjects by key, an existing and a new author, two editions.
subjects = SubjectsApi(anonymous).list_subjects(page_size=2)
subject_ids = sorted(subject.id for subject in subjects.results)
created = books.create_book_with_http_info(
    BookRequest(
        title=f"Nested {MARK}",
        description="Kept.",
        first_published_year=-50,
        series=SeriesItemRequest(name=f"Series {MARK}"),
        series_position="1",
        subject_ids=subject_ids,
        authors=[AuthorItemRequest(id=author.id), AuthorItemRequest(name=f"Bob {MARK}")],
        editions=[
            EditionItemRequest(isbn13=ISBNS[0], format=EditionFormat.HARDCOVER, pages=300),
            EditionItemRequest(
                isbn13=ISBNS[1],
                format=EditionFormat.EBOOK,
                published_on="2020-02",
            ),
        ],
    )
)
book = created.data
assert created.status_code == 201
headers = {name.lower(): value for name, value in created.headers.items()}
assert headers["location"] == f"{URL}/api/books/{book.id}/"
assert book.series.name == f"Series {MARK}"
assert sorted(book.subject_ids) == subject_ids
assert [each.name for each in book.authors] == [f"Ada {MARK}", f"Bob {MARK}"]
assert [edition.isbn13 for edition in book.editions] == ISBNS
assert book.editions[1].published_on == "2020-02"

# All pages, by cursor, to the end.
seen = set()
cursor = None
while True:
    page = BooksApi(anonymous).list_books(
        page_size=100, count=True, ordering=BookOrdering.BY_ID_DESCENDING, cursor=cursor
    )
    seen.update(each.id for each in page.results)
    if page.next is None:
        break
    [cursor] = parse_qs(urlsplit(page.next).query)["cursor"]
assert len(seen) == page.count
assert len(seen) > 200

# Filter, and expand.
ancient = books.list_books(
    author=[str(author.id)],
    role=[ContributionRole.AUTHOR, ContributionRole.EDITOR],
    first_published_year_max=-1,
)
assert [each.id for each in ancient.results] == [book.id]
assert len(authors.get_author(author.id, expand=[AuthorExpandable.BOOKS]).books) == 3


# One property changes, the others stay; null empties one.
renamed = books.partial_update_book(book.id, PatchedBookRequest(title=f"Renamed {MARK}"))
before, after = book.model_dump(), renamed.model_dump()
changed = {name for name in before if before[name] != after[name]}
assert changed == {"title", "sort_title", "version", "updated_at"}
emptied = books.partial_update_book(
    book.id, PatchedBookRequest(series=None, first_published_year=None)
)
assert emptied.series_id is None
assert emptied.first_published_year is None

# Another order of the contributors.
author_ids = book.author_ids[::-1]
reordered = books.partial_update_book(book.id, PatchedBookRequest(author_ids=author_ids))
assert [each.author_id for each in reordered.contributions] == author_ids

# What has not changed is not sent again, and what somebody else has changed not overwritten.
headers = books.get_book_with_http_info(book.id).headers
[tag] = [value for name, value in headers.items() if name.lower() == "etag"]
with pytest.raises(ApiException) as unchanged:
    books.get_book(book.id, if_none_match=tag)
assert unchanged.value.status == 304
first, late = (PatchedBookRequest(description=by) for by in ("By the first.", "By another."))
assert books.partial_update_book(book.id, first, if_match=tag).description == "By the first."
assert (
    faults(lambda: books.partial_update_book(book.id, late, if_match=tag), ApiException, 412) == []
)

# What is repeated is done once.
key = f"once {MARK}"
once = BookRequest(title=f"Once {MARK}")
assert books.create_book(once, idempotency_key=key) == books.create_book(once, idempotency_key=key)
twice = BookRequest(title=f"Twice {MARK}")
assert (
    faults(lambda: books.create_book(twice, idempotency_key=key), UnprocessableEntityException, 422)
    == []
)

# Every refusal is a Problem.
# The client itself refuses what the contract rules out, so this is what only the server knows.
invalid = BookRequest(title="No", language="xx-nowhere", authors=[AuthorItemRequest()])
assert faults(lambda: books.create_book(invalid), BadRequestException, 400) == [
    ("/language", "language"),
    ("/authors/0/name", "required"),
]
no = BookRequest(title="No")
assert faults(lambda: BooksApi(anonymous).create_book(no), UnauthorizedException, 401) == []
member = BooksApi(with_token(log_in("member").access))
assert faults(lambda: member.create_book(no), ForbiddenException, 403) == []
assert faults(lambda: books.get_book(999_999_999), NotFoundException, 404) == []
taken = BookRequest(title="Taken", editions=[EditionItemRequest(isbn13=ISBNS[0])])
assert faults(lambda: books.create_book(taken), ConflictException, 409) == [
    ("/editions/0/isbn13", "unique")
]

# Gone.
assert books.delete_book_with_http_info(book.id).status_code == 204
assert faults(lambda: books.get_book(book.id), NotFoundException, 404) == []
TokensApi(anonymous).log_out(TokenBlacklistRequest(refresh=pair.refresh))
