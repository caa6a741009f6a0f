"""A row's body, held against the API's own rules and made into objects not yet stored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from rest_framework import serializers

from authors.models import Author
from books.models import Book, Edition, Publisher, Role, Series, Subject
from project.api.problems import Fault, Refused, faults_of, pointer

from .validation import Validation

Instance = TypeVar("Instance", bound=models.Model)

# Each key of a related row, with the twins that describe the row instead.
KEYS = {
    "series_id": {"series"},
    "subject_ids": {"subjects"},
    "author_ids": {"authors", "contributions"},
    "author_id": {"author"},
    "publisher_id": {"publisher"},
}


@dataclass(slots=True)
class Credit:
    """An author, and what for."""

    author: Author
    role: str = Role.AUTHOR
    credited_as: str = ""


class Draft:
    """A book and all that a row says of it. Nothing is stored yet, and no query was made.

    Raises Refused where the API would refuse the body whatever is stored.
    """

    def __init__(self, body: Mapping[str, Any], validate: Validation) -> None:
        self.faults: list[Fault] = []
        attrs = self._validated(body, validate)
        series = attrs.pop("series", None)
        subjects = attrs.pop("subjects", [])
        editions = attrs.pop("editions", [])
        self.credits = list(self._credits(attrs))
        self.series = None if series is None else Series(**series)
        self.subjects = [
            self._cleaned(Subject(**each), "subjects", i) for i, each in enumerate(subjects)
        ]
        for subject in self.subjects:
            subject.slug = Subject._meta.get_field("slug").value_of(subject)
        self.editions = [self._edition(each, "editions", i) for i, each in enumerate(editions)]
        self._refuse_repeated_isbns()
        self.book = self._cleaned(Book(**attrs))
        if self.faults:
            raise Refused(self.faults)

    @property
    def authors(self) -> list[Author]:
        """Those with the role author, in order."""
        return [credit.author for credit in self.credits if credit.role == Role.AUTHOR]

    def _validated(self, body: Mapping[str, Any], validate: Validation) -> dict[str, Any]:
        named = self._without_keys(body)
        try:
            return validate(named)
        except serializers.ValidationError as error:
            raise Refused([*self.faults, *faults_of(error.detail)]) from error

    def _without_keys(self, value: Any, *at: str | int) -> Any:
        """The value without ids, which mean nothing outside of the database that they are from."""
        if isinstance(value, list):
            return [self._without_keys(each, *at, i) for i, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        kept = {}
        for name, each in value.items():
            twins = KEYS.get(name)
            if twins is None and name != "id":
                kept[name] = self._without_keys(each, *at, name)
            elif twins is not None and each and twins.isdisjoint(value):
                detail = f"A file says “{min(twins)}” instead: ids belong to one database."
                self.faults.append(Fault("invalid", detail, pointer(*at, name)))
        return kept

    def _credits(self, attrs: dict[str, Any]) -> Iterator[Credit]:
        authors = attrs.pop("authors", None)
        contributions = attrs.pop("contributions", None)
        if contributions is None:
            for i, each in enumerate(authors or ()):
                yield Credit(self._cleaned(Author(**each), "authors", i))
            return
        told = [each.get("author") for each in contributions if _is_author(each)]
        if authors is not None and authors != told:
            detail = "“contributions” and “authors” disagree."
            self.faults.append(Fault("conflicting_values", detail, "/authors"))
        for i, each in enumerate(contributions):
            at = ("contributions", i, "author")
            if "author" in each:
                each["author"] = self._cleaned(Author(**each["author"]), *at)
                yield Credit(**each)
            else:
                self.faults.append(Fault("required", "This field is required.", pointer(*at)))

    def _edition(self, attrs: dict[str, Any], *at: str | int) -> Edition:
        if attrs.get("publisher") is not None:
            publisher = Publisher(**attrs["publisher"])
            publisher.name_folded = Publisher._meta.get_field("name_folded").value_of(publisher)
            attrs["publisher"] = publisher
        return self._cleaned(Edition(**attrs), *at)

    def _refuse_repeated_isbns(self) -> None:
        first: dict[str, int] = {}
        for i, edition in enumerate(self.editions):
            if edition.isbn13 and first.setdefault(edition.isbn13, i) != i:
                detail = f"The same value stands at “/editions/{first[edition.isbn13]}”."
                self.faults.append(Fault("duplicate", detail, pointer("editions", i, "isbn13")))

    def _cleaned(self, instance: Instance, *at: str | int) -> Instance:
        """The instance, its own `clean` having been asked."""
        try:
            instance.clean()
        except ValidationError as error:
            for name, errors in error.error_dict.items():
                self.faults += [
                    Fault(each.code or "invalid", each.messages[0], pointer(*at, name))
                    for each in errors
                ]
        return instance


def _is_author(contribution: Mapping[str, Any]) -> bool:
    return bool(contribution.get("role", Role.AUTHOR) == Role.AUTHOR)
