"""Books and what goes with them: columns, and the rules that the database keeps.

Authors, series, publishers and subjects are shared by books; contributions and editions are owned
by one book, and live and die with it.
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import BigIntegerField, CharField, IntegerField, Q, Value
from django.db.models.functions import Cast, Lower, Mod, Substr
from django.db.models.lookups import Exact

from authors.models import Author
from project.api.files import OwnedFileField
from project.api.models import (
    YEAR,
    AggregateRoot,
    AnyRow,
    FoldedFrom,
    Made,
    MadeFrom,
    NameField,
    NumberedFrom,
    PartialDateField,
    SlugMadeFrom,
    Start,
    StartOf,
    is_partial_date,
    not_blank,
    year_in_range,
)
from project.api.search.entries import SearchEntry, SearchIndex
from project.api.search.words import words_of

from .identifiers import ISBN_SCHEMES, MAX_SCHEME, MAX_VALUE, SCHEME, normalize_identifier
from .isbn import normalize_isbn
from .languages import PrimarySubtag, validate_language
from .publication_dates import MAX_LENGTH, first_year, validate_publication_date
from .titles import sort_title

MAX_TITLE = 2_000


class SortTitle(MadeFrom):
    """The title as it is filed, made from it and the work's language when left empty."""

    make = staticmethod(sort_title)


class PublicationDate(Made, NameField):
    """A date that has its year in a column beside it, by which it is sorted and asked for.

    The two are twins: the one that differs from what is stored wins.
    """

    def value_of(self, instance: AnyRow, stored: AnyRow = None) -> Any:
        text, year = instance.first_published, instance.first_published_year
        changes = stored is None or text != stored.first_published
        if changes or not text or year == stored.first_published_year:
            return text
        return text if first_year(text) == year else ""


class PublicationYear(Made, models.SmallIntegerField):  # type: ignore[type-arg]
    """The year that the date beside it begins with; alone where there is none."""

    def value_of(self, instance: AnyRow, stored: AnyRow = None) -> Any:
        text, year = instance.first_published, instance.first_published_year
        before = None if stored is None else stored.first_published_year
        return first_year(text) if text and year == before else year

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        year = super().pre_save(model_instance, add)
        if year is None:
            year = self.value_of(model_instance)
            setattr(model_instance, self.attname, year)
        return year


class Publisher(AggregateRoot):
    """Who publishes editions. Its name is unique, whatever its case."""

    is_mergeable = True

    name = NameField(max_length=300, help_text="Unique, whatever the case of its letters.")
    name_folded = FoldedFrom(source="name", max_length=900, unique=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = not_blank("name", model="publisher")
        indexes = [
            # With what `updated_since` looks for along the list's own order.
            models.Index(fields=["name", "id", "updated_at"], name="publisher_by_name"),
            models.Index(fields=["created_at", "id"], name="publisher_by_created_at"),
            models.Index(fields=["updated_at", "id"], name="publisher_by_updated_at"),
        ]

    def __str__(self) -> str:
        return self.name


class PublisherSearch(SearchEntry):
    entry_of = SearchEntry.key(Publisher)
    index = SearchIndex(titles=("name",))


class Series(AggregateRoot):
    """What books belong to, each at a position or none."""

    is_mergeable = True

    name = NameField(max_length=300)

    class Meta:
        ordering = ["name", "id"]
        verbose_name_plural = "series"
        constraints = not_blank("name", model="series")
        indexes = [
            # With what `updated_since` looks for along the list's own order.
            models.Index(fields=["name", "id", "updated_at"], name="series_by_name"),
            models.Index(fields=["created_at", "id"], name="series_by_created_at"),
            models.Index(fields=["updated_at", "id"], name="series_by_updated_at"),
        ]

    def __str__(self) -> str:
        return self.name


class SeriesSearch(SearchEntry):
    entry_of = SearchEntry.key(Series)
    index = SearchIndex(titles=("name",))


class Subject(AggregateRoot):
    """What books are about. Its name is unique, whatever its case."""

    is_mergeable = True

    name = NameField(max_length=200, help_text="Unique, whatever the case of its letters.")
    name_folded = FoldedFrom(source="name", max_length=600, unique=True)
    slug = SlugMadeFrom(
        source="name",
        max_length=200,
        unique=True,
        help_text="Made from the name when left out, and then made anew when it changes: “Science"
        " fiction” has “science-fiction”; with a number where another subject has it already.",
    )

    class Meta:
        ordering = ["name", "id"]
        constraints = not_blank("name", "slug", model="subject")
        indexes = [
            # With what `updated_since` looks for along the list's own order.
            models.Index(fields=["name", "id", "updated_at"], name="subject_by_name"),
            models.Index(fields=["created_at", "id"], name="subject_by_created_at"),
            models.Index(fields=["updated_at", "id"], name="subject_by_updated_at"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not self.slug and not SlugMadeFrom.make(self.name):
            message = "A subject's name has a letter or a digit."
            raise ValidationError({"name": ValidationError(message, "no_slug")})


class SubjectSearch(SearchEntry):
    entry_of = SearchEntry.key(Subject)
    index = SearchIndex(titles=("name",), more=("slug",))


class Book(AggregateRoot):
    """A work, whatever its editions: “The Hobbit”, first published in 1937."""

    title = NameField(max_length=MAX_TITLE)
    title_start = StartOf(source="title")
    subtitle = NameField(max_length=MAX_TITLE, blank=True)
    sort_title = SortTitle(
        source="title",
        also=["language", "original_title"],
        max_length=500,
        help_text="How the title is filed, “Hobbit, The”; made from the title by the articles of"
        " the language when left empty, and then made anew when they change.",
    )
    original_title = NameField(max_length=MAX_TITLE, blank=True)
    language = models.CharField(
        max_length=35,
        null=True,
        blank=True,
        validators=[validate_language],
        help_text="The language it was written in, a BCP 47 tag such as `en` or `grc`.",
    )
    first_published = PublicationDate(
        max_length=MAX_LENGTH,
        blank=True,
        validators=[validate_publication_date],
        help_text="If there is more or less to say than a year: `1850-06-15`, `1850~` (about),"
        " `1850?` (perhaps), `18XX`, `1850/1860`, `1850/..` (EDTF, level 1; 750 BCE is `-0749`).",
    )
    first_published_year = PublicationYear(
        null=True,
        blank=True,
        validators=YEAR,
        help_text="BCE years are negative. Made from `first_published`, if that is given alone.",
    )
    description = models.TextField(max_length=20_000, blank=True)
    series = models.ForeignKey(
        Series,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="books",
        # An index below begins with it.
        db_index=False,
    )
    series_position = NameField(
        max_length=100, blank=True, help_text="Text, since real ones are `3.5` and `1-3`."
    )
    # Twelve characters for two, where each second one is a digit.
    series_order = NumberedFrom(source="series_position", max_length=700)
    subjects = models.ManyToManyField(Subject, blank=True, related_name="books")
    authors = models.ManyToManyField(
        Author, through="books.Contribution", blank=True, related_name="books"
    )
    openlibrary_key = models.CharField(
        max_length=20,
        null=True,
        blank=True,
        validators=[RegexValidator(r"^OL[1-9][0-9]*W\Z", "A work's key looks like OL27482W.")],
        help_text="The Open Library's key of this work, as OL27482W.",
    )

    class Meta:
        ordering = ["sort_title", "id"]
        constraints = [
            *not_blank("title", "sort_title", "language", "openlibrary_key", model="book"),
            # By `unique=True` PostgreSQL would get a second index, for LIKE.
            models.UniqueConstraint(fields=["openlibrary_key"], name="book_once_per_key"),
            year_in_range("first_published_year", name="book_year_in_range"),
            models.CheckConstraint(
                condition=Q(first_published="") | Q(first_published_year__isnull=False),
                name="book_first_published_has_year",
            ),
        ]
        indexes = [
            # With what `updated_since` looks for along the list's own order.
            models.Index(fields=["sort_title", "id", "updated_at"], name="book_by_sort_title"),
            models.Index(fields=["title_start", "id"], name="book_by_title"),
            models.Index(fields=["series_order", "id"], name="book_by_series_order"),
            models.Index(fields=["series", "series_order", "id"], name="book_in_series"),
            # Most books are in none.
            models.Index(
                fields=["sort_title", "id"],
                condition=Q(series__isnull=True),
                name="book_without_series",
            ),
            models.Index(fields=["first_published_year", "id"], name="book_by_year"),
            # Filters with so many books a value that they had better come in a list's own order.
            models.Index(Start("title"), "sort_title", "id", name="book_by_whole_title"),
            models.Index(
                PrimarySubtag("language"), "sort_title", "id", "language", name="book_by_language"
            ),
            models.Index(
                fields=["first_published_year", "sort_title", "id"], name="book_by_year_and_title"
            ),
            models.Index(fields=["created_at", "id"], name="book_by_created_at"),
            models.Index(fields=["updated_at", "id"], name="book_by_updated_at"),
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        text, year = self.first_published, self.first_published_year
        if text and (first := first_year(text)) != year:
            message = f"It begins with {first}, and “first_published_year” is {year}."
            raise ValidationError(
                {"first_published": ValidationError(message, "conflicting_values")}
            )


class BookSearch(SearchEntry):
    """Its titles, then the series and all who contributed, by all their names."""

    entry_of = SearchEntry.key(Book)
    index = SearchIndex(
        titles=("title", "original_title"),
        more=(
            "subtitle",
            "sort_title",
            "series__name",
            "contributions__credited_as",
            "contributions__author__name",
            "contributions__author__sort_name",
            "contributions__author__other_names__name",
            "contributions__author__other_names__sort_name",
        ),
    )


class Role(models.TextChoices):
    AUTHOR = "author"
    EDITOR = "editor"
    TRANSLATOR = "translator"
    ILLUSTRATOR = "illustrator"
    INTRODUCTION = "introduction"
    FOREWORD = "foreword"
    AFTERWORD = "afterword"
    NARRATOR = "narrator"
    CONTRIBUTOR = "contributor"
    PHOTOGRAPHER = "photographer"
    COMPILER = "compiler"
    ANNOTATOR = "annotator"
    COMMENTATOR = "commentator"
    OTHER = "other"


class Contribution(models.Model):
    """Who did what for a book. Owned by the book; `position` is its place among the book's."""

    # Their indexes are those below, which begin with them.
    book = models.ForeignKey(
        Book, on_delete=models.CASCADE, related_name="contributions", db_index=False
    )
    author = models.ForeignKey(
        Author, on_delete=models.PROTECT, related_name="contributions", db_index=False
    )
    role = models.CharField(max_length=20, choices=Role, default=Role.AUTHOR)
    other_role = NameField(
        max_length=100, blank=True, help_text="What the role is, in words, if it is `other`."
    )
    position = models.PositiveSmallIntegerField(default=0, help_text="0 is the first.")
    credited_as = NameField(
        max_length=300, blank=True, help_text="The name on the title page, if it is another one."
    )

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["book", "author", "role"],
                name="contribution_once_per_role",
                violation_error_message="This author has this role in this book already.",
            ),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="contribution_role_is_known"
            ),
            models.CheckConstraint(
                condition=Q(other_role="") | Q(role="other"), name="contribution_other_role"
            ),
        ]
        indexes = [
            models.Index(fields=["book", "position"], name="contribution_in_order"),
            models.Index(fields=["author", "role", "book"], name="contribution_by_author"),
        ]

    def __str__(self) -> str:
        role = self.other_role or self.get_role_display().lower()
        return f"{self.author}, {role} of “{self.book}”"

    def carry_over(self, gone: Author, survivor: Author) -> dict[str, str]:
        """What it gets when its author is merged into another: the title page has the old name.

        That is noted unless it is the same words, as in “J.R.R. Tolkien” and “Tolkien, J. R. R.”.
        """
        if self.credited_as or words_of(gone.name) == words_of(survivor.name):
            return {}
        return {"credited_as": gone.name}

    def clean(self) -> None:
        if self.other_role and self.role != Role.OTHER:
            message = "The role is one of its own. Say “other”, or leave this empty."
            raise ValidationError({"other_role": ValidationError(message, "conflicting_values")})


def _isbn_checksum() -> Mod:
    """The weighted sum of the 13 digits, modulo 10; 0 where the check digit is right."""
    digits = [
        Cast(Substr("isbn13", place), IntegerField())
        if place == 13
        else Cast(Substr("isbn13", place, 1), IntegerField())
        for place in range(1, 14)
    ]
    weighted = sum((digit * (1 + 2 * (i % 2)) for i, digit in enumerate(digits)), Value(0))
    return Mod(weighted, Value(10), output_field=IntegerField())


class Format(models.TextChoices):
    HARDCOVER = "hardcover"
    PAPERBACK = "paperback"
    MASS_MARKET = "mass_market"
    EBOOK = "ebook"
    AUDIOBOOK = "audiobook"
    OTHER = "other"


class Edition(models.Model):
    """One publication of a book. Owned by the book."""

    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="editions")
    isbn13 = models.CharField(
        "ISBN",
        max_length=13,
        null=True,
        blank=True,
        help_text="13 digits; ISBN-10 and hyphens are taken too.",
    )
    publisher = models.ForeignKey(
        Publisher,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="editions",
        # The index below begins with it.
        db_index=False,
    )
    title = NameField(
        max_length=MAX_TITLE, blank=True, help_text="The title on it, if it is not the book's."
    )
    volume = NameField(
        max_length=100, blank=True, help_text="Which part of the book it has, as `1` or `II, 2`."
    )
    format = models.CharField(max_length=20, choices=Format, default=Format.OTHER)
    pages = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100_000)]
    )
    published_on = PartialDateField(
        help_text="As exact as it is known: `1987-06-15`, `1987-06` or `1987`."
    )
    language = models.CharField(
        max_length=35,
        null=True,
        blank=True,
        validators=[validate_language],
        help_text="The language of this edition, a BCP 47 tag such as `en` or `pt-BR`.",
    )
    cover = OwnedFileField(
        upload_to="covers",
        blank=True,
        help_text="A picture in JPEG, PNG or WebP, of 5 MB and 25 megapixels at most.",
    )
    cover_thumbnail = OwnedFileField(upload_to="covers", blank=True, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            *not_blank("language", model="edition"),
            # By `unique=True` PostgreSQL would get a second index, for LIKE.
            models.UniqueConstraint(fields=["isbn13"], name="edition_once_per_isbn"),
            models.CheckConstraint(condition=Q(pages__gt=0), name="edition_has_pages"),
            is_partial_date("published_on", name="edition_published_on_a_date"),
            models.CheckConstraint(
                condition=Q(format__in=Format.values), name="edition_format_is_known"
            ),
            models.CheckConstraint(
                # 13 digits that start with 978 or 979, whatever the engine thinks of text.
                condition=Q(
                    isbn13=Cast(Cast("isbn13", BigIntegerField()), CharField(max_length=13))
                )
                & Q(isbn13__gte="9780000000000")
                & Q(isbn13__lte="9799999999999")
                # An ISMN, which is printed music's.
                & ~Q(isbn13__range=("9790000000000", "9790999999999")),
                name="edition_isbn_has_13_digits",
            ),
            models.CheckConstraint(
                condition=Exact(_isbn_checksum(), Value(0)),
                name="edition_isbn_checksum",
            ),
            models.CheckConstraint(
                condition=Q(cover="", cover_thumbnail="") | (~Q(cover="") & ~Q(cover_thumbnail="")),
                name="edition_cover_has_thumbnail",
            ),
        ]
        indexes = [
            models.Index(fields=["publisher", "id"], name="edition_by_publisher"),
        ]

    def __str__(self) -> str:
        return self.isbn13 or f"{self.get_format_display()} edition"

    def clean(self) -> None:
        if self.isbn13:
            self.isbn13 = normalize_isbn(self.isbn13)


class Identifier(models.Model):
    """What others call an edition. Owned by the edition; no two have the same."""

    edition = models.ForeignKey(Edition, on_delete=models.CASCADE, related_name="identifiers")
    scheme = models.CharField(
        max_length=MAX_SCHEME,
        validators=[
            RegexValidator(SCHEME, "A scheme is a word of letters, digits, points and hyphens.")
        ],
        help_text="Whose number it is, as `oclc`, `lccn`, `asin`, `doi`, `ean`, `goodreads`,"
        " `google`, `librarything`, `openlibrary`, or any other word; in small letters.",
    )
    value = NameField(
        max_length=MAX_VALUE,
        help_text="The number, unique within its scheme; it is stored in the scheme's usual form.",
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            *not_blank("scheme", "value", model="identifier"),
            models.CheckConstraint(
                condition=Q(scheme=Lower("scheme")) & ~Q(scheme__in=ISBN_SCHEMES),
                name="identifier_scheme_is_one",
            ),
            models.UniqueConstraint(
                fields=["scheme", "value"],
                name="identifier_once_per_scheme",
                violation_error_message="Another edition has this identifier.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scheme}:{self.value}"

    def clean(self) -> None:
        self.scheme, self.value = normalize_identifier(self.scheme, self.value)
