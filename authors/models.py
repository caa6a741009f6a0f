"""Who contributed to books: columns, and the rules that the database keeps."""

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from project.api.models import YEAR, AggregateRoot, MadeFrom, NameField, not_blank, year_in_range
from project.api.search.entries import SearchEntry, SearchIndex

from .names import sort_name


class Kind(models.TextChoices):
    """What a name stands for."""

    PERSON = "person"
    BODY = "body", "Corporate body"
    PSEUDONYM = "pseudonym", "Pseudonym without a surname"
    COLLECTIVE = "collective", "Several people under one name"


class SortName(MadeFrom):
    """The name as it is filed, made from a name and its kind when left empty."""

    make = staticmethod(sort_name)


class Author(AggregateRoot):
    """A person, or a group under one name, who contributed to books. Names are not unique."""

    is_mergeable = True

    name = NameField(max_length=300)
    sort_name = SortName(
        source="name",
        also=["kind"],
        max_length=300,
        help_text="As the name is filed, “Le Guin, Ursula K.”; made from name and kind when left"
        " empty, and then made anew when they change.",
    )
    kind = models.CharField(
        max_length=20,
        choices=Kind,
        null=True,
        blank=True,
        help_text="What the name stands for, if it is known. A person is filed by surname; what a"
        " body, a collective, or a pseudonym such as “Mo Yan” is called is filed as it is.",
    )
    birth_year = models.SmallIntegerField(
        null=True, blank=True, validators=YEAR, help_text="BCE years are negative."
    )
    death_year = models.SmallIntegerField(
        null=True,
        blank=True,
        validators=YEAR,
        help_text="BCE years are negative; not before the year of birth.",
    )
    openlibrary_key = models.CharField(
        max_length=20,
        null=True,
        blank=True,
        validators=[RegexValidator(r"^OL[1-9][0-9]*A\Z", "An author's key looks like OL26320A.")],
        help_text="The Open Library's key of this author, as OL26320A.",
    )

    class Meta:
        ordering = ["sort_name", "id"]
        constraints = [
            *not_blank("name", "sort_name", "openlibrary_key", model="author"),
            # By `unique=True` PostgreSQL would get a second index, for LIKE.
            models.UniqueConstraint(fields=["openlibrary_key"], name="author_once_per_key"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="author_kind_is_known"),
            year_in_range("birth_year", name="author_birth_year_in_range"),
            year_in_range("death_year", name="author_death_year_in_range"),
            models.CheckConstraint(
                condition=Q(death_year__gte=F("birth_year")),
                name="author_dies_after_birth",
                violation_error_message="The year of death is before the year of birth.",
            ),
        ]
        indexes = [
            # With what `updated_since` looks for along the list's own order.
            models.Index(fields=["sort_name", "id", "updated_at"], name="author_by_sort_name"),
            models.Index(fields=["name", "id"], name="author_by_name"),
            models.Index(fields=["birth_year", "id"], name="author_by_birth_year"),
            # So many authors are born in a year that they had better come in the list's own order.
            models.Index(
                fields=["birth_year", "sort_name", "id"], name="author_by_birth_year_and_name"
            ),
            models.Index(fields=["death_year", "id"], name="author_by_death_year"),
            models.Index(fields=["created_at", "id"], name="author_by_created_at"),
            models.Index(fields=["updated_at", "id"], name="author_by_updated_at"),
        ]

    def __str__(self) -> str:
        return self.name

    def take_over(self, gone: "Author") -> list[models.Model]:
        """The rows that it gets when another author is merged into it: that one's name, unless it
        has that already."""
        names = {self.name, *self.other_names.values_list("name", flat=True)}
        if gone.name in names:
            return []
        return [OtherName(author=self, name=gone.name, sort_name=gone.sort_name)]

    def clean(self) -> None:
        born, died = self.birth_year, self.death_year
        if born is not None and died is not None and died < born:
            message = "The year of death is before the year of birth."
            raise ValidationError({"death_year": ValidationError(message, "dies_before_birth")})


class AuthorSearch(SearchEntry):
    entry_of = SearchEntry.key(Author)
    index = SearchIndex(
        titles=("name",), more=("sort_name", "other_names__name", "other_names__sort_name")
    )


class OtherName(models.Model):
    """Another name of an author: a pseudonym, another spelling or script. Owned by the author."""

    # The index of the constraint begins with it.
    author = models.ForeignKey(
        Author, on_delete=models.CASCADE, related_name="other_names", db_index=False
    )
    name = NameField(max_length=300)
    sort_name = SortName(
        source="name",
        max_length=300,
        help_text="As the name is filed; made from the name when left empty, and then made anew"
        " when it changes.",
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            *not_blank("name", "sort_name", model="other_name"),
            models.UniqueConstraint(
                fields=["author", "name"],
                name="other_name_once_per_author",
                violation_error_message="This author has this name already.",
            ),
        ]
        indexes = [models.Index(fields=["name"], name="other_name_by_name")]

    def __str__(self) -> str:
        return self.name


class AuthorProfile(models.Model):
    """What there is to say about an author. Owned by the author: it lives and dies with it."""

    author = models.OneToOneField(Author, on_delete=models.CASCADE, related_name="profile")
    biography = models.TextField(max_length=20_000, blank=True)
    website = models.URLField(max_length=500, null=True, blank=True)

    class Meta:
        constraints = not_blank("website", model="profile")

    def __str__(self) -> str:
        return f"Profile of {self.author}"
