"""Do texts come in the order of their code points, in a database of whichever locale?"""

import unicodedata

import pytest
from django.db import connection, models, transaction
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from auth_api.models import User
from authors.models import Author
from books.models import Book, Publisher, Series, Subject
from project.api.models import FoldedFrom

pytestmark = pytest.mark.django_db

# What locales put in another order: cases, accents, signs that they pass over, letters of Turkish,
# and one beyond the 16 bits of UTF-16.
LETTERS = "aAbBzZ09äÄéñßıİiI-'.,_&Æœ日本ｱﾊ가🙂𐐀ﬁ"
characters = st.sampled_from(LETTERS) | st.characters(categories=["L", "N", "P", "S"])
texts = st.text(characters, min_size=1, max_size=8).filter(
    lambda text: unicodedata.is_normalized("NFC", text)
)


def listed(path, **parameters):
    """All results, page by page."""
    page = APIClient().get(path, {"page_size": 5, **parameters}).json()
    results = page["results"]
    while page["next"] is not None:
        page = APIClient().get(page["next"]).json()
        results += page["results"]
    return results


@given(names=st.lists(texts, min_size=2, max_size=8))
@settings(max_examples=15)
def test_every_list_comes_by_code_points(names):
    with transaction.atomic():
        names = [f"{name}a" for name in names]  # a subject has a letter
        unique = {FoldedFrom.make(name): name for name in names}.values()
        Series.objects.bulk_create(Series(name=name) for name in names)
        Publisher.objects.bulk_create(Publisher(name=name) for name in unique)
        Subject.objects.bulk_create(
            Subject(name=name, slug=f"s{place}") for place, name in enumerate(unique)
        )
        Author.objects.bulk_create(Author(name=name, sort_name=name[::-1]) for name in names)
        Book.objects.bulk_create(
            Book(title=name, sort_title=name[::-1], language="de") for name in names
        )
        for path, field, parameters in [
            ("/api/series/", "name", {}),
            ("/api/publishers/", "name", {}),
            ("/api/subjects/", "name", {}),
            ("/api/authors/", "name", {"ordering": "name"}),
            ("/api/authors/", "sort_name", {}),
            ("/api/books/", "title", {"ordering": "title"}),
            ("/api/books/", "sort_title", {}),
            ("/api/books/", "sort_title", {"language": "de"}),
        ]:
            there = [row[field] for row in listed(path, **parameters)]
            assert there == sorted(there), path
            is_unique = path in ("/api/publishers/", "/api/subjects/")
            assert len(there) == len(unique if is_unique else names)
            parameters = {**parameters, "ordering": f"-{field}"}
            back = [row[field] for row in listed(path, **parameters)]
            assert back == there[::-1], path
        transaction.set_rollback(True)


@given(names=st.lists(texts, min_size=2, max_size=8, unique_by=FoldedFrom.make))
@settings(max_examples=15)
def test_what_a_document_holds_by_name_comes_by_code_points(names):
    with transaction.atomic():
        book = Book.objects.create(title="Dune")
        book.subjects.set(
            Subject.objects.bulk_create(
                Subject(name=name, slug=f"s{place}") for place, name in enumerate(names)
            )
        )
        [document] = listed("/api/books/")
        assert [subject["name"] for subject in document["subjects"]] == sorted(names)
        transaction.set_rollback(True)


def test_what_differs_in_a_sign_alone_differs():
    """A locale passes over signs at first, and may take two texts for one."""
    names = ["co-op", "coop", "co op", "co\u00adop", "Coop", "ｃｏｏｐ"]
    Series.objects.bulk_create(Series(name=name) for name in names)
    assert [row["name"] for row in listed("/api/series/")] == sorted(names)


def test_a_user_is_found_in_the_admin_by_any_letters_of_the_name():
    """A Turkish locale has the capital `İ` for the small letter of `I`."""
    for role in User.Role:
        User.objects.create_user(username=role, email=f"{role}@example.org", role=role)
    desk = Client()
    desk.force_login(User.objects.get(username="admin"))
    for asked in ("librarian", "LIBRARIAN", "IAN@EXAMPLE"):
        page = desk.get("/admin/auth_api/user/", {"q": asked})
        assert [user.username for user in page.context["cl"].result_list] == ["librarian"], asked


# The columns


def texts_of(table):
    """The collation of each column of text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname, collname FROM pg_attribute"
            " JOIN pg_collation ON pg_collation.oid = attcollation"
            " JOIN pg_type ON pg_type.oid = atttypid"
            " WHERE attrelid = %s::regclass AND typname IN ('text', 'varchar') AND attnum > 0",
            [table],
        )
        return dict(cursor.fetchall())


@pytest.fixture
def postgresql(db):
    if connection.vendor != "postgresql":
        pytest.skip("asks PostgreSQL; run with --engine postgresql")


def tables():
    return connection.introspection.django_table_names(only_existing=True)


def test_each_text_of_each_table_has_the_collation(postgresql):
    collations = {table: set(texts_of(table).values()) for table in tables()}
    assert set().union(*collations.values()) == {"C"}
    assert collations["books_book"] == {"C"}


def test_a_field_that_is_added_or_changed_has_the_collation(postgresql):
    name = models.CharField(max_length=10)
    name.set_attributes_from_name("motto")
    longer = models.TextField()
    longer.set_attributes_from_name("motto")
    with connection.schema_editor() as editor:
        editor.add_field(Book, name)
        assert texts_of("books_book")["motto"] == "C"
        editor.alter_field(Book, name, longer, strict=True)
        assert texts_of("books_book")["motto"] == "C"


def test_a_database_that_is_older_gets_the_collation_and_keeps_its_rows(postgresql):
    names = ["Zola", "amis", "Äsop", "zorn"]
    Author.objects.bulk_create(Author(name=name) for name in names)
    rows = list(Author.objects.order_by("id").values_list())
    with connection.cursor() as cursor:
        for table in tables():
            for column in texts_of(table):
                cursor.execute(
                    "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
                    " WHERE attrelid = %s::regclass AND attname = %s",
                    [table, column],
                )
                kind = cursor.fetchone()[0]
                cursor.execute(
                    f'ALTER TABLE {table} ALTER "{column}" TYPE {kind} COLLATE "default"'
                )
    assert set(texts_of("authors_author").values()) == {"default"}

    with connection.schema_editor() as editor:
        editor.collate_existing()

    test_each_text_of_each_table_has_the_collation(postgresql)
    assert list(Author.objects.order_by("id").values_list()) == rows
    assert [row["name"] for row in listed("/api/authors/", ordering="name")] == sorted(names)
    with connection.schema_editor(collect_sql=True) as editor:
        editor.collate_existing()
        assert editor.collected_sql == []
