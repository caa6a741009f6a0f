"""What the lists of books, and of what goes with books, can be asked."""

from typing import Any

from django.db.models import QuerySet
from django_filters.constants import EMPTY_VALUES
from django_filters.rest_framework import ChoiceFilter

from project.api.filters import (
    FoldedNameFilter,
    IntegerFilter,
    ListFilterSet,
    NameFilter,
    PartialDateFilter,
    RootFilterSet,
    TextFilter,
)
from project.api.models import StartOf

from .isbn import ISBNFormField
from .languages import validate_language
from .models import MAX_TITLE, Book, Contribution, Edition, Format, Role


class ISBNFilter(TextFilter):
    field_class = ISBNFormField


def _language() -> TextFilter:
    return TextFilter(
        max_length=35, validators=[validate_language], help_text="A BCP 47 tag, as `en`."
    )


class TitleFilter(NameFilter):
    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        # The index has its beginning.
        return qs.filter(title=value, title_start=StartOf.make(value)) if value else qs


class BookFilter(RootFilterSet):
    title = TitleFilter(max_length=MAX_TITLE, help_text="The exact title.")
    author = IntegerFilter(
        method="by_contribution",
        help_text="The id of an author who contributed to the book.",
    )
    role = ChoiceFilter(
        choices=Role.choices,
        method="by_contribution",
        help_text="The role in which `author`, or else anybody, contributed to the book.",
    )
    subject = IntegerFilter("subjects", help_text="The id of one of its subjects.")
    series = IntegerFilter("series", help_text="The id of its series.")
    publisher = IntegerFilter(
        method="by_publisher", help_text="The id of a publisher of one of its editions."
    )
    language = _language()
    first_published_year = IntegerFilter(
        help_text="First published in this year; years BCE are negative."
    )
    first_published_year_min = IntegerFilter(
        "first_published_year", "gte", help_text="First published in this year or later."
    )
    first_published_year_max = IntegerFilter(
        "first_published_year", "lte", help_text="First published in this year or earlier."
    )
    isbn = ISBNFilter(
        method="by_isbn", help_text="The ISBN of one of its editions, with 10 or 13 digits."
    )
    openlibrary_key = TextFilter(
        validators=Book._meta.get_field("openlibrary_key").validators,
        help_text="The Open Library's key of the work, as OL27482W.",
    )

    # Subqueries: a join gives a book once for each of its contributions or editions, and SQLite
    # may walk through all books in order rather than begin at the one that has the ISBN.

    def by_isbn(self, queryset: QuerySet[Book], name: str, value: str) -> QuerySet[Book]:
        return queryset.filter(pk__in=Edition.objects.filter(isbn13=value).values("book"))

    def by_publisher(self, queryset: QuerySet[Book], name: str, value: int) -> QuerySet[Book]:
        return queryset.filter(pk__in=Edition.objects.filter(publisher=value).values("book"))

    def by_contribution(self, queryset: QuerySet[Book], name: str, value: Any) -> QuerySet[Book]:
        # Of the same contribution: the first of the two asks for both.
        both = {each: self.form.cleaned_data.get(each) for each in ("author", "role")}
        asked = {each: value for each, value in both.items() if value not in EMPTY_VALUES}
        if name != next(iter(asked)):
            return queryset
        contributions = Contribution.objects.filter(**asked).order_by()
        return queryset.filter(pk__in=contributions.values("book"))


class ContributionFilter(ListFilterSet):
    author = IntegerFilter("author", help_text="The id of the author.")
    role = ChoiceFilter(choices=Role.choices, help_text="The role in which the author contributed.")


class EditionFilter(ListFilterSet):
    isbn = ISBNFilter("isbn13", help_text="The ISBN, with 10 or 13 digits.")
    publisher = IntegerFilter("publisher", help_text="The id of its publisher.")
    # `format` itself is the answer's: `?format=json`.
    edition_format = ChoiceFilter(
        field_name="format",
        choices=Format.choices,
        help_text="The format in which the edition was published.",
    )
    language = _language()
    published_on_min = PartialDateFilter(
        "published_on",
        "gte",
        help_text="Published on this day, or on the first day of this month or year, or later. An"
        " edition of which only the year is known counts from its first day.",
    )
    published_on_max = PartialDateFilter(
        "published_on",
        "lte",
        help_text="Published on this day, or on the last day of this month or year, or earlier. An"
        " edition of which only the year is known counts from its first day.",
    )


class SeriesFilter(RootFilterSet):
    name = NameFilter(max_length=300, help_text="The exact name.")


class PublisherFilter(RootFilterSet):
    name = FoldedNameFilter(max_length=300, help_text="The exact name, in upper or lower case.")


class SubjectFilter(RootFilterSet):
    name = FoldedNameFilter(max_length=200, help_text="The exact name, in upper or lower case.")
    slug = NameFilter(max_length=200, help_text="The exact slug.")
