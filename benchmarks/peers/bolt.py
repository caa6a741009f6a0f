"""django-bolt, with nested serializers (https://bolt.farhana.li/topics/serializers/)."""

from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

from django_bolt import BoltAPI
from django_bolt.exceptions import HTTPException
from django_bolt.params import Header
from django_bolt.serializers import Nested, Serializer, computed_field

from auth_api.tokens import AccessToken, user_of
from books.models import Book, Edition

PAGE = 50


class NamedOut(Serializer):
    id: int
    uid: UUID
    name: str


class SubjectOut(NamedOut):
    slug: str


class AuthorOut(NamedOut):
    sort_name: str
    kind: str | None
    birth_year: int | None
    death_year: int | None
    openlibrary_key: str | None


class ContributionOut(Serializer):
    id: int
    author: Annotated[AuthorOut, Nested(AuthorOut)]
    author_id: int
    role: str
    other_role: str
    position: int
    credited_as: str


class IdentifierOut(Serializer):
    id: int
    scheme: str
    value: str


# A field of a serializer has the name of an attribute, and is no file.
for name in ("cover", "cover_thumbnail"):
    setattr(Edition, f"{name}_name", property(attrgetter(f"{name}.name")))


class EditionOut(Serializer):
    id: int
    isbn13: str | None
    identifiers: Annotated[list[IdentifierOut], Nested(IdentifierOut, many=True)]
    title: str
    volume: str
    publisher: Annotated[NamedOut | None, Nested(NamedOut)]
    publisher_id: int | None
    format: str
    pages: int | None
    published_on: str | None
    language: str | None
    cover_name: str
    cover_thumbnail_name: str

    class Config:
        write_only = {"cover_name", "cover_thumbnail_name"}

    @computed_field
    def cover(self) -> dict[str, str] | None:
        names = {"url": self.cover_name, "thumbnail": self.cover_thumbnail_name}
        return {key: f"/media/{name}" for key, name in names.items()} if self.cover_name else None


class BookOut(Serializer):
    id: int
    uid: UUID
    title: str
    subtitle: str
    sort_title: str
    original_title: str
    language: str | None
    first_published: str
    first_published_year: int | None
    description: str
    series: Annotated[NamedOut | None, Nested(NamedOut)]
    series_id: int | None
    series_position: str
    subjects: Annotated[list[SubjectOut], Nested(SubjectOut, many=True)]
    contributions: Annotated[list[ContributionOut], Nested(ContributionOut, many=True)]
    editions: Annotated[list[EditionOut], Nested(EditionOut, many=True)]
    openlibrary_key: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @computed_field
    def subject_ids(self) -> list[int]:
        return [subject.id for subject in self.subjects]

    @computed_field
    def authors(self) -> list[Any]:
        return [each.author for each in self.contributions if each.role == "author"]

    @computed_field
    def author_ids(self) -> list[int]:
        return [each.author_id for each in self.contributions if each.role == "author"]


api = BoltAPI()
FETCHED = (
    *("subjects", "contributions__author"),
    *("editions__publisher", "editions__identifiers"),
)
Authorization = Annotated[str, Header(alias="authorization")]


def authenticate(authorization: str) -> None:
    user_of(AccessToken(authorization.removeprefix("Bearer ")))


# The server takes the slash at the end off before it looks for a route.
@api.get("/books")
def list_books(first_published_year: int, authorization: Authorization) -> dict[str, Any]:
    authenticate(authorization)
    # A handler that names the ORM itself runs in a thread, where the ORM may be used.
    books = Book.objects.select_related("series").prefetch_related(*FETCHED)
    found = books.filter(first_published_year=first_published_year)
    found = found.order_by("sort_title", "id")[:PAGE]
    return {"results": [BookOut.from_model(book).dump() for book in found]}


@api.get("/books/{book_id}")
def get_book(book_id: int, authorization: Authorization) -> dict[str, Any]:
    authenticate(authorization)
    books = Book.objects.select_related("series").prefetch_related(*FETCHED)
    found = books.filter(pk=book_id).first()
    if found is None:
        raise HTTPException(404)
    return BookOut.from_model(found).dump()
