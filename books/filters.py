"""What the lists of books, and of what goes with books, can be asked."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet

from project.api.filters import (
    ChoiceFilter,
    CodeFilter,
    FoldedNameFilter,
    IntegerFilter,
    ListFilterSet,
    NameFilter,
    PartialDateFilter,
    RelatedRows,
    RootFilterSet,
    ValuesFilter,
)
from project.api.models import AnyQuerySet, Start

from .identifiers import MAX_SCHEME, IdentifierFormField
from .isbn import ISBNFormField
from .languages import validate_language
from .models import MAX_TITLE, Book, Contribution, Edition, Format, Identifier, Role


class ISBNFilter(ValuesFilter):
    item_class = ISBNFormField


class IdentifierFilter(ValuesFilter):
    item_class = IdentifierFormField

    def condition(self, values: Sequence[tuple[str, str] | None]) -> Q:
        owner = {Book: "edition__book", Edition: "edition"}[self.model]
        rows = Identifier.objects.order_by()
        condition = Q()
        if None in values:
            condition |= ~Q(pk__in=rows.values(owner))
        if pairs := [each for each in values if each is not None]:
            wanted = reduce(or_, (Q(scheme=scheme, value=value) for scheme, value in pairs))
            condition |= Q(pk__in=rows.filter(wanted).values(owner))
        return condition

    def lookups(self, value: Sequence[object]) -> None:
        return None


PRIMARY = "language__primary_subtag__exact"


class LanguageFilter(CodeFilter):
    """What is in these languages: by basic filtering (RFC 4647, section 3.3.1) `pt` finds `pt-BR`,
    or with `exact` just those with this very tag."""

    def __init__(self, *, exact: bool = False, **kwargs: object) -> None:
        parameter = "language.exact" if exact else "language"
        validators = [validate_language]
        super().__init__(
            "language", parameter=parameter, max_length=35, validators=validators, **kwargs
        )
        self.is_exact = exact

    def condition(self, values: Sequence[str | None]) -> Q:
        every = [self._lookups_of(value) for value in values]
        whole = [lookups[PRIMARY] for lookups in every if len(lookups) == 1]
        parts = [Q(*lookups.items()) for lookups in every if len(lookups) > 1]
        if len(whole) > 1:
            parts.append(Q(language__primary_subtag__in=whole))
        elif whole:
            parts.append(Q(**{PRIMARY: whole[0]}))
        return reduce(or_, parts)

    def lookups(self, value: Sequence[str | None]) -> dict[str, object] | None:
        return self._lookups_of(value[0]) if len(value) == 1 else None

    def _lookups_of(self, tag: str | None) -> dict[str, object]:
        """Those of one tag: the first one is what the index begins with."""
        primary, _, rest = (tag or "").partition("-")
        lookups: dict[str, object] = {PRIMARY: primary}
        if tag and self.is_exact:
            # SQLite would put the tag of an equality into the expression that the index has.
            return {**lookups, "language__gte": tag, "language__lte": tag}
        # A point is what comes behind a hyphen.
        return {**lookups, "language__gte": tag, "language__lt": f"{tag}."} if rest else lookups


def _languages() -> LanguageFilter:
    return LanguageFilter(help_text="A BCP 47 tag; `pt` finds `pt-BR`, too.")


def _exact_languages() -> LanguageFilter:
    return LanguageFilter(exact=True, help_text="A BCP 47 tag; `pt` does not find `pt-BR`.")


class TitleFilter(NameFilter):
    def filter(self, qs: AnyQuerySet, value: str) -> AnyQuerySet:
        if not value:
            return qs
        # An index has its beginning. SQLite would put an equal title into that expression.
        return qs.filter(title__start=Start.of(value), title__gte=value, title__lte=value)


class BookFilter(RootFilterSet):
    title = TitleFilter(max_length=MAX_TITLE, help_text="The exact title; a comma is a part of it.")
    author = IntegerFilter(
        "contributions__author",
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
        "editions__publisher", help_text="The id of a publisher of one of its editions."
    )
    language = _languages()
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
        "editions__isbn13", help_text="The ISBN of one of its editions, with 10 or 13 digits."
    )
    identifier = IdentifierFilter(
        "editions__identifiers__value",
        help_text="A scheme and what it calls one of the editions, as `oclc:1234567`.",
    )
    openlibrary_key = CodeFilter(
        validators=Book._meta.get_field("openlibrary_key").validators,
        help_text="The Open Library's key of the work, as OL27482W.",
    )
    exact_language = _exact_languages()

    def by_contribution(
        self, queryset: QuerySet[Book], name: str, value: Sequence[object]
    ) -> QuerySet[Book]:
        # Of the same contribution: the first of the two asks for both.
        authors, roles = (self.form.cleaned_data.get(each) or [] for each in ("author", "role"))
        if not value or (authors and name == "role"):
            return queryset
        contributions = Contribution.objects.all()
        if roles:
            contributions = contributions.filter(role__in=roles)
        rows = RelatedRows(contributions, "book", "author")
        return queryset.filter(rows.has_one_of(authors) if authors else rows.has())


class ContributionFilter(ListFilterSet):
    author = IntegerFilter("author", help_text="The id of the author.")
    role = ChoiceFilter(choices=Role.choices, help_text="The role in which the author contributed.")


class EditionFilter(ListFilterSet):
    isbn = ISBNFilter("isbn13", help_text="The ISBN, with 10 or 13 digits.")
    identifier = IdentifierFilter(
        "identifiers__value", help_text="A scheme and what it calls the edition, as `oclc:1234567`."
    )
    publisher = IntegerFilter("publisher", help_text="The id of its publisher.")
    # `format` itself is the answer's: `?format=json`.
    edition_format = ChoiceFilter(
        field_name="format",
        choices=Format.choices,
        help_text="The format in which the edition was published.",
    )
    language = _languages()
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
    exact_language = _exact_languages()


class SeriesFilter(RootFilterSet):
    name = NameFilter(max_length=300, help_text="The exact name; a comma is a part of it.")


class PublisherFilter(RootFilterSet):
    name = FoldedNameFilter(
        max_length=300, help_text="The exact name, in upper or lower case; a comma is a part of it."
    )


class SubjectFilter(RootFilterSet):
    name = FoldedNameFilter(
        max_length=200, help_text="The exact name, in upper or lower case; a comma is a part of it."
    )
    slug = NameFilter(max_length=200, help_text="The exact slug.")


class IdentifierFilterSet(ListFilterSet):
    scheme = CodeFilter(max_length=MAX_SCHEME, help_text="Whose number it is, as `oclc`.")
