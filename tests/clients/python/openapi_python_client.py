"""What a user of the catalogue does, with the client that openapi-python-client makes."""

import os
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from catalogue import AuthenticatedClient, Client
from catalogue.api.authors import create_author, get_author
from catalogue.api.books import create_book, delete_book, get_book, list_books, partial_update_book
from catalogue.api.subjects import list_subjects
from catalogue.api.tokens import log_out, obtain_tokens, refresh_tokens
from catalogue.models import (
    Author,
    AuthorExpandable,
    AuthorItemRequest,
    AuthorProfileItem,
    AuthorProfileItemRequest,
    AuthorRequest,
    Book,
    BookOfAuthorItemRequest,
    BookOrdering,
    BookRequest,
    ContributionRole,
    EditionFormat,
    EditionItemRequest,
    PaginatedBookList,
    PaginatedSubjectList,
    PatchedBookRequest,
    Problem,
    SeriesItemRequest,
    TokenBlacklistRequest,
    TokenObtainPair,
    TokenObtainPairRequest,
    TokenRefresh,
    TokenRefreshRequest,
)
from catalogue.types import UNSET, Response, Unset

T = TypeVar("T")

URL = os.environ["CATALOGUE_URL"]
ISBNS = [os.environ["ISBN_1"], os.environ["ISBN_2"]]
# In names that nobody else uses.
MARK = os.environ["MARK"]


def data(answer: Response[Any], kind: type[T]) -> T:
    assert isinstance(answer.parsed, kind), answer
    return answer.parsed


def faults(answer: Response[Any], status: int) -> list[tuple[str | Unset, str]]:
    problem = data(answer, Problem)
    assert answer.status_code == problem.status == status
    return [(fault.pointer, fault.code) for fault in problem.errors or []]


def log_in(username: str) -> TokenObtainPair:
    body = TokenObtainPairRequest(username=username, password=f"demo-{username}")
    return data(obtain_tokens.sync_detailed(client=anonymous, body=body), TokenObtainPair)


def with_token(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(URL, token=token, raise_on_unexpected_status=True)


# Log in, and refresh.
anonymous = Client(URL, raise_on_unexpected_status=True)
refresh = refresh_tokens.sync_detailed(
    client=anonymous, body=TokenRefreshRequest(refresh=log_in("librarian").refresh)
)
pair = data(refresh, TokenRefresh)
librarian = with_token(pair.access)

# An author with a profile and books.
author = data(
    create_author.sync_detailed(
        client=librarian,
        expand=[AuthorExpandable.BOOKS],
        body=AuthorRequest(
            name=f"Ada {MARK}",
            birth_year=1950,
            profile=AuthorProfileItemRequest(biography="Writes.", website="https://example.org/"),
            books=[
                BookOfAuthorItemRequest(title=f"First {MARK}"),
                BookOfAuthorItemRequest(title=f"Second {MARK}"),
            ],
        ),
    ),
    Author,
)
assert isinstance(author.profile, AuthorProfileItem)
assert author.profile.biography == "Writes."
assert author.books
assert sorted(book.id for book in author.books) == author.book_ids

# A nested book: a new series, subjects by key, an existing and a new author, two editions.
subjects = data(list_subjects.sync_detailed(client=anonymous, page_size=2), PaginatedSubjectList)
subject_ids = sorted(subject.id for subject in subjects.results)
created = create_book.sync_detailed(
    client=librarian,
    body=BookRequest(
        title=f"Nested {MARK}",
        description="Kept.",
        first_published_year=-50,
        series=SeriesItemRequest(name=f"Series {MARK}"),
        series_position="1",
        subject_ids=subject_ids,
        authors=[AuthorItemRequest(id=author.id), AuthorItemRequest(name=f"Bob {MARK}")],
        editions=[
            EditionItemRequest(isbn13=ISBNS[0], format_=EditionFormat.HARDCOVER, pages=300),
            EditionItemRequest(
                isbn13=ISBNS[1],
                format_=EditionFormat.EBOOK,
                published_on="2020-02",
            ),
        ],
    ),
)
book = data(created, Book)
assert created.status_code == 201
assert created.headers["Location"] == f"{URL}/api/books/{book.id}/"
assert book.series is not None
assert book.series.name == f"Series {MARK}"
assert sorted(book.subject_ids) == subject_ids
assert [each.name for each in book.authors] == [f"Ada {MARK}", f"Bob {MARK}"]
assert [edition.isbn13 for edition in book.editions] == ISBNS
assert book.editions[1].published_on == "2020-02"

# All pages, by cursor, to the end.
seen: set[int] = set()
cursor: str | Unset = UNSET
while True:
    answer = list_books.sync_detailed(
        client=anonymous,
        page_size=100,
        count=True,
        ordering=BookOrdering.BY_ID_DESCENDING,
        cursor=cursor,
    )
    page = data(answer, PaginatedBookList)
    seen.update(each.id for each in page.results)
    if page.next_ is None:
        break
    [cursor] = parse_qs(urlsplit(page.next_).query)["cursor"]
assert len(seen) == page.count
assert len(seen) > 200

# Filter, and expand.
ancient = list_books.sync_detailed(
    client=anonymous,
    author=[str(author.id)],
    role=[ContributionRole.AUTHOR, ContributionRole.EDITOR],
    first_published_year_max=-1,
)
assert [each.id for each in data(ancient, PaginatedBookList).results] == [book.id]
author_answer = get_author.sync_detailed(
    author.id, client=anonymous, expand=[AuthorExpandable.BOOKS]
)
expanded = data(author_answer, Author)
assert expanded.books
assert len(expanded.books) == 3


def change(body: PatchedBookRequest) -> Book:
    return data(partial_update_book.sync_detailed(book.id, client=librarian, body=body), Book)


# One property changes, the others stay; null empties one.
renamed = change(PatchedBookRequest(title=f"Renamed {MARK}"))
before, after = book.to_dict(), renamed.to_dict()
changed = {name for name in before if before[name] != after[name]}
assert changed == {"title", "sort_title", "version", "updated_at"}
emptied = change(PatchedBookRequest(series=None, first_published_year=None))
assert emptied.series_id is None
assert emptied.first_published_year is None

# Another order of the contributors.
author_ids = book.author_ids[::-1]
reordered = change(PatchedBookRequest(author_ids=author_ids))
assert [each.author_id for each in reordered.contributions] == author_ids

# What has not changed is not sent again, and what somebody else has changed not overwritten.
tag = get_book.sync_detailed(book.id, client=anonymous).headers["ETag"]
unchanged = get_book.sync_detailed(book.id, client=anonymous, if_none_match=tag)
assert unchanged.status_code == 304
first, late = (
    partial_update_book.sync_detailed(
        book.id, client=librarian, body=PatchedBookRequest(description=words), if_match=tag
    )
    for words in ("By the first.", "By another.")
)
assert data(first, Book).description == "By the first."
assert faults(late, 412) == []
assert get_book.sync_detailed(book.id, client=anonymous, if_none_match=tag).status_code == 200

# What is repeated is done once.
once, again, misused = (
    create_book.sync_detailed(
        client=librarian, body=BookRequest(title=f"{title} {MARK}"), idempotency_key=f"once {MARK}"
    )
    for title in ("Once", "Once", "Twice")
)
assert once.status_code == again.status_code == 201
assert data(again, Book) == data(once, Book)
assert faults(misused, 422) == []

# Every refusal is a Problem.
invalid = create_book.sync_detailed(
    client=librarian, body=BookRequest(title="", authors=[AuthorItemRequest(name="")])
)
assert faults(invalid, 400) == [("/title", "blank"), ("/authors/0/name", "blank")]
no = BookRequest(title="No")
assert faults(create_book.sync_detailed(client=with_token("none"), body=no), 401) == []
member = with_token(log_in("member").access)
assert faults(create_book.sync_detailed(client=member, body=no), 403) == []
assert faults(get_book.sync_detailed(999_999_999, client=anonymous), 404) == []
taken = BookRequest(title="Taken", editions=[EditionItemRequest(isbn13=ISBNS[0])])
conflict = create_book.sync_detailed(client=librarian, body=taken)
assert faults(conflict, 409) == [("/editions/0/isbn13", "unique")]

# Gone.
assert delete_book.sync_detailed(book.id, client=librarian).status_code == 204
assert faults(get_book.sync_detailed(book.id, client=anonymous), 404) == []
ended = log_out.sync_detailed(client=anonymous, body=TokenBlacklistRequest(refresh=pair.refresh))
assert ended.status_code == 200
