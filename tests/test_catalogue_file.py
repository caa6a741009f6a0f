"""The whole catalogue into a file and back: is it the same again?"""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.urls import path

from authors.models import Author, AuthorProfile
from books.importing import import_file
from books.management.commands.load_demo import CATALOGUE
from books.models import Book, Publisher, Series, Subject
from project.api.changes.models import Change, Entry, Pending, RowChange
from project.api.dump import roots
from project.api.relations import Shared
from project.api.serializers import ResourceSerializer
from project.api.viewsets import ResourceViewSet
from tests.catalogue import TABLES, book, isbn
from tests.test_import import GOODBOOKS_HEADER

pytestmark = pytest.mark.django_db


def exported(file):
    call_command("export_catalogue", file)
    return file.read_bytes()


def imported(file):
    output = io.StringIO()
    call_command("import_catalogue", file, stdout=output)
    return output.getvalue()


def line_of(kind, document):
    return json.dumps({"kind": kind, "document": document})


def empty():
    """As if there had never been anything: a uid that was deleted is not given again."""
    for model in reversed([Author, Publisher, Series, Subject, Book]):
        model.objects.all().delete()
    assert not any(model._default_manager.exists() for model in TABLES)
    for recorded in (RowChange, Change, Entry, Pending):
        recorded.objects.all().delete()


def test_shared_roots_come_first():
    kinds = [root.kind for root in roots()]
    assert sorted(kinds) == ["authors", "books", "publishers", "series", "subjects"]
    assert kinds[-1] == "books"


def test_a_line_says_what_a_body_may_say_and_no_id(tmp_path):
    author = Author.objects.create(name="Ann", kind="person")
    AuthorProfile.objects.create(author=author, biography="Wrote.")
    one = book("Dune", [author, (author, "editor")], [isbn(1)])
    lines = [json.loads(line) for line in exported(tmp_path / "c.jsonl").splitlines()]
    assert [line["kind"] for line in lines] == ["authors", "books"]
    assert lines[0]["document"]["profile"] == {"biography": "Wrote.", "website": None}
    document = lines[1]["document"]
    assert document["uid"] == str(one.uid)
    assert not {"id", "version", "author_ids", "authors", "series_id"} & document.keys()
    first, second = document["contributions"]
    assert first["author"]["uid"] == str(author.uid)
    assert first.keys() == {"author", "role", "other_role", "credited_as"}
    assert second["role"] == "editor"


def test_the_demo_comes_back_as_the_same_bytes(tmp_path):
    import_file(CATALOGUE)
    Author.objects.create(name="Nobody's")
    Series.objects.create(name="Empty")
    before = exported(tmp_path / "before.jsonl")
    assert before.count(b"\n") == sum(
        m.objects.count() for m in (Author, Publisher, Series, Subject, Book)
    )
    empty()
    imported(tmp_path / "before.jsonl")
    assert exported(tmp_path / "after.jsonl") == before
    # Once more, and nothing is new.
    assert " 0 new" in imported(tmp_path / "before.jsonl")
    assert exported(tmp_path / "after.jsonl") == before


# ruff: noqa: E501
# As the public data set has them: two authors, a series, an original title, a lost leading zero.
GOODBOOKS = [
    '1,2767052,439023483,9.78043902348e+12,Suzanne Collins,2008.0,The Hunger Games,"The Hunger Games (The Hunger Games, #1)",eng',
    '2,3,439554934,9.78043955493e+12,"J.K. Rowling, Mary GrandPré",1997.0,Harry Potter and the Philosopher\'s Stone,"Harry Potter and the Sorcerer\'s Stone (Harry Potter, #1)",eng',
    "3,2657,61120081,9.78006112008e+12,Harper Lee,1960.0,To Kill a Mockingbird,To Kill a Mockingbird,eng",
    '4,7613,452284244,9.78045228424e+12,George Orwell,1945.0,Animal Farm: A Fairy Story,"Animal Farm",eng',
    '5,1381,143039954,9.78014303995e+12,"Homer, Robert Fagles, E.V. Rieu",-720.0,Ὀδύσσεια,The Odyssey,eng',
]


def test_books_of_goodbooks_come_back_as_the_same_bytes(tmp_path):
    (tmp_path / "books.csv").write_text("\n".join([GOODBOOKS_HEADER, *GOODBOOKS]) + "\n", "utf-8")
    import_file(tmp_path / "books.csv")
    before = exported(tmp_path / "before.jsonl")
    assert Book.objects.count() == 5
    empty()
    imported(tmp_path / "before.jsonl")
    assert exported(tmp_path / "after.jsonl") == before


def test_what_is_stored_stays_as_it_is(tmp_path):
    book("Dune")
    file = tmp_path / "c.jsonl"
    exported(file)
    Book.objects.update(title="Edited")
    Book.objects.create(title="Other")
    assert "books                0 new          1 unchanged" in imported(file)
    assert sorted(Book.objects.values_list("title", flat=True)) == ["Edited", "Other"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("nonsense", "line 2:  The body is not JSON"),
        ("[]", "line 2:  A line has a kind and a document."),
        ('{"kind": "bikes", "document": {}}', "line 2: /kind There are "),
        ('{"kind": "books", "document": 1}', "line 2: /document A document is an object."),
        ('{"kind": "books", "document": {"title": ""}}', "line 2: /title This field may not be"),
        (
            line_of("books", {"title": "A", "editions": [{"isbn13": isbn(1)}]}),
            "line 2: /editions/0/isbn13 Edition ",
        ),
    ],
)
def test_a_line_that_is_wrong_is_named_and_the_others_go_in(tmp_path, line, fault):
    book("Stored", isbns=[isbn(1)])
    file = tmp_path / "c.jsonl"
    good = [line_of("books", {"title": title}) for title in ("One", "Two")]
    file.write_text("\n".join([good[0], line, good[1]]), "utf-8")
    errors = io.StringIO()
    with pytest.raises(CommandError, match="1 lines are refused"):
        call_command("import_catalogue", file, stdout=io.StringIO(), stderr=errors)
    assert fault in errors.getvalue()
    assert sorted(Book.objects.values_list("title", flat=True)) == ["One", "Stored", "Two"]


class KeysSerializer(ResourceSerializer):
    class Meta:
        model = Book
        fields = ["id", "uid", "title", "subject_ids", "version"]
        relations = [Shared("subjects", key="subject_ids")]


class KeysViewSet(ResourceViewSet):
    queryset = Book.objects.all()
    serializer_class = KeysSerializer


urlpatterns = [
    path("books/", KeysViewSet.as_view({"get": "list"})),
    path("books/<int:pk>/", KeysViewSet.as_view({"get": "retrieve"}), name="book-detail"),
]


@pytest.mark.urls(__name__)
def test_a_serializer_of_keys_alone_says_uids(tmp_path):
    subject = Subject.objects.create(name="Space", slug="space")
    one = book("Dune")
    one.subjects.add(subject)
    file = tmp_path / "c.jsonl"
    [line] = exported(file).splitlines()
    document = json.loads(line)["document"]
    assert document == {"uid": str(one.uid), "title": "Dune", "subject_ids": [str(subject.uid)]}
    keys = [[str(subject.uid).upper()], [{}], {"a": []}, [[]], ["none"]]
    lines = [line_of("books", {"title": f"Copy {n}", "subject_ids": k}) for n, k in enumerate(keys)]
    file.write_text("\n".join(lines))
    with pytest.raises(CommandError, match="4 lines are refused"):
        imported(file)
    assert list(Book.objects.get(title="Copy 0").subjects.all()) == [subject]


def test_the_standard_output_is_a_file_as_well(tmp_path):
    book("Dune")
    output = io.StringIO()
    call_command("export_catalogue", stdout=output)
    assert output.getvalue().encode() == exported(tmp_path / "c.jsonl")
