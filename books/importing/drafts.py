"""What a row says, cleaned and completed to columns. Nothing is stored yet, and no query is made.

A thing is a dict of its columns here. Making an instance of a model for each costs more than all
else that an import does.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import models
from rest_framework.fields import get_error_detail

from authors.models import Author
from books.models import Book, Contribution, Edition, Identifier, Publisher, Role, Series, Subject
from project.api.http.problems import Fault, Refused, faults_of, pointer
from project.api.models import Attrs, FoldedFrom, ModelField, StartOf

Columns = dict[str, Any]

# How many of the things that books share are remembered once they are cleaned.
REMEMBERED = 20_000


@lru_cache
def defaults_of(model: type[models.Model]) -> Columns:
    """What stands in the columns that nobody mentions; None where `insert` makes it for each."""
    return {
        field.attname: None
        if field.has_default() and callable(field.default)
        else field.get_default()
        for field in columns_of(model)
    }


@lru_cache
def columns_of(model: type[models.Model]) -> list[ModelField]:
    """The fields that a row is written with: all but those that the database fills."""
    return [
        field
        for field in model._meta.concrete_fields
        if not field.primary_key
        and not field.generated
        and (field.has_default() or not field.has_db_default())
    ]


BOOK, EDITION = defaults_of(Book), defaults_of(Edition)


@lru_cache(REMEMBERED)
def make_columns(model: type[models.Model], **attrs: object) -> Columns:
    """The columns of an author, series, subject or publisher of these, or a ValidationError."""
    thing = {**defaults_of(model), **attrs}
    # `__init__` takes ten times as long, and does no more of use here.
    instance = model.__new__(model)
    vars(instance).update(thing)
    instance.clean()
    for field in columns_of(model):
        # By these a stored one is found.
        if isinstance(field, FoldedFrom):
            thing[field.attname] = field.value_of(instance)
    return thing


class Credit(NamedTuple):
    """An author, and what for."""

    author: Columns
    role: str = Role.AUTHOR.value
    credited_as: str = ""
    other_role: str = ""


class Draft:
    """A book and all that a row says of it, or an author alone.

    Raises Refused where the API would refuse the validated `attrs`, whatever is stored.
    """

    __slots__ = ("book", "credits", "editions", "faults", "is_book", "series", "subjects")

    def __init__(self, attrs: Attrs) -> None:
        self.faults: list[Fault] = []
        self.is_book = True
        series = attrs.pop("series", None)
        self.series = None if series is None else self._make_columns(Series, series, "series")
        self.subjects = [
            self._make_columns(Subject, each, "subjects", i)
            for i, each in enumerate(attrs.pop("subjects", ()))
        ]
        self.credits = list(self._credits(attrs))
        editions = attrs.pop("editions", ())
        self.editions = [self._edition(each, "editions", i) for i, each in enumerate(editions)]
        if len(editions) > 1:
            self._refuse_repeated_isbns()
        self._refuse_repeated_identifiers()
        self.book = {**BOOK, **attrs, "title_start": StartOf.make(attrs["title"])}
        if self.book["first_published"]:
            self._settle_year()
        if self.faults:
            raise Refused(self.faults)

    @classmethod
    def of_author(cls, attrs: Attrs) -> "Draft":
        """An author of whom no book is named."""
        names = {each["name"]: each.get("sort_name", "") for each in attrs.pop("other_names", ())}
        draft = cls({"title": "", "authors": [attrs]})
        draft.is_book = False
        [credit] = draft.credits
        draft.credits = [credit._replace(author={**credit.author, "other_names": names})]
        return draft

    def of_role(self, role: str) -> list[Columns]:
        return [credit.author for credit in self.credits if credit.role == role]

    @property
    def certainty(self) -> tuple[object, ...]:
        """Orders drafts by how well they tell which book they mean, and else by all they say.

        Authors alone come before all books.
        """
        said = list(self.book.values())
        told = len(said) - said.count(None) - said.count("")
        return (
            self.is_book,
            self.book["uid"] is None,
            self.book["openlibrary_key"] is None,
            all(edition["isbn13"] is None for edition in self.editions),
            -sum(len(edition["identifiers"]) for edition in self.editions),
            -sum(credit.author["openlibrary_key"] is not None for credit in self.credits),
            -told - len(self.credits) - len(self.subjects),
            self.book["title"],
            _Everything(self),
        )

    def _make_columns(self, model: type[models.Model], attrs: Columns, *at: str | int) -> Columns:
        try:
            return make_columns(model, **attrs)
        except ValidationError as error:
            self.faults += faults_of(get_error_detail(error), pointer(*at))
            return attrs

    def _credits(self, attrs: Attrs) -> Iterator[Credit]:
        authors = attrs.pop("authors", None)
        contributions = attrs.pop("contributions", None)
        if contributions is None:
            for i, each in enumerate(authors or ()):
                yield Credit(self._make_columns(Author, each, "authors", i))
            return
        if authors is not None:
            told = [each.get("author") for each in contributions if _is_author(each)]
            if authors != told:
                detail = "“contributions” and “authors” disagree."
                self.faults.append(Fault("conflicting_values", detail, "/authors"))
        for i, each in enumerate(contributions):
            if "author" in each:
                author = self._make_columns(
                    Author, each.pop("author"), "contributions", i, "author"
                )
                yield Credit(author, **each)
                if each.get("other_role"):
                    self._check(Contribution(**each), "contributions", i)
            else:
                at = pointer("contributions", i, "author")
                self.faults.append(Fault("required", "This field is required.", at))

    def _edition(self, attrs: Attrs, *at: str | int) -> Columns:
        """Its columns, and beside them the publisher and the identifiers, in pairs."""
        publisher = attrs.get("publisher")
        if publisher is not None:
            attrs["publisher"] = self._make_columns(Publisher, publisher, *at, "publisher")
        identifiers = [Identifier(**each) for each in attrs.get("identifiers", ())]
        for i, each in enumerate(identifiers):
            self._check(each, *at, "identifiers", i)
        attrs["identifiers"] = tuple((each.scheme, each.value) for each in identifiers)
        return {"publisher": None, **EDITION, **attrs}

    def _settle_year(self) -> None:
        """Give the book the year by which a stored one is found."""
        date, year = self.book["first_published"], self.book["first_published_year"]
        book = Book(first_published=date, first_published_year=year)
        year = Book._meta.get_field("first_published_year").value_of(book)
        self.book["first_published_year"] = book.first_published_year = year
        self._check(book)

    def _check(self, instance: models.Model, *at: str | int) -> None:
        try:
            instance.clean()
        except ValidationError as error:
            self.faults += faults_of(get_error_detail(error), pointer(*at))

    def _refuse_repeated_isbns(self) -> None:
        first: dict[str, int] = {}
        for i, edition in enumerate(self.editions):
            if edition["isbn13"] and first.setdefault(edition["isbn13"], i) != i:
                detail = f"The same value stands at “/editions/{first[edition['isbn13']]}”."
                self.faults.append(Fault("duplicate", detail, pointer("editions", i, "isbn13")))

    def _refuse_repeated_identifiers(self) -> None:
        first: dict[tuple[str, str], str] = {}
        for i, edition in enumerate(self.editions):
            for n, each in enumerate(edition["identifiers"]):
                place = pointer("editions", i, "identifiers", n)
                if first.setdefault(each, place) != place:
                    detail = f"The same value stands at “{first[each]}”."
                    self.faults.append(Fault("duplicate", detail, place))


class _Everything:
    """All that a draft says, as a text: it is made where nothing else tells two apart."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def __repr__(self) -> str:
        draft = self._draft
        return repr((draft.book, draft.series, draft.credits, draft.subjects, draft.editions))

    def __lt__(self, other: object) -> bool:
        return repr(self) < repr(other)


def _is_author(contribution: Mapping[str, object]) -> bool:
    return bool(contribution.get("role", Role.AUTHOR) == Role.AUTHOR)
