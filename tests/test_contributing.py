"""Does a newcomer who follows the guide to the letter get what it promises?"""

import re
import shutil
import sys
import textwrap

import pytest

from tests.copies import Copy
from tests.server import ROOT


@pytest.fixture
def copy(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("There is no git here to hold the contract against what it was.")
    copy = Copy(tmp_path / "copy")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "Begin"]):
        copy.git(*command)
    return copy


@pytest.fixture
def engine(request):
    return request.config.getoption("engine")


def section(title):
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    return re.search(rf"^## {title}$(.*?)(?=^## )", guide, re.DOTALL | re.MULTILINE)[1]


def test_a_field_more_is_a_column_a_name_and_a_test(copy, engine):
    copy.follow(section("Add a field"))
    copy.generate()
    copy.test(engine, "dedication")
    [migration] = (copy.folder / "books" / "migrations").glob("*_book_dedication.py")
    assert copy.changed() == {
        "books/models.py",
        "books/serializers.py",
        "schema/openapi.yaml",
        f"books/migrations/{migration.name}",
        "tests/test_dedication.py",
    }


def test_a_resource_more_is_five_steps(copy, engine):
    copy.follow(section("Add a resource"))
    copy.generate()
    copy.test(engine)
    [migration] = (copy.folder / "books" / "migrations").glob("*_award.py")
    assert copy.changed() == {
        *(f"books/{name}.py" for name in ("models", "serializers", "filters", "views")),
        *("project/router.py", "tests/test_permissions.py"),
        *("schema/openapi.yaml", f"books/migrations/{migration.name}"),
    }


def test_an_app_of_ones_own_is_what_docs_reviews_shows(copy, engine):
    copy.follow((ROOT / "docs" / "reviews.md").read_text("utf-8"))
    copy.generate()
    copy.test(engine, "reviews", "bookmarks")
    contract = (copy.folder / "schema" / "openapi.yaml").read_text("utf-8")
    assert "operationId: createBookReview" in contract


FILE_TEST = """
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from authors.models import Author
from project.api.writing import rows_written
from tests.catalogue import send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def files(media):
    return {path.relative_to(media).as_posix() for path in media.rglob("*") if path.is_file()}


def put(client, author, content=b"A face", status=200):
    body = {"file": SimpleUploadedFile("me.txt", content)}
    answer = client.put(f"/api/authors/{author.pk}/portrait/", body, format="multipart")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_an_author_has_a_portrait(media, librarian, member):
    author = Author.objects.create(name="Ursula K. Le Guin")
    path = f"/authors/{author.pk}/"
    assert send(librarian, "GET", path)["portrait"] is None
    put(member, author, status=403)
    first, second = put(librarian, author), put(librarian, author, b"Another")
    assert send(librarian, "GET", path) == second
    assert (first["version"], second["version"]) == (2, 3)
    assert files(media) == {second["portrait"].removeprefix("/media/")}
    assert (media / Author.objects.get().portrait.name).read_bytes() == b"Another"
    put(librarian, author, bytes(1_100_000), status=413)
    assert send(librarian, "PATCH", path, {"portrait": None})["portrait"] == second["portrait"]


def test_a_portrait_goes_with_its_author_and_with_a_write_that_fails(media, librarian, admin):
    author = Author.objects.create(name="Ursula K. Le Guin")
    before = put(librarian, author)

    def fail(**kwargs):
        raise RuntimeError("No.")

    rows_written.connect(fail)
    librarian.raise_request_exception = False
    try:
        assert librarian.put(
            f"/api/authors/{author.pk}/portrait/",
            {"file": SimpleUploadedFile("x", b"Another")},
            format="multipart",
        ).status_code == 500
    finally:
        rows_written.disconnect(fail)
    assert files(media) == {before["portrait"].removeprefix("/media/")}
    send(admin, "DELETE", f"/authors/{author.pk}/", status=204)
    assert files(media) == set()
"""


def test_a_file_more_is_a_field_and_an_action(copy, request):
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Add a file")[2]
    blocks = re.findall(r"```python\n(.+?) +```", guide.partition("\n## ")[0], re.DOTALL)
    field, upload, action = (textwrap.dedent(block) for block in blocks)
    start = r"^"
    copy.insert("authors/models.py", start, "from project.api.files import OwnedFileField\n")
    copy.insert(
        "authors/models.py", r"class Author\(.+?\n(?=    \w+ = )", textwrap.indent(field, " " * 4)
    )
    copy.manage("makemigrations", "authors", "--verbosity", "0")
    copy.insert(
        "authors/serializers.py",
        r"\n\n(?=class AuthorSerializer\()",
        "from rest_framework import serializers\n"
        "from project.api.serializers import StrictSerializer\n\n" + upload + "\n\n",
    )
    copy.insert(
        "authors/serializers.py", r'class AuthorSerializer\(.+?"sort_name",\n', '"portrait",\n'
    )
    copy.insert("authors/views.py", r"ordering_fields = \[.+?\]\n", textwrap.indent(action, "    "))
    copy.insert("authors/views.py", start, IMPORTS)
    (copy.folder / "tests" / "test_portrait.py").write_text(FILE_TEST, "utf-8")
    copy.manage("spectacular", "--validate", "--fail-on-warn", "--file", "schema/openapi.yaml")
    engine = request.config.getoption("engine")
    files = [f"tests/test_{name}.py" for name in ("portrait", "schema_stability")]
    copy.run(sys.executable, "-m", "pytest", "-q", "-x", "--engine", engine, *files)


IMPORTS = """
from secrets import token_hex

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from authors.serializers import PortraitUploadSerializer
from project.api.files import new_files
from project.api.viewsets import UploadParser
"""
