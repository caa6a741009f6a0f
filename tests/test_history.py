"""Does history tell who has changed what, and does it bring back what was deleted?"""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection, transaction
from django.utils import timezone

from authors.models import Author
from books.models import Book, Contribution, Edition, Series, Subject
from project.api.changes.models import Change, RowChange
from tests.catalogue import book, isbn, send
from tests.models import Note
from tests.pictures import plain
from tests.test_hidden import OF_ONE, PROJECTS, WAYS

# Changes of one transaction are one change.
pytestmark = pytest.mark.django_db(transaction=True)


def history(client, path):
    return send(client, "GET", f"{path}history/")["results"]


def differences(client, path):
    """Of each change, newest first: where, from what and to what."""
    return [
        [(each["pointer"], each["from"], each["to"]) for each in row["changes"]]
        for row in history(client, path)
    ]


def test_a_change_says_who_made_it_when_in_which_request_and_what_differs(librarian):
    made = send(librarian, "POST", "/books/", {"title": "Dune"}, 201)
    path = f"/books/{made['id']}/"
    response = librarian.patch(
        f"/api{path}", {"title": "Arrakis"}, format="json", headers={"X-Request-ID": "r-2"}
    )
    assert response.status_code == 200
    last, first = history(librarian, path)
    assert last == {
        "id": last["id"],
        "operation": "update",
        "version": 2,
        "at": last["at"],
        "actor": {"id": librarian.user.pk, "name": "librarian"},
        "request": "r-2",
        "changes": [
            {"pointer": "/title", "from": "Dune", "to": "Arrakis"},
            {"pointer": "/sort_title", "from": "Dune", "to": "Arrakis"},
        ],
    }
    assert (first["operation"], first["version"], first["changes"]) == ("create", 1, [])


def test_what_a_root_owns_and_links_is_in_its_history(librarian):
    sf, deserts = Subject.objects.create(name="SF"), Subject.objects.create(name="Deserts")
    series = Series.objects.create(name="Dune")
    body = {
        "title": "Dune",
        "authors": [{"name": "F. Herbert"}],
        "editions": [{"format": "ebook", "pages": 3}, {"format": "paperback"}],
        "subject_ids": [sf.pk],
    }
    made = send(librarian, "POST", "/books/", body, 201)
    path, author = f"/books/{made['id']}/", made["author_ids"][0]
    first, second = made["editions"]
    body = {
        "editions": [{"id": second["id"], "pages": 9}, {"format": "hardcover"}],
        "subject_ids": [deserts.pk],
        "series_id": series.pk,
    }
    written = send(librarian, "PATCH", path, body)
    new = written["editions"][1]["id"]
    shared = {"isbn13": None, "publisher_id": None, "published_on": None, "language": None}
    [found, _] = differences(librarian, path)
    assert [each for each in found if not each[0].startswith("/editions")] == [
        ("/series_id", None, series.pk),
        ("/subject_ids", [sf.pk], [deserts.pk]),
    ]
    editions = {
        pointer: tuple(
            {
                k: v
                for k, v in each.items()
                if k != "cover" and k in {"id", "format", "pages", *shared}
            }
            if isinstance(each, dict)
            else each
            for each in pair
        )
        for pointer, *pair in found
        if pointer.startswith("/editions")
    }
    assert editions == {
        "/editions/0": ({"id": first["id"], "format": "ebook", "pages": 3, **shared}, None),
        "/editions/0/pages": (None, 9),
        "/editions/1": (None, {"id": new, "format": "hardcover", "pages": None, **shared}),
    }
    send(librarian, "PATCH", path, {"contributions": [{"author_id": author, "role": "editor"}]})
    assert {pointer for pointer, _, _ in differences(librarian, path)[0]} == {"/contributions/0"}


def test_a_cover_is_in_the_history_of_its_book(librarian):
    made = book(isbns=[isbn(1)])
    path = f"/api/editions/{made.editions.get().pk}/cover/"
    upload = {"file": SimpleUploadedFile("cover.jpg", plain())}
    cover = librarian.put(path, upload, format="multipart").json()
    assert librarian.delete(path).status_code == 204
    taken, put, *_ = send(librarian, "GET", f"/books/{made.pk}/history/")["results"]
    assert put["changes"] == [{"pointer": "/editions/0/cover", "from": None, "to": cover}]
    assert taken["changes"] == [{"pointer": "/editions/0/cover", "from": cover, "to": None}]


def test_a_hand_with_sql_has_no_name_and_its_changes_are_kept(librarian):
    dune = book("Dune", isbns=[isbn(1)])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE books_edition SET pages = 7")
        cursor.execute("UPDATE books_book SET title = 'Arrakis'")
    changes = history(librarian, f"/books/{dune.pk}/")
    by_hand = changes[:1] if connection.vendor == "postgresql" else changes[:2]
    assert {row["actor"] for row in by_hand if row["actor"] is None} == {None}
    found = {d["pointer"]: (d["from"], d["to"]) for row in by_hand for d in row["changes"]}
    assert found == {"/title": ("Dune", "Arrakis"), "/editions/0/pages": (None, 7)}


def test_history_goes_on_when_an_account_is_deleted(librarian, admin):
    made = send(librarian, "POST", "/series/", {"name": "Dune"}, 201)
    key = librarian.user.pk
    librarian.user.delete()
    [row] = history(admin, f"/series/{made['id']}/")
    assert row["actor"] == {"id": key, "name": "deleted account"}


def test_history_comes_in_pages_like_any_list(librarian):
    made = send(librarian, "POST", "/series/", {"name": "0"}, 201)
    path = f"/series/{made['id']}/"
    for number in range(1, 6):
        send(librarian, "PATCH", path, {"name": str(number)})
    page = send(librarian, "GET", f"{path}history/?page_size=2&count=true")
    assert (page["count"], page["previous"]) == (6, None)
    seen = page["results"]
    while page["next"]:
        page = librarian.get(page["next"]).json()
        seen += page["results"]
    assert [row["version"] for row in seen] == [6, 5, 4, 3, 2, 1]
    assert [each["from"] for row in seen for each in row["changes"]] == ["4", "3", "2", "1", "0"]


def test_what_never_was_has_no_history(librarian):
    for url in ("/api/books/999/history/", "/api/films/1/history/", "/api/users/1/history/"):
        assert librarian.get(url).status_code == 404


# Restoring


def whole(client):
    """A book with all there is."""
    body = {
        "title": "Dune",
        "authors": [{"name": "F. Herbert"}],
        "contributions": [],
        "editions": [{"isbn13": isbn(1), "publisher": {"name": "Ace"}}, {"format": "ebook"}],
        "subjects": [{"name": "Deserts"}],
        "series": {"name": "Dune"},
    }
    del body["contributions"]
    return send(client, "POST", "/books/", body, 201)


def test_a_deleted_book_comes_back_as_it_was_with_a_higher_version(admin):
    before = whole(admin)
    path = f"/books/{before['id']}/"
    before = send(admin, "GET", path)
    send(admin, "DELETE", path, status=204)
    last = history(admin, path)[0]
    assert (last["operation"], last["changes"][0]["pointer"]) == ("delete", "")
    assert last["changes"][0]["from"]["title"] == "Dune"
    restored = send(admin, "POST", f"{path}restore/")
    changed = ("version", "updated_at")
    assert {k: v for k, v in restored.items() if k not in changed} == {
        k: v for k, v in before.items() if k not in changed
    }
    assert restored["version"] == before["version"] + 1
    assert restored == send(admin, "GET", path)
    found = send(admin, "GET", "/books/?search=dune herbert")
    assert [each["id"] for each in found["results"]] == [before["id"]]
    row = send(admin, "GET", "/changes/?kinds=books")["results"][-1]
    assert (row["operation"], row["version"]) == ("upsert", restored["version"])


def test_what_exists_is_409_and_what_never_existed_404(admin):
    dune = book("Dune")
    response = admin.post(f"/api/books/{dune.pk}/restore/")
    assert response.status_code == 409
    assert [each["code"] for each in response.json()["errors"]] == ["exists"]
    assert admin.post("/api/books/999/restore/").status_code == 404
    assert admin.post("/api/films/1/restore/").status_code == 404


def test_what_stands_in_the_way_of_a_restored_object_is_named(admin):
    made = whole(admin)
    path = f"/books/{made['id']}/"
    send(admin, "DELETE", path, status=204)
    send(admin, "DELETE", f"/series/{made['series_id']}/", status=204)
    send(admin, "DELETE", f"/subjects/{made['subject_ids'][0]}/", status=204)
    send(admin, "DELETE", f"/authors/{made['author_ids'][0]}/", status=204)
    other = book("Another", isbns=[isbn(1)])
    response = admin.post(f"/api{path}restore/")
    assert response.status_code == 409
    assert sorted((each["pointer"], each["code"]) for each in response.json()["errors"]) == [
        ("/contributions/0/author_id", "does_not_exist"),
        ("/editions/0/isbn13", "unique"),
        ("/series_id", "does_not_exist"),
        ("/subject_ids/0", "does_not_exist"),
    ]
    assert [each.pk for each in Book.objects.all()] == [other.pk]
    assert not Contribution.objects.exists()
    assert Edition.objects.count() == 1


@pytest.mark.parametrize(
    ("path", "pointers"), [("/publishers/", ["/name"]), ("/subjects/", ["/name", "/slug"])]
)
def test_a_name_that_somebody_has_by_now_is_named(path, pointers, admin):
    made = send(admin, "POST", path, {"name": "Ace"}, 201)
    send(admin, "DELETE", f"{path}{made['id']}/", status=204)
    other = send(admin, "POST", path, {"name": "ACE"}, 201)
    problem = send(admin, "POST", f"{path}{made['id']}/restore/", status=409)
    assert sorted((e["pointer"], e["code"], e["existing_id"]) for e in problem["errors"]) == [
        (pointer, "unique", other["id"]) for pointer in pointers
    ]


def test_every_root_can_be_restored(admin):
    for path, body in [
        ("/authors/", {"name": "F. Herbert", "profile": {"biography": "Born."}}),
        ("/series/", {"name": "Dune"}),
        ("/publishers/", {"name": "Ace"}),
        ("/subjects/", {"name": "Deserts"}),
    ]:
        body = {k: v for k, v in body.items() if k != "profile"}
        made = send(admin, "POST", path, body, 201)
        here = f"{path}{made['id']}/"
        send(admin, "DELETE", here, status=204)
        assert send(admin, "POST", f"{here}restore/")["uid"] == made["uid"]
        send(admin, "DELETE", here, status=204)
        assert send(admin, "POST", f"{here}restore/")["version"] == 3


# Uids of what is gone


def test_a_uid_of_what_was_deleted_is_409_deleted(admin):
    made = send(admin, "POST", "/authors/", {"name": "F. Herbert"}, 201)
    send(admin, "DELETE", f"/authors/{made['id']}/", status=204)
    body = {"name": "Another", "uid": made["uid"]}
    problem = send(admin, "POST", "/authors/", body, 409)
    assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [("/uid", "deleted")]
    problem = send(admin, "POST", "/books/", {"title": "Dune", "authors": [body]}, 409)
    assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [("/authors/0/uid", "deleted")]
    send(admin, "POST", f"/authors/{made['id']}/restore/")
    problem = send(admin, "POST", "/authors/", body, 409)
    assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [("/uid", "unique")]


def test_an_insert_of_an_import_keeps_no_rows(librarian):
    """What comes with a new root is what it is now, taken back to then."""
    whole(librarian)
    assert not RowChange.objects.exists()
    assert Author.objects.count() == Change.objects.filter(kind="authors.author").count() == 1


# What is old


def test_old_history_is_forgotten_and_the_feed_loses_nothing(librarian, settings):
    made = send(librarian, "POST", "/series/", {"name": "0"}, 201)
    path = f"/series/{made['id']}/"
    for name in ("1", "2"):
        send(librarian, "PATCH", path, {"name": name})
    feed = send(librarian, "GET", "/changes/")
    settings.HISTORY_DAYS = 1
    call_command("housekeeping", stdout=StringIO())
    assert len(history(librarian, path)) == 3
    Change.objects.update(at=timezone.now() - timedelta(days=2))
    settings.HISTORY_DAYS = None
    call_command("housekeeping", stdout=StringIO())
    assert len(history(librarian, path)) == 3
    settings.HISTORY_DAYS = 1
    call_command("housekeeping", stdout=StringIO())
    [row] = history(librarian, path)
    assert (row["version"], row["changes"]) == (3, [])
    assert send(librarian, "GET", f"/changes/?after={feed['next_cursor']}")["results"] == []
    assert [row["version"] for row in send(librarian, "GET", "/changes/")["results"]] == [3]


# What is hidden


@pytest.mark.parametrize("way", WAYS)
def test_the_history_of_what_is_hidden_is_hidden(librarian, admin, settings, way):
    settings.ROOT_URLCONF = PROJECTS[way]
    note = Note.objects.create(text="a", owner=admin.user)
    own = Note.objects.create(text="a", owner=librarian.user)
    assert librarian.get(f"/api/notes/{own.pk}/history/").status_code == 200
    assert librarian.get(f"/api/notes/{note.pk}/history/").status_code in (403, 404)
    key = note.pk
    note.delete()
    status = 200 if way in OF_ONE else 404
    assert librarian.get(f"/api/notes/{key}/history/").status_code == status
    assert admin.get(f"/api/notes/{key}/history/").status_code == 200


def test_what_is_hidden_is_told_as_deleted_with_id_and_uid_alone(member, admin, settings):
    settings.ROOT_URLCONF = PROJECTS["get_queryset"]
    other = Note.objects.create(text="a", owner=admin.user)
    own = Note.objects.create(text="a", owner=member.user)
    rows = send(member, "GET", "/changes/?kinds=notes&documents=true")["results"]
    assert rows[0] == {
        "kind": "notes",
        "id": other.pk,
        "uid": str(other.uid),
        "operation": "delete",
    }
    assert (rows[1]["id"], rows[1]["operation"]) == (own.pk, "upsert")
    assert rows[1]["document"]["text"] == "a"


def test_of_what_is_private_nobody_else_is_told_that_it_was_deleted(
    member, admin, settings, monkeypatch
):
    settings.ROOT_URLCONF = PROJECTS["get_queryset"]
    monkeypatch.setattr(Note, "private_to", "owner")
    emit_post_migrate_signal(0, False, connection.alias, plan=[])
    other = Note.objects.create(text="a", owner=admin.user)
    own = Note.objects.create(text="a", owner=member.user)
    keys = other.pk, own.pk
    url = "/changes/?kinds=notes"
    assert [row["id"] for row in send(member, "GET", url)["results"]] == [keys[1]]
    other.delete()
    own.delete()
    told = [(row["id"], row["operation"]) for row in send(member, "GET", url)["results"]]
    assert told == [(keys[1], "delete")]
    monkeypatch.undo()
    emit_post_migrate_signal(0, False, connection.alias, plan=[])


def test_the_admin_shows_who_has_changed_what(client, librarian):
    made = send(librarian, "POST", "/series/", {"name": "Dune"}, 201)
    send(librarian, "PATCH", f"/series/{made['id']}/", {"name": "Arrakis"})
    client.force_login(librarian.user)
    page = client.get(f"/admin/books/series/{made['id']}/history/")
    assert page.status_code == 200
    text = " ".join(page.text.split())
    assert "update, version 2 <div><code>/name</code>: Dune → Arrakis</div>" in text
    assert "<td>librarian</td> <td> create, version 1" in text
    assert client.get("/admin/books/series/abc/history/").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_the_admins_history_is_read_alone(client, librarian):
    made = send(librarian, "POST", "/series/", {"name": "Dune"}, 201)
    client.force_login(librarian.user)
    assert client.post(f"/admin/books/series/{made['id']}/history/").status_code == 405
