"""django-ninja, with schemas from models and resolvers (https://django-ninja.dev/guides/response/)."""

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import ModelSchema, NinjaAPI, Schema
from ninja.security import HttpBearer

from auth_api.tokens import AccessToken, user_of
from authors.models import Author
from benchmarks.peers.timestamps import Moment
from books.models import (
    Book,
    Contribution,
    Edition,
    Identifier,
    Publisher,
    Role,
    Series,
    Subject,
)

PAGE = 50


class Bearer(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> Any:
        return user_of(AccessToken(token))


class AuthorOut(ModelSchema):
    class Meta:
        model = Author
        fields = [
            *("id", "uid", "name", "sort_name", "kind", "birth_year", "death_year"),
            "openlibrary_key",
        ]


class SeriesOut(ModelSchema):
    class Meta:
        model = Series
        fields = ["id", "uid", "name"]


class PublisherOut(ModelSchema):
    class Meta:
        model = Publisher
        fields = ["id", "uid", "name"]


class SubjectOut(ModelSchema):
    class Meta:
        model = Subject
        fields = ["id", "uid", "name", "slug"]


class ContributionOut(ModelSchema):
    author: AuthorOut
    author_id: int

    class Meta:
        model = Contribution
        fields = ["id", "role", "other_role", "position", "credited_as"]


class IdentifierOut(ModelSchema):
    class Meta:
        model = Identifier
        fields = ["id", "scheme", "value"]


class CoverOut(Schema):
    url: str
    thumbnail: str


class EditionOut(ModelSchema):
    identifiers: list[IdentifierOut]
    publisher: PublisherOut | None
    publisher_id: int | None
    cover: CoverOut | None

    class Meta:
        model = Edition
        fields = [
            *("id", "isbn13", "title", "volume", "format", "pages"),
            *("published_on", "language"),
        ]

    @staticmethod
    def resolve_cover(edition: Edition) -> dict[str, str] | None:
        names = {"url": edition.cover, "thumbnail": edition.cover_thumbnail}
        return {key: file.url for key, file in names.items()} if edition.cover else None


class BookOut(ModelSchema):
    series: SeriesOut | None
    series_id: int | None
    subjects: list[SubjectOut]
    subject_ids: list[int]
    authors: list[AuthorOut]
    author_ids: list[int]
    contributions: list[ContributionOut]
    editions: list[EditionOut]
    created_at: Moment
    updated_at: Moment

    class Meta:
        model = Book
        fields = [
            *("id", "uid", "title", "subtitle", "sort_title", "original_title", "language"),
            *("first_published", "first_published_year"),
            *("description", "series_position", "openlibrary_key", "version"),
        ]

    @staticmethod
    def resolve_subject_ids(book: Book) -> list[int]:
        return [subject.pk for subject in book.subjects.all()]

    @staticmethod
    def resolve_authors(book: Book) -> list[Author]:
        return [c.author for c in book.contributions.all() if c.role == Role.AUTHOR]

    @staticmethod
    def resolve_author_ids(book: Book) -> list[int]:
        return [c.author_id for c in book.contributions.all() if c.role == Role.AUTHOR]


class Page(Schema):
    results: list[BookOut]


api = NinjaAPI(auth=Bearer())
books = Book.objects.select_related("series").prefetch_related(
    "subjects", "contributions__author", "editions__publisher", "editions__identifiers"
)


@api.get("/books/", response=Page)
def list_books(request: HttpRequest, first_published_year: int) -> Any:
    found = books.filter(first_published_year=first_published_year)
    return {"results": found.order_by("sort_title", "id")[:PAGE]}


@api.get("/books/{int:book_id}/", response=BookOut)
def get_book(request: HttpRequest, book_id: int) -> Any:
    return get_object_or_404(books, pk=book_id)
