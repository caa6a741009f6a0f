"""Can a librarian keep the catalogue in the admin?"""

from unicodedata import normalize

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models.fields.files import FieldFile
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from auth_api.models import User
from authors.models import Author, AuthorProfile
from books.models import Book, Contribution, Edition, Identifier, Publisher, Series, Subject

pytestmark = pytest.mark.django_db


def isbn(number):
    digits = f"978{number:09}"
    check = -sum(int(digit) * (1 + 2 * (i % 2)) for i, digit in enumerate(digits)) % 10
    return f"{digits}{check}"


def browser(role, name="mary"):
    """The browser of someone with this role, logged in."""
    client = Client()
    client.force_login(
        User.objects.create_user(username=name, email=f"{name}@example.org", role=role)
    )
    return client


@pytest.fixture
def desk(db):
    return browser("librarian")


def changelist(model):
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def add_page(model):
    return f"{changelist(model)}add/"


def page(row):
    return f"{changelist(type(row))}{row.pk}/change/"


def filled_in(response):
    """What a browser sends for the forms of this page if nobody touches them."""
    assert response.status_code == 200
    forms = [response.context["adminform"].form]
    for inline in response.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    fields = {field.html_name: field.value() for form in forms for field in form}
    return {
        name: value.replace("\n", "\r\n") if isinstance(value, str) else value
        for name, value in fields.items()
        # An input for a file sends what is chosen there, and never what is stored.
        if value is not None and value is not False and not isinstance(value, FieldFile)
    }


def save(desk, url, **changes):
    """Open this page, change these inputs, press Save."""
    return desk.post(url, filled_in(desk.get(url)) | changes)


def saved(response):
    if response.status_code != 302:
        raise AssertionError(errors(response))
    return True


def errors(response):
    """Everything the page complains about, by the name of the input."""
    assert response.status_code == 200
    form = response.context["adminform"].form
    found = {form.add_prefix(name): list(texts) for name, texts in form.errors.items()}
    for inline in response.context["inline_admin_formsets"]:
        for row in inline.formset.forms:
            found |= {row.add_prefix(name): list(texts) for name, texts in row.errors.items()}
        if texts := inline.formset.non_form_errors():
            found[inline.formset.prefix] = list(texts)
    return found


def row(prefix, number, **values):
    """The inputs of one row of an inline."""
    return {f"{prefix}-{number}-{name}": value for name, value in values.items()}


def listed(response):
    assert response.status_code == 200
    return [str(row) for row in response.context["cl"].result_list]


@pytest.fixture
def hobbit(db):
    tolkien = Author.objects.create(name="J. R. R. Tolkien", birth_year=1892)
    lee = Author.objects.create(name="Alan Lee")
    AuthorProfile.objects.create(author=tolkien, biography="A philologist.\nHe wrote.")
    book = Book.objects.create(
        title="The Hobbit",
        language="en",
        description="There.\nAnd back again.",
        series=Series.objects.create(name="Middle-earth"),
    )
    book.subjects.add(Subject.objects.create(name="Fantasy"))
    Contribution.objects.create(book=book, author=tolkien, position=0)
    Contribution.objects.create(book=book, author=lee, role="illustrator", position=1)
    publisher = Publisher.objects.create(name="Allen & Unwin")
    Edition.objects.create(book=book, isbn13="9780547928227", publisher=publisher, pages=310)
    return book


# Lists


def fill(number):
    """This many rows of everything, each with as much beside it."""
    for n in range(number):
        author = Author.objects.create(name=f"Author {n}")
        AuthorProfile.objects.create(author=author)
        series = Series.objects.create(name=f"Series {n}")
        publisher = Publisher.objects.create(name=f"Publisher {n}")
        book = Book.objects.create(title=f"Book {n}", series=series)
        book.subjects.add(Subject.objects.create(name=f"Subject {n}"))
        Contribution.objects.create(book=book, author=author)
        Edition.objects.create(book=book, publisher=publisher)


@pytest.mark.parametrize("rows", [2, 30])
@pytest.mark.parametrize(
    ("model", "queries"),
    # The session, the user, the number of rows, the rows; for books, who wrote them.
    [(Author, 4), (Series, 4), (Publisher, 4), (Subject, 4), (Book, 5)],
)
def test_a_list_costs_the_same_however_long_it_is(desk, model, queries, rows):
    fill(rows)
    with CaptureQueriesContext(connection) as counted:
        response = desk.get(changelist(model))
    assert len(listed(response)) == rows
    assert len(counted) == queries, [query["sql"] for query in counted]


def test_the_list_of_books_shows_who_wrote_them(desk, hobbit):
    response = desk.get(changelist(Book))
    assert "J. R. R. Tolkien" in response.text
    assert "Alan Lee" not in response.text


def test_lists_stand_in_filing_order(desk):
    for name in ["Ursula K. Le Guin", "Jane Austen"]:
        Author.objects.create(name=name)
    for title in ["The Hobbit", "Emma", "A Room with a View"]:
        Book.objects.create(title=title, language="en")
    assert listed(desk.get(changelist(Author))) == ["Jane Austen", "Ursula K. Le Guin"]
    assert listed(desk.get(changelist(Book))) == ["Emma", "The Hobbit", "A Room with a View"]


@pytest.mark.parametrize(
    ("model", "words", "found"),
    [
        (Author, "tolk", ["J. R. R. Tolkien"]),
        (Author, "tolkien, j", ["J. R. R. Tolkien"]),
        (Author, "nobody", []),
        (Book, "hobb", ["The Hobbit"]),
        (Book, "tolkien hobbit", ["The Hobbit"]),
        (Book, "978-0-547-92822-7", ["The Hobbit"]),
        (Book, "054792822X", ["The Hobbit"]),
        (Book, "978-0-261-10295-6", []),
        (Book, "dune", []),
        (Book, "lee tolkien", ["The Hobbit"]),
        (Series, "earth", ["Middle-earth"]),
        (Publisher, "unwin", ["Allen & Unwin"]),
        (Subject, "fant", ["Fantasy"]),
    ],
)
def test_search_finds_what_a_librarian_types(desk, hobbit, model, words, found):
    Book.objects.create(title="Emma")
    assert listed(desk.get(changelist(model), {"q": words})) == found


@pytest.mark.parametrize(
    ("model", "query", "found"),
    [
        (Book, {"role": "illustrator"}, ["The Hobbit"]),
        (Book, {"role": "translator"}, []),
        (Book, {"format": "other"}, ["The Hobbit"]),
        (Book, {"language__isempty": "1"}, ["Emma"]),
        (Book, {"series__isempty": "1"}, ["Emma"]),
        (Book, {"updated_at__gte": "2000-01-01 00:00:00+00:00"}, ["Emma", "The Hobbit"]),
        (Author, {"birth_year__isempty": "1"}, ["Alan Lee"]),
        (Author, {"openlibrary_key__isempty": "0"}, []),
        (Publisher, {"created_at__lt": "2000-01-01 00:00:00+00:00"}, []),
    ],
)
def test_filters_narrow_a_list(desk, hobbit, model, query, found):
    Book.objects.create(title="Emma")
    assert listed(desk.get(changelist(model), query)) == found


@pytest.mark.parametrize(
    ("source", "field", "term", "found"),
    [
        ("contribution", "author", "tolk", ["J. R. R. Tolkien"]),
        ("edition", "publisher", "allen", ["Allen & Unwin"]),
        ("book", "series", "middle", ["Middle-earth"]),
        ("book", "subjects", "fan", ["Fantasy"]),
    ],
)
def test_relations_are_completed_while_typing(desk, hobbit, source, field, term, found):
    response = desk.get(
        reverse("admin:autocomplete"),
        {"app_label": "books", "model_name": source, "field_name": field, "term": term},
    )
    assert [result["text"] for result in response.json()["results"]] == found


@pytest.mark.parametrize("term", ["\0", "x" * 10_000, "%", "\\", "' OR 1=1"])
def test_odd_terms_complete_to_nothing(desk, hobbit, term):
    response = desk.get(
        reverse("admin:autocomplete"),
        {"app_label": "books", "model_name": "book", "field_name": "subjects", "term": term},
    )
    assert response.json() == {"results": [], "pagination": {"more": False}}


# Adding


def test_a_book_is_added_with_all_it_owns(desk, hobbit):
    tolkien, lee = Author.objects.order_by("id")
    response = save(
        desk,
        add_page(Book),
        title="The Children of Húrin",
        subjects=[hobbit.subjects.get().pk],
        series=hobbit.series.pk,
        **{"contributions-TOTAL_FORMS": "2", "editions-TOTAL_FORMS": "1"},
        **row("contributions", 0, author=lee.pk, role="illustrator", position="1"),
        **row("contributions", 1, author=tolkien.pk, role="author"),
        **row("editions", 0, isbn13="0-00-724622-6", format="hardcover"),
    )
    assert saved(response)
    book = Book.objects.get(sort_title="Children of Húrin, The")
    assert (book.version, book.series, book.language) == (1, hobbit.series, None)
    assert list(book.subjects.all()) == list(hobbit.subjects.all())
    assert list(book.contributions.values_list("author", "role", "position")) == [
        (tolkien.pk, "author", 0),
        (lee.pk, "illustrator", 1),
    ]
    assert list(book.editions.values_list("isbn13", "language")) == [("9780007246229", None)]


def test_an_author_is_added_with_a_profile(desk):
    response = save(
        desk,
        add_page(Author),
        name="Sophocles",
        birth_year="-496",
        **row("profile", 0, biography="A tragedian."),
    )
    assert saved(response)
    author = Author.objects.select_related("profile").get()
    assert (author.sort_name, author.birth_year, author.openlibrary_key, author.version) == (
        "Sophocles",
        -496,
        None,
        1,
    )
    assert (author.profile.biography, author.profile.website) == ("A tragedian.", None)


@pytest.mark.parametrize("model", [Series, Publisher, Subject])
def test_a_name_is_all_that_series_publishers_and_subjects_need(desk, model):
    assert saved(save(desk, add_page(model), name="Science fiction"))
    assert model.objects.get().name == "Science fiction"


def test_a_second_thing_without_a_key_is_no_duplicate(desk):
    for name in ["Sophocles", "Euripides"]:
        assert saved(save(desk, add_page(Author), name=name))
    assert list(Author.objects.values_list("openlibrary_key", flat=True)) == [None, None]


# Changing


@pytest.mark.parametrize("rows", [2, 30])
def test_opening_a_book_costs_the_same_however_much_it_owns(desk, rows):
    book = Book.objects.create(title="An Anthology")
    for n in range(rows):
        Contribution.objects.create(
            book=book, author=Author.objects.create(name=f"Author {n}"), position=n
        )
        Edition.objects.create(
            book=book, isbn13=isbn(n), publisher=Publisher.objects.create(name=f"Publisher {n}")
        )
        book.subjects.add(Subject.objects.create(name=f"Subject {n}"))
    # Looked up once in a process, whoever asks first.
    ContentType.objects.get_for_model(Book)
    with CaptureQueriesContext(connection) as counted:
        response = desk.get(page(book))
    assert response.text.count(" selected>Author ") == rows
    assert response.text.count(" selected>Publisher ") == rows
    assert response.text.count(" selected>Subject ") == rows
    # The session, the user, the book, who wrote it, its subjects (asked for twice),
    # contributions, editions and their identifiers.
    assert len(counted) == 9, [query["sql"] for query in counted]


def test_identifiers_are_kept_one_a_line(desk, hobbit):
    name = "editions-0-identifiers"
    assert saved(save(desk, page(hobbit), **{name: "OCLC:ocm0007\r\n\r\nlccn:2001-2"}))
    assert [str(each) for each in Identifier.objects.order_by("id")] == [
        "oclc:7",
        "lccn:2001000002",
    ]
    assert Book.objects.get().version == 2
    assert saved(save(desk, page(hobbit)))
    assert Book.objects.get().version == 2
    other = Edition.objects.create(book=Book.objects.create(title="Other"))
    other.identifiers.create(scheme="oclc", value="9")
    for text, complaint in (
        ("oclc:9", "Another edition has oclc:9."),
        ("oclc", "An identifier looks like oclc:1234567."),
    ):
        response = save(desk, page(hobbit), **{name: text})
        assert errors(response) == {name: [complaint]}
    assert saved(save(desk, page(hobbit), **{name: "lccn:2001-2\noclc:8"}))
    assert sorted(map(str, hobbit.editions.get().identifiers.all())) == [
        "lccn:2001000002",
        "oclc:8",
    ]
    assert saved(save(desk, page(hobbit), **{"editions-0-DELETE": "on"}))
    assert [str(each) for each in Identifier.objects.all()] == ["oclc:9"]


def test_an_author_has_other_names(desk, hobbit):
    author = Author.objects.get(name="J. R. R. Tolkien")
    changes = {"other_names-TOTAL_FORMS": "1", "other_names-0-name": " John  Tolkien"}
    assert saved(save(desk, page(author), **changes))
    [name] = author.other_names.all()
    assert (name.name, name.sort_name) == ("John Tolkien", "Tolkien, John")


def test_saving_a_book_untouched_changes_nothing(desk, hobbit):
    before = Book.objects.values().get()
    assert saved(save(desk, page(hobbit)))
    assert Book.objects.values().get() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "The Hobbit, or There and Back Again"},
        {"title": "The Hobbit, again", "sort_title": ""},
        {"language": ""},
        {"series": ""},
        {"subjects": []},
        {"editions-0-pages": "320"},
        {"editions-0-isbn13": ""},
        {"editions-0-publisher": ""},
        {"editions-0-DELETE": "on"},
        {"contributions-1-role": "editor"},
        {"contributions-1-DELETE": "on"},
        {"contributions-1-position": "0"},
        {"title": "Hobbit", "editions-0-pages": "1", "contributions-0-position": ""},
    ],
)
def test_each_save_that_changes_a_book_or_what_it_owns_raises_its_version(desk, hobbit, changes):
    assert saved(save(desk, page(hobbit), **changes))
    now = Book.objects.get()
    assert now.version == 2
    assert now.updated_at > hobbit.updated_at


@pytest.mark.parametrize(
    "changes",
    [
        {"sort_title": ""},
        {"title": " The Hobbit "},
        {"editions-0-isbn13": "978-0-547-92822-7"},
        {"editions-0-isbn13": "054792822X"},
        {"contributions-1-position": "99"},
        {"contributions-1-position": ""},
    ],
)
def test_another_way_of_writing_the_same_is_no_change(desk, hobbit, changes):
    before = Book.objects.values().get()
    assert saved(save(desk, page(hobbit), **changes))
    assert Book.objects.values().get() == before


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({}, 1),
        ({"profile-0-website": "https://example.org/"}, 2),
        ({"profile-0-biography": ""}, 2),
        ({"profile-0-DELETE": "on"}, 2),
        ({"death_year": "1973"}, 2),
        ({"sort_name": ""}, 1),
    ],
)
def test_the_profile_counts_as_a_part_of_its_author(desk, hobbit, changes, version):
    author = Author.objects.get(birth_year=1892)
    assert saved(save(desk, page(author), **changes))
    assert Author.objects.get(pk=author.pk).version == version


def test_the_admin_numbers_a_slug_that_is_taken(desk):
    for name in ["C", "C++", "C#"]:
        assert saved(save(desk, add_page(Subject), name=name))
    assert list(Subject.objects.order_by("pk").values_list("slug", flat=True)) == [
        "c",
        "c-2",
        "c-3",
    ]
    sharp = Subject.objects.get(name="C#")
    assert saved(save(desk, page(sharp), name="F#"))
    assert Subject.objects.get(pk=sharp.pk).slug == "f"


def test_the_admin_stores_one_spelling(desk):
    name = "Gabriel  José\u00a0García Márquez"
    assert saved(
        save(
            desk,
            add_page(Author),
            name=normalize("NFD", name),
            **row("profile", 0, biography=normalize("NFD", "Poésie.\r\n\r\nProsa.")),
        )
    )
    author = Author.objects.select_related("profile").get()
    assert (author.name, author.sort_name, author.profile.biography) == (
        "Gabriel José García Márquez",
        "García Márquez, Gabriel José",
        "Poésie.\n\nProsa.",
    )
    assert saved(save(desk, page(author), name=f" {name}"))
    assert Author.objects.get().version == 1


def test_the_admin_files_anew_what_was_made(desk):
    hobbit = Book.objects.create(title="The Hobit")
    assert saved(save(desk, page(hobbit), title="The Hobbit"))
    assert Book.objects.get().sort_title == "Hobbit, The"
    assert saved(save(desk, page(hobbit), sort_title="Hobbit"))
    assert saved(save(desk, page(hobbit), title="The Hobbits"))
    assert Book.objects.get().sort_title == "Hobbit"
    author = Author.objects.create(name="Jane Asten")
    assert saved(save(desk, page(author), name="Jane Austen"))
    assert Author.objects.get().sort_name == "Austen, Jane"
    assert saved(save(desk, page(author), kind="body"))
    assert Author.objects.values_list("sort_name", "kind").get() == ("Jane Austen", "body")


@pytest.mark.parametrize(
    ("changes", "order"),
    [
        ({}, "ABCD"),
        ({"contributions-3-position": "0"}, "DABC"),
        ({"contributions-0-position": "1"}, "BACD"),
        ({"contributions-0-position": "3"}, "BCDA"),
        ({"contributions-0-position": ""}, "BCDA"),
        ({"contributions-0-position": "1", "contributions-1-position": "0"}, "BACD"),
        ({f"contributions-{n}-position": str(3 - n) for n in range(4)}, "DCBA"),
        ({"contributions-1-DELETE": "on"}, "ACD"),
        # A row that goes may hold nonsense.
        ({"contributions-1-DELETE": "on", "contributions-1-position": "first"}, "ACD"),
        ({"contributions-0-DELETE": "on", "contributions-2-position": "0"}, "CBD"),
        ({"contributions-TOTAL_FORMS": "5", "contributions-4-role": "author"}, "ABCDE"),
        (
            {
                "contributions-TOTAL_FORMS": "5",
                "contributions-4-role": "author",
                "contributions-4-position": "1",
            },
            "AEBCD",
        ),
    ],
)
def test_positions_stay_without_holes(desk, changes, order):
    book = Book.objects.create(title="An Anthology")
    for position, name in enumerate("ABCD"):
        author = Author.objects.create(name=name)
        Contribution.objects.create(book=book, author=author, position=position)
    newcomer = Author.objects.create(name="E")
    if "contributions-TOTAL_FORMS" in changes:
        changes = changes | {"contributions-4-author": newcomer.pk}
    assert saved(save(desk, page(book), **changes))
    stored = book.contributions.order_by("position").values_list("position", "author__name")
    assert list(stored) == list(enumerate(order))


def test_a_book_with_200_contributions_can_be_saved(desk):
    book = Book.objects.create(title="An Encyclopaedia")
    authors = Author.objects.bulk_create(
        Author(name=f"Author {n}", sort_name=f"{n}") for n in range(200)
    )
    Contribution.objects.bulk_create(
        Contribution(book=book, author=author, position=n) for n, author in enumerate(authors)
    )
    assert saved(save(desk, page(book), **{"contributions-199-position": "0"}))
    assert book.contributions.first().author == authors[199]
    assert Book.objects.get().version == 2


# What is refused


@pytest.mark.parametrize(
    ("model", "changes", "complaints"),
    [
        (
            Publisher,
            {"name": "ALLEN & UNWIN"},
            {"name": "There is a publisher with this name already."},
        ),
        (
            Subject,
            {"name": "FANTASY"},
            {"name": "There is a subject with this name already."},
        ),
        (
            Subject,
            {"name": "Myth", "slug": "fantasy"},
            {"slug": "Subject with this Slug already exists."},
        ),
        (
            Subject,
            {"name": "!"},
            {
                "name": "A subject's name has a letter or a digit.",
                "__all__": "This field may not be blank.",
            },
        ),
        (Series, {"name": " "}, {"name": "This field is required."}),
        (
            Author,
            {"name": "A", "birth_year": "0"},
            {"birth_year": "There is no year 0: 1 BCE is −1, 1 CE is 1."},
        ),
        (
            Author,
            {"name": "A", "birth_year": "9", "death_year": "8"},
            {"death_year": "The year of death is before the year of birth."},
        ),
        (
            Author,
            {"name": "A", "openlibrary_key": "OL1W"},
            {"openlibrary_key": "An author's key looks like OL26320A."},
        ),
        (
            Author,
            {"name": "A", "profile-0-website": "there"},
            {"profile-0-website": "Enter a valid URL."},
        ),
        (Book, {"title": "A", "language": "EN"}, {"language": "Write “en” for “EN”."}),
        (
            Book,
            {"title": "A", "openlibrary_key": "OL27482W"},
            {"openlibrary_key": "Book with this Openlibrary key already exists."},
        ),
    ],
)
def test_what_may_not_be_stored_is_a_complaint_on_the_form(
    desk, hobbit, model, changes, complaints
):
    Book.objects.update(openlibrary_key="OL27482W")
    response = save(desk, add_page(model), **changes)
    assert errors(response) == {name: [text] for name, text in complaints.items()}


@pytest.mark.parametrize(
    ("changes", "complaints"),
    [
        (
            {"editions-0-isbn13": "9780547928228"},
            {"editions-0-isbn13": "The ISBN's check digit is wrong."},
        ),
        ({"editions-0-isbn13": "978"}, {"editions-0-isbn13": "An ISBN has 10 or 13 digits."}),
        ({"editions-0-isbn13": "9" * 18}, {"editions-0-isbn13": "An ISBN has 10 or 13 digits."}),
        (
            {"editions-0-pages": "0"},
            {"editions-0-pages": "Ensure this value is greater than or equal to 1."},
        ),
        (
            {"editions-0-isbn13": "0-00-724622-6"},
            {"editions-0-isbn13": "Edition with this ISBN already exists."},
        ),
        (
            {"contributions-1-position": "first"},
            {"contributions-1-position": "Enter a whole number."},
        ),
        (
            {
                "contributions-TOTAL_FORMS": "3",
                "contributions-2-position": "0",
                "contributions-2-role": "author",
            },
            {"contributions-2-author": "This field is required."},
        ),
    ],
)
def test_a_wrong_row_is_a_complaint_on_that_row(desk, hobbit, changes, complaints):
    other = Book.objects.create(title="The Children of Húrin")
    Edition.objects.create(book=other, isbn13="9780007246229")
    response = save(desk, page(hobbit), **changes)
    assert errors(response) == {name: [text] for name, text in complaints.items()}
    assert Book.objects.get(pk=hobbit.pk).version == 1


def test_the_same_contribution_twice_is_a_complaint(desk, hobbit):
    tolkien = hobbit.authors.get(birth_year=1892)
    again = row("contributions", 2, author=tolkien.pk, role="author")
    response = save(desk, page(hobbit), **{"contributions-TOTAL_FORMS": "3"}, **again)
    assert "contributions-2-__all__" in errors(response)
    assert hobbit.contributions.count() == 2


def test_the_same_contribution_twice_is_a_complaint_on_a_new_book_too(desk, hobbit):
    tolkien = hobbit.authors.get(birth_year=1892)
    response = save(
        desk,
        add_page(Book),
        title="Mr. Bliss",
        **{"contributions-TOTAL_FORMS": "2"},
        **row("contributions", 0, author=tolkien.pk, role="author"),
        **row("contributions", 1, author=tolkien.pk, role="author"),
    )
    assert "contributions-1-__all__" in errors(response)
    assert Book.objects.count() == 1


def test_a_publisher_may_be_written_in_capitals(desk, hobbit):
    publisher = Publisher.objects.get()
    assert saved(save(desk, page(publisher), name="ALLEN & UNWIN"))
    assert Publisher.objects.get().name == "ALLEN & UNWIN"


@pytest.mark.parametrize("key", ["abc", "0", "9" * 30, "%00"])
@pytest.mark.parametrize("action", ["change", "delete", "history"])
def test_a_page_of_no_book_leads_back_to_the_start(desk, action, key):
    response = desk.get(f"{changelist(Book)}{key}/{action}/")
    assert (response.status_code, response["Location"]) == (302, "/admin/")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("q=%00", 200),
        ("p=x", 200),
        ("nonsense=1", 302),
        ("series__id__exact=" + "9" * 30, 200),
        ("series__id__exact=x", 302),
        ("language__exact=%00", 400),
        ("role=%00", 400),
        ("role=pope", 200),
        ("q=" + "a+" * 1000, 200),
    ],
)
def test_a_broken_query_is_no_failure(desk, hobbit, query, status):
    assert desk.get(f"{changelist(Book)}?{query}").status_code == status


# Deleting


def test_an_author_with_contributions_stays(hobbit):
    admin = browser("admin")
    tolkien = hobbit.authors.get(birth_year=1892)
    for url, data in [
        (f"{changelist(Author)}{tolkien.pk}/delete/", {"post": "yes"}),
        (
            changelist(Author),
            {"action": "delete_selected", "_selected_action": [tolkien.pk], "post": "yes"},
        ),
    ]:
        response = admin.post(url, data)
        assert response.status_code == 200
        assert "Contribution: J. R. R. Tolkien" in response.text
    assert Author.objects.count() == 2


def test_books_are_deleted_with_what_they_own(desk, hobbit):
    response = desk.post(
        changelist(Book),
        {"action": "delete_selected", "_selected_action": [hobbit.pk], "post": "yes"},
    )
    assert response.status_code == 302
    assert (Book.objects.count(), Edition.objects.count(), Author.objects.count()) == (0, 0, 2)


# Who may


PAGES = ["/admin/", *(changelist(model) for model in (Author, Series, Publisher, Subject, Book))]


@pytest.mark.parametrize(("role", "status"), [("member", 302), ("librarian", 200), ("admin", 200)])
@pytest.mark.parametrize("url", PAGES)
def test_librarians_and_admins_are_let_in(db, role, status, url):
    response = browser(role).get(url)
    assert response.status_code == status
    if status == 302:
        assert response["Location"] == f"/admin/login/?next={url}"


def test_a_librarian_logs_in_with_username_and_password(db):
    User.objects.create_user(
        username="mary", email="mary@example.org", password="a-long-secret", role="librarian"
    )
    client = Client()
    response = client.post(
        "/admin/login/?next=/admin/", {"username": "mary", "password": "a-long-secret"}
    )
    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert "Books" in client.get("/admin/").text


@pytest.mark.parametrize("model", [Author, Series, Publisher, Subject])
@pytest.mark.parametrize(("role", "status", "left"), [("librarian", 403, 1), ("admin", 302, 0)])
def test_only_an_admin_deletes_what_books_share(db, model, role, status, left):
    shared = model.objects.create(name="A")
    response = browser(role).post(f"{changelist(model)}{shared.pk}/delete/", {"post": "yes"})
    assert (response.status_code, model.objects.count()) == (status, left)


# Two at once


def test_of_librarians_who_save_at_once_one_does_and_the_others_are_told(at_once):
    series = Series.objects.create(name="A")
    desks = [browser("librarian", f"mary{n}") for n in range(8)]
    opened = [filled_in(each.get(page(series))) for each in desks]
    responses = at_once(
        lambda n: desks[n].post(page(series), opened[n] | {"name": f"B{n}"}), len(desks)
    )
    assert sorted(response.status_code for response in responses) == 7 * [200] + [302]
    [won] = [n for n, response in enumerate(responses) if response.status_code == 302]
    made = Series.objects.get()
    assert (made.version, made.name) == (2, f"B{won}")
