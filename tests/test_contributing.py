"""Does a newcomer who follows the guide to the letter get what it promises?"""

import re
import shutil

import pytest

from tests.copies import Copy
from tests.server import ROOT


@pytest.fixture
def copy(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("There is no git here to hold the contract against what it was.")
    copy = Copy(tmp_path / "copy")
    copy.git("init", "--quiet")
    copy.commit()
    return copy


def section(title):
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    return re.search(rf"^## {title}$(.*?)(?=^## )", guide, re.DOTALL | re.MULTILINE)[1]


def test_the_guides_build_what_they_say_one_after_another(copy, request):
    add_a_field(copy)
    add_a_filter(copy)
    add_a_resource(copy)
    add_an_app(copy)
    add_a_file(copy)
    engine = request.config.getoption("engine")
    copy.test(engine, "dedication", "edition_format", "award", "reviews", "bookmarks", "portrait")


def add_a_field(copy):
    """A column, a name and a test."""
    copy.follow(section("Add a field"))
    copy.generate()
    [migration] = (copy.folder / "books" / "migrations").glob("*_book_dedication.py")
    assert copy.changed() == {
        "books/models.py",
        "books/serializers.py",
        "schema/openapi.yaml",
        f"books/migrations/{migration.name}",
        "tests/test_dedication.py",
    }
    copy.commit()


def add_a_filter(copy):
    """A line and a test."""
    copy.follow(section("Add a filter"))
    copy.commit()


AWARD_TEST = """\
import json

import pytest

from tests.catalogue import book, send

pytestmark = pytest.mark.django_db(transaction=True)
UID = "a0000000-0000-4000-8000-000000000001"


def feed(client):
    page = send(client, "GET", "/changes/?kinds=awards")
    return [(each["uid"], each["operation"], each["version"]) for each in page["results"]]


def test_an_award_has_what_every_root_has(admin):
    dune = book("Dune")
    body = {"uid": UID, "name": "Hugo Award", "book_ids": [dune.pk]}
    key = {"Idempotency-Key": UID}
    made = admin.post("/api/awards/", body, format="json", headers=key)
    again = admin.post("/api/awards/", body, format="json", headers=key)
    assert (again["Idempotency-Replayed"], again.content) == ("true", made.content)
    path = f"/awards/{made.json()['id']}/"
    known, stale = {"If-None-Match": made["ETag"]}, {"If-Match": '"2"'}
    assert admin.get(f"/api{path}", headers=known).status_code == 304
    assert admin.patch(f"/api{path}", {}, format="json", headers=stale).status_code == 412
    edit = {"uid": UID, "version": 1, "book_ids": []}
    [done] = send(admin, "POST", "/awards/bulk/", {"update": [edit]})["update"]
    assert done["document"]["version"] == 2
    last, _ = send(admin, "GET", f"{path}history/")["results"]
    assert last["changes"] == [{"pointer": "/book_ids", "from": [dune.pk], "to": []}]
    exported = b"".join(admin.get("/api/awards/?format=ndjson"))
    assert json.loads(exported) == done["document"]
    assert feed(admin) == [(UID, "upsert", 2)]
    send(admin, "DELETE", path, status=204)
    assert feed(admin) == [(UID, "delete", 2)]
    assert send(admin, "POST", f"{path}restore/")["version"] == 3
    assert feed(admin) == [(UID, "upsert", 3)]
"""


def add_a_resource(copy):
    """Five steps."""
    copy.follow(section("Add a resource"))
    (copy.folder / "tests" / "test_award.py").write_text(AWARD_TEST, "utf-8")
    copy.generate()
    [migration] = (copy.folder / "books" / "migrations").glob("*_award.py")
    assert copy.changed() == {
        *(f"books/{name}.py" for name in ("models", "serializers", "filters", "views")),
        *("project/router.py", "tests/test_permissions.py", "tests/test_award.py"),
        *("schema/openapi.yaml", f"books/migrations/{migration.name}"),
    }
    copy.commit()


def add_an_app(copy):
    copy.follow((ROOT / "docs" / "reviews.md").read_text("utf-8"))
    copy.generate()
    contract = (copy.folder / "schema" / "openapi.yaml").read_text("utf-8")
    assert "operationId: createBookReview" in contract


FILE_TEST = """\
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
        assert (
            librarian.put(
                f"/api/authors/{author.pk}/portrait/",
                {"file": SimpleUploadedFile("x", b"Another")},
                format="multipart",
            ).status_code
            == 500
        )
    finally:
        rows_written.disconnect(fail)
    assert files(media) == {before["portrait"].removeprefix("/media/")}
    send(admin, "DELETE", f"/authors/{author.pk}/", status=204)
    assert files(media) == set()
"""


def add_a_file(copy):
    """A field and an action."""
    copy.follow(section("Add a file"))
    (copy.folder / "tests" / "test_portrait.py").write_text(FILE_TEST, "utf-8")
    copy.generate()
