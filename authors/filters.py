"""What the list of authors can be asked."""

from project.api.filters import CodeFilter, IntegerFilter, NameFilter, RootFilterSet

from .models import Author


class AuthorFilter(RootFilterSet):
    name = NameFilter(max_length=300, help_text="The exact name; a comma is a part of it.")
    birth_year = IntegerFilter(help_text="Born in this year; years BCE are negative.")
    birth_year_min = IntegerFilter("birth_year", "gte", help_text="Born in this year or later.")
    birth_year_max = IntegerFilter("birth_year", "lte", help_text="Born in this year or earlier.")
    death_year = IntegerFilter(help_text="Died in this year; years BCE are negative.")
    death_year_min = IntegerFilter("death_year", "gte", help_text="Died in this year or later.")
    death_year_max = IntegerFilter("death_year", "lte", help_text="Died in this year or earlier.")
    openlibrary_key = CodeFilter(
        validators=Author._meta.get_field("openlibrary_key").validators,
        help_text="The Open Library's key of the author, as OL26320A.",
    )
