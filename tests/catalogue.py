"""What the tests of the catalogue put in, send, and read out of an answer."""

from django.core.management.color import no_style
from django.db import connection
from django.db.models import FileField
from django.test.utils import CaptureQueriesContext
from stdnum import ean

from authors.models import Author, AuthorProfile, OtherName
from books.models import Book, Contribution, Edition, Identifier, Publisher, Series, Subject

TABLES = [
    *(
        Author,
        AuthorProfile,
        OtherName,
        Book,
        Contribution,
        Edition,
        Identifier,
        Publisher,
        Series,
        Subject,
    ),
    Book.subjects.through,
]


def isbn(number):
    digits = f"978{number:09}"
    return digits + ean.calc_check_digit(digits)


def continue_ids():
    """Let new rows have ids behind those that a test has chosen itself."""
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), TABLES):
            cursor.execute(sql)


def numbered(model, *names):
    """Rows with these names and the ids 1, 2, 3 …"""
    rows = [model.objects.create(id=pk, name=name) for pk, name in enumerate(names, 1)]
    continue_ids()
    return rows


def authors(*names):
    return [Author.objects.create(name=name) for name in names]


def book(title="Good Omens", contributors=(), isbns=(), **fields):
    """A book; each contributor is an author, or a pair of an author and a role."""
    made = Book.objects.create(title=title, **fields)
    for position, each in enumerate(contributors):
        author, role = each if isinstance(each, tuple) else (each, "author")
        made.contributions.create(author=author, role=role, position=position)
    for number in isbns:
        made.editions.create(isbn13=number)
    return made


def send(client, method, path, body=None, status=200):
    """The body of the answer, which must have this status."""
    response = getattr(client, method.lower())(f"/api{path}", body, format="json")
    assert response.status_code == status, response.content
    return response.json() if response.content else None


def with_defaults(model, body):
    """The body, and of each column that it does not name what a new row has there.

    So that a column more is no reason to change what has nothing to do with it.
    """
    columns = (
        field
        for field in model._meta.concrete_fields
        if field.editable
        and not field.primary_key
        and not field.is_relation
        # What each row has another of
        and not (field.has_default() and callable(field.default))
    )
    # A file that is not there has no URL.
    defaults = {
        field.name: None if isinstance(field, FileField) else field.get_default()
        for field in columns
    }
    return {**defaults, **body}


def faults(problem):
    """Where what is wrong: the pairs of pointer and code, in order."""
    return [(fault["pointer"], fault["code"]) for fault in problem["errors"]]


def everything():
    """All rows of the catalogue, down to versions and moments."""
    return {model: list(model._default_manager.order_by("pk").values()) for model in TABLES}


def credits_of(book):
    """Who is in a book's list in which role, in order of position, which has no holes."""
    rows = list(book.contributions.order_by("position"))
    assert [row.position for row in rows] == list(range(len(rows)))
    return [(row.author_id, row.role) for row in rows]


def statements(call):
    """The SQL that this call runs, without what names the writer, of which each transaction has
    one or two, by the engine: tests/test_changes.py counts these."""
    with CaptureQueriesContext(connection) as queries:
        call()
    return [each["sql"] for each in queries if not names_writer(each["sql"])]


def names_writer(sql):
    return "catalogue.actor" in sql or "changes_writer" in sql
