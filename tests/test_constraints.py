"""Does the database itself keep the rules of the catalogue, whoever writes past the validators?"""

from uuid import UUID

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, models, transaction

from authors.models import Author, AuthorProfile, OtherName
from books.models import Book, Contribution, Edition, Identifier, Publisher, Series, Subject
from tests.catalogue import isbn

pytestmark = pytest.mark.django_db

# What the database refuses, by the constraint that stands for the rule
REFUSED = {
    "author_name_not_blank": (Author, {"name": ""}),
    "author_sort_name_not_blank": (Author, {"sort_name": ""}),
    "author_openlibrary_key_not_blank": (Author, {"openlibrary_key": ""}),
    "author_kind_is_known": (Author, {"kind": "ghost"}),
    "author_birth_year_in_range": (Author, {"birth_year": 0}),
    "author_death_year_in_range": (Author, {"death_year": 10_000}),
    "author_dies_after_birth": (Author, {"birth_year": -406, "death_year": -496}),
    "other_name_name_not_blank": (OtherName, {"name": ""}),
    "other_name_sort_name_not_blank": (OtherName, {"sort_name": ""}),
    "profile_website_not_blank": (AuthorProfile, {"website": ""}),
    "publisher_name_not_blank": (Publisher, {"name": ""}),
    "series_name_not_blank": (Series, {"name": ""}),
    "subject_name_not_blank": (Subject, {"name": ""}),
    "subject_slug_not_blank": (Subject, {"slug": ""}),
    "book_title_not_blank": (Book, {"title": ""}),
    "book_sort_title_not_blank": (Book, {"sort_title": ""}),
    "book_language_not_blank": (Book, {"language": ""}),
    "book_openlibrary_key_not_blank": (Book, {"openlibrary_key": ""}),
    "book_year_in_range": (Book, {"first_published_year": -10_000}),
    "book_first_published_has_year": (Book, {"first_published": "1850~"}),
    "contribution_role_is_known": (Contribution, {"role": "baker"}),
    "contribution_other_role": (Contribution, {"other_role": "gaffer"}),
    "identifier_scheme_not_blank": (Identifier, {"scheme": ""}),
    "identifier_value_not_blank": (Identifier, {"value": ""}),
    "identifier_scheme_is_one": (Identifier, {"scheme": "OCLC"}),
    "edition_language_not_blank": (Edition, {"language": ""}),
    "edition_cover_has_thumbnail": (Edition, {"cover": "covers/a.jpg"}),
    "edition_has_pages": (Edition, {"pages": 0}),
    "edition_format_is_known": (Edition, {"format": "papyrus"}),
    "edition_isbn_checksum": (Edition, {"isbn13": "9780261102218"}),
}
# What it takes from whoever has none of it yet, and from nobody a second time
UNIQUE = [
    *((model, {"uid": UUID(int=1)}) for model in (Author, Publisher, Series, Subject, Book)),
    (Author, {"openlibrary_key": "OL1A"}),
    (Publisher, {"name_folded": "gollancz"}),
    (Subject, {"slug": "myth"}),
    (Subject, {"name_folded": "myth"}),
    (Book, {"openlibrary_key": "OL1W"}),
    (Edition, {"isbn13": isbn(1)}),
    (Identifier, {"scheme": "oclc", "value": "1"}),
    (AuthorProfile, {"author_id": 1}),
    (OtherName, {"author_id": 1, "name": "Saki"}),
    (Contribution, {"book_id": 1, "author_id": 1, "role": "author"}),
]
# What only looks as if it broke a rule
TAKEN = [
    (Edition, {"cover": "covers/a.jpg", "cover_thumbnail": "covers/b.jpg"}),
    (Author, {"birth_year": -9999, "death_year": -1}),
    (Author, {"birth_year": 9999, "death_year": 9999}),
    (Author, {"birth_year": None, "death_year": -406}),
    (Book, {"first_published_year": -800}),
    (Edition, {"isbn13": "9780261102217", "pages": 1}),
    (Edition, {"isbn13": "9791032702284"}),
    (Edition, {"isbn13": None, "pages": None, "language": None}),
]


@pytest.fixture
def rows(db):
    """Two of everything, which belong together."""
    for pk in (1, 2):
        author = Author.objects.create(id=pk, name=f"Author {pk}")
        AuthorProfile.objects.create(id=pk, author=author)
        OtherName.objects.create(id=pk, author=author, name="Other")
        Series.objects.create(id=pk, name=f"Series {pk}")
        Subject.objects.create(id=pk, name=f"Subject {pk}")
        Publisher.objects.create(id=pk, name=f"Publisher {pk}")
        book = Book.objects.create(id=pk, title=f"Book {pk}")
        Contribution.objects.create(id=pk, book=book, author=author)
        edition = Edition.objects.create(id=pk, book=book)
        Identifier.objects.create(id=pk, edition=edition, scheme="a", value=f"{pk}")


def put(model, pk, values):
    """Store these values as they are: an update asks no validator and no field."""
    with transaction.atomic():
        model.objects.filter(pk=pk).update(**values)


@pytest.mark.parametrize("name", REFUSED)
def test_what_breaks_a_rule_is_not_stored(rows, name):
    model, values = REFUSED[name]
    with pytest.raises(IntegrityError, match=name):
        put(model, 1, values)


@pytest.mark.parametrize(
    "number",
    [
        *("9780261102", "97802611022170", "978026110221X", "978-0261102217", " 9780261102217"),
        *("9770261102210", "9800261102214", "+780261102217", "٩٧٨٠٢٦١١٠٢٢١٧", "", "0"),
        "9790060115615",
    ],
)
def test_what_has_not_the_form_of_an_isbn_is_not_stored(rows, number):
    # Too long a text is an error of another kind on PostgreSQL, and so is one that is no number.
    with pytest.raises(DatabaseError):
        put(Edition, 1, {"isbn13": number})


NO_DATES = [
    *("0", "198", "19870", "1987-", "1987-6", "1987-00", "1987-13", "1987-06-", "1987-06-1"),
    *("1987-06-00", "1987-06-31", "1987-02-29", "1900-02-29", "0000", "0000-01-01"),
    *(
        "1987-06-151",
        "198X",
        "١٩٨٧",
        "-987",
        " 987",
        "1987/06",
        "19870615",
        "1987-W05-6",
        "1987-02-30",
    ),
]


@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_no_date_is_not_stored(rows, text):
    with pytest.raises(ValidationError):
        Edition._meta.get_field("published_on").run_validators(text)
    with pytest.raises(IntegrityError):
        put(Edition, 1, {"published_on": ""})
    # Too long a text is an error of another kind on PostgreSQL.
    with pytest.raises(DatabaseError):
        put(Edition, 1, {"published_on": text})


DATES = ["0001", "1987", "1987-06", "1987-12-31", "2000-02-29", "1904-02-29", "0004-02-29", "9999"]


@pytest.mark.parametrize("text", DATES)
def test_a_date_is_stored_as_exact_as_it_is(rows, text):
    Edition._meta.get_field("published_on").run_validators(text)
    put(Edition, 1, {"published_on": text})


@pytest.mark.parametrize(("model", "values"), UNIQUE)
def test_what_is_unique_is_stored_once(rows, model, values):
    put(model, 1, values)
    with pytest.raises(IntegrityError):
        put(model, 2, values)


@pytest.mark.parametrize(("model", "values"), TAKEN)
def test_what_keeps_the_rules_is_stored(rows, model, values):
    put(model, 1, values)
    assert model.objects.filter(pk=1).values(*values).get() == values


def test_every_constraint_is_broken_above():
    declared = {
        constraint.name
        for app in ("authors", "books")
        for model in apps.get_app_config(app).get_models()
        for constraint in model._meta.constraints
        if isinstance(constraint, models.CheckConstraint)
    }
    # The forms of an ISBN and of a date have tests of their own.
    of_forms = {"edition_isbn_has_13_digits", "edition_published_on_a_date"}
    assert declared - of_forms == REFUSED.keys()
    unique = [
        (model, {model._meta.get_field(name).attname for name in names})
        for app in ("authors", "books")
        for model in apps.get_app_config(app).get_models()
        for names in [
            *([f.name] for f in model._meta.concrete_fields if f.unique and not f.primary_key),
            *(constraint.fields for constraint in model._meta.total_unique_constraints),
        ]
    ]
    tried = [(model, {*values}) for model, values in UNIQUE]
    assert [each for each in unique if each not in tried] == []
