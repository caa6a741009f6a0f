"""Does the feed give every change, once, in an order in which nothing comes late?"""

import io
import json
from base64 import urlsafe_b64encode
from contextlib import contextmanager

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from authors.models import Author, AuthorProfile
from books.models import Book, Contribution, Edition, Series, Subject
from project.api.changes import positions, triggers
from project.api.changes.models import Change
from project.api.changes.tracking import Tracked
from project.api.models import Definition
from project.api.writes.attribution import attribute_writes, merging_into, program
from tests.catalogue import book, names_writer, send
from tests.models import Coin, Note, Remark

pytestmark = pytest.mark.django_db

CHANGES = "/api/changes/"


def get(client, url):
    response = client.get(url)
    assert response.status_code == 200, response.content
    return response.json()


def feed(client, **query):
    """All pages from here on, and the cursor behind them."""
    results = []
    while True:
        page = get(client, f"{CHANGES}?" + "&".join(f"{k}={v}" for k, v in query.items()))
        results += page["results"]
        query["after"] = page["next_cursor"]
        if page["next"] is None:
            return results, page["next_cursor"]


def told(client, after=None, **query):
    """Kind, id and operation of what has changed since."""
    query |= {} if after is None else {"after": after}
    return [(each["kind"], each["id"], each["operation"]) for each in feed(client, **query)[0]]


def codes(response):
    return [(each["parameter"], each["code"]) for each in response.json()["errors"]]


def author(name):
    return Author.objects.create(name=name)


@contextmanager
def since(client, **query):
    """What is told of what happens in here: the list is filled in at the end."""
    found = []
    _, cursor = feed(client, **query)
    yield found
    found += told(client, cursor, **query)


def execute(*statements):
    with connection.cursor() as cursor:
        for sql, *params in statements:
            cursor.execute(sql, params)


# What is told


def test_the_feed_begins_with_all_that_exists(member):
    herbert, dune = author("Frank Herbert"), book("Dune")
    page = get(member, CHANGES)
    moments = [row["at"] for row in page["results"]]
    assert page == {
        "next": None,
        "next_cursor": page["next_cursor"],
        "results": [
            {
                "kind": kind,
                "id": each.pk,
                "uid": str(each.uid),
                "operation": "upsert",
                "version": 1,
                "at": at,
            }
            for kind, each, at in zip(["authors", "books"], [herbert, dune], moments, strict=True)
        ],
    }
    assert all(each.endswith("Z") for each in moments)


def test_an_object_stands_in_the_feed_once_at_its_last_change(librarian):
    one, two = book("One"), book("Two")
    send(librarian, "PATCH", f"/books/{one.pk}/", {"title": "One more"})
    assert told(librarian) == [("books", two.pk, "upsert"), ("books", one.pk, "upsert")]
    assert [row["version"] for row in feed(librarian)[0]] == [1, 2]


def test_a_page_is_full_and_the_next_one_goes_on(member):
    made = [book(f"Book {i}") for i in range(5)]
    url = f"{CHANGES}?page_size=2"
    pages = []
    while url:
        page = get(member, url)
        pages.append([row["id"] for row in page["results"]])
        url = page["next"]
    keys = [each.pk for each in made]
    assert pages == [keys[:2], keys[2:4], keys[4:]]


def test_an_empty_page_has_the_cursor_that_it_was_asked_with(member):
    empty = get(member, CHANGES)
    assert (empty["next"], empty["results"]) == (None, [])
    book("Dune")
    _, cursor = feed(member)
    page = get(member, f"{CHANGES}?after={cursor}")
    assert page == {"next": None, "next_cursor": cursor, "results": []}


def test_a_page_of_some_kinds_is_filled_with_these(member):
    made = []
    for i in range(3):
        book(f"Book {i}")
        made.append(author(f"Author {i}"))
    page = get(member, f"{CHANGES}?kinds=authors&page_size=3")
    assert [row["id"] for row in page["results"]] == [each.pk for each in made]
    assert page["next"] is None
    assert len(told(member, kinds="authors,books")) == 6
    assert len(get(member, f"{CHANGES}?kinds=authors&kinds=books")["results"]) == 6


def test_a_document_is_what_get_gives_now(librarian):
    body = {
        "title": "Dune",
        "authors": [{"name": "Frank Herbert"}],
        "editions": [{"format": "ebook", "pages": 3}],
    }
    made = send(librarian, "POST", "/books/", body, 201)
    found = {row["kind"]: row["document"] for row in feed(librarian, documents="true")[0]}
    author = made["author_ids"][0]
    assert found == {
        "books": send(librarian, "GET", f"/books/{made['id']}/"),
        "authors": send(librarian, "GET", f"/authors/{author}/"),
    }


def test_a_deleted_object_stays_as_deleted(admin):
    dune = book("Dune")
    _, cursor = feed(admin)
    send(admin, "DELETE", f"/books/{dune.pk}/", status=204)
    [row] = feed(admin, after=cursor, documents="true")[0]
    assert row == {
        "kind": "books",
        "id": dune.pk,
        "uid": str(dune.uid),
        "operation": "delete",
        "version": 1,
        "at": row["at"],
        "actor": {"id": admin.user.pk, "name": "admin"},
    }
    assert told(admin) == [("books", dune.pk, "delete")]


def test_librarians_see_who_it_was_and_members_do_not(librarian, member, admin):
    send(librarian, "POST", "/books/", {"title": "Dune"}, 201)
    actor = {"id": librarian.user.pk, "name": "librarian"}
    assert [row["actor"] for row in feed(librarian)[0]] == [actor]
    assert [row.keys() & {"actor"} for row in feed(member)[0]] == [set()]
    librarian.user.delete()
    assert [row["actor"]["name"] for row in feed(admin)[0]] == ["deleted account"]


def test_an_author_is_told_and_not_the_books_that_show_the_name(librarian):
    dune = book("Dune", [author("Herbert")])
    herbert = dune.authors.get()
    with since(librarian) as found:
        send(librarian, "PATCH", f"/authors/{herbert.pk}/", {"name": "Frank Herbert"})
    assert found == [("authors", herbert.pk, "upsert")]


def test_what_was_merged_says_where_it_went(admin):
    old, new = Author.objects.create(name="Old"), Author.objects.create(name="New")
    with program("merge"), attribute_writes(), merging_into(new.pk):
        key = old.pk
        old.delete()
    row = feed(admin, kinds="authors")[0][-1]
    assert row == {
        "kind": "authors",
        "id": key,
        "uid": str(old.uid),
        "operation": "delete",
        "version": 1,
        "at": row["at"],
        "actor": {"id": None, "name": "merge"},
        "merged_into": {"id": new.pk, "uid": str(new.uid)},
    }


# Whoever writes


def test_a_nested_write_tells_of_all_roots_that_it_touches(librarian):
    series = Series.objects.create(name="Dune")
    with since(librarian) as found:
        body = {"title": "Dune", "authors": [{"name": "F. Herbert"}], "series_id": series.pk}
        made = send(librarian, "POST", "/books/", body, 201)
    assert sorted(found) == [
        ("authors", made["author_ids"][0], "upsert"),
        ("books", made["id"], "upsert"),
    ]


def test_a_deletion_tells_of_those_that_let_go(admin):
    series = Series.objects.create(name="Dune")
    kept = book("Dune", series=series)
    with since(admin) as found:
        send(admin, "DELETE", f"/series/{series.pk}/", status=204)
    assert sorted(found) == [("books", kept.pk, "upsert"), ("series", series.pk, "delete")]


def test_a_hand_with_sql_is_told_with_nobody(librarian):
    dune = book("Dune", [author("Herbert")])
    herbert = dune.authors.get()
    with since(librarian) as found:
        execute(["UPDATE authors_author SET name = 'H' WHERE id = %s", herbert.pk])
    assert found == [("authors", herbert.pk, "upsert")]
    assert "actor" not in feed(librarian)[0][-1]


def test_what_a_root_owns_tells_of_the_root_whoever_writes_it(member):
    dune, emma = book("Dune", [author("Herbert")]), book("Emma")
    herbert = dune.authors.get()
    profile = AuthorProfile.objects.create(author=herbert)
    subject = Subject.objects.create(name="Deserts")
    edition = Edition.objects.create(book=dune)
    both = sorted([("books", dune.pk, "upsert"), ("books", emma.pk, "upsert")])
    for change, expected in [
        (lambda: Edition.objects.filter(pk=edition.pk).update(pages=3), both[:1]),
        (lambda: Edition.objects.filter(pk=edition.pk).update(book=emma), both),
        (lambda: Edition.objects.filter(pk=edition.pk)._raw_delete("default"), both[1:]),
        (lambda: Edition.objects.bulk_create([Edition(book=dune), Edition(book=emma)]), both),
        (lambda: Contribution.objects.update(credited_as="H"), both[:1]),
        (lambda: dune.subjects.add(subject), both[:1]),
        (lambda: dune.subjects.clear(), both[:1]),
        (
            lambda: AuthorProfile.objects.filter(pk=profile.pk).update(biography="Born."),
            [("authors", herbert.pk, "upsert")],
        ),
    ]:
        with since(member) as found:
            change()
        assert sorted(found) == expected


def test_the_import_is_told_by_its_name(librarian, tmp_path):
    file = tmp_path / "books.jsonl"
    rows = [{"title": f"Book {i}", "authors": [{"name": f"Author {i}"}]} for i in range(3)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    call_command("import_books", str(file), stdout=io.StringIO(), stderr=io.StringIO())
    rows, _ = feed(librarian)
    assert sorted(row["kind"] for row in rows) == ["authors"] * 3 + ["books"] * 3
    assert {json.dumps(row["actor"]) for row in rows} == {'{"id": null, "name": "import"}'}


def test_the_admin_is_told_with_who_was_there(client, librarian):
    client.force_login(librarian.user)
    herbert = author("Herbert")
    with since(librarian) as found:
        body = {
            "name": "Frank Herbert",
            "sort_name": "",
            "kind": "",
            "birth_year": "1920",
            "death_year": "",
            "openlibrary_key": "",
            "profile-TOTAL_FORMS": 0,
            "profile-INITIAL_FORMS": 0,
            "other_names-TOTAL_FORMS": 0,
            "other_names-INITIAL_FORMS": 0,
        }
        answer = client.post(f"/admin/authors/author/{herbert.pk}/change/", body)
        assert answer.status_code == 302
    assert found == [("authors", herbert.pk, "upsert")]
    row = feed(librarian)[0][-1]
    assert (row["version"], row["actor"]["name"]) == (2, "librarian")


def test_a_root_that_a_plugin_adds_is_recorded_with_what_it_owns():
    note = Note.objects.create(text="Remember")
    Remark.objects.create(note=note, text="Well")
    note.delete()
    coin = Coin.objects.create()
    operations = {
        kind: list(
            Change.objects.filter(kind=kind).order_by("id").values_list("operation", flat=True)
        )
        for kind in ("tests.note", "tests.coin")
    }
    assert operations["tests.coin"] == ["create"]
    first, *_, last = operations["tests.note"]
    assert (first, last) == ("create", "delete")
    assert Remark.objects.count() == 0
    assert coin.pk


def test_a_write_that_is_taken_back_is_not_told(librarian):
    with since(librarian) as found:
        with transaction.atomic():
            book("Dune")
            transaction.set_rollback(True)
        assert feed(librarian)[0] == []
    assert found == []


def test_the_key_of_a_row_never_changes():
    dune = book("Dune")
    with pytest.raises(Exception, match="never changes"), transaction.atomic():
        Book.objects.filter(pk=dune.pk).update(id=dune.pk + 1000)


def test_a_transaction_names_its_writer_once(librarian):
    def naming(call):
        with CaptureQueriesContext(connection) as queries:
            call()
        return len([each for each in queries if names_writer(each["sql"])])

    number = 1 if connection.vendor == "postgresql" else 2
    body = {"title": "Dune", "authors": [{"name": "Herbert"}], "editions": [{"pages": 3}]}
    assert naming(lambda: send(librarian, "POST", "/books/", body, 201)) == number
    dune = Book.objects.get()
    assert naming(lambda: send(librarian, "DELETE", f"/books/{dune.pk}/", status=204)) == number


@pytest.mark.parametrize("given", ["abc-1", "x" * 101, "a b", "ä", ""])
def test_a_change_has_the_id_of_its_request(librarian, given):
    response = librarian.post(
        "/api/books/", {"title": "Dune"}, format="json", headers={"X-Request-ID": given}
    )
    assert response.status_code == 201
    [change] = Change.objects.all()
    if given == "abc-1":
        assert change.request == given
    else:
        assert len(change.request) == 36


# What is asked


def test_an_unknown_kind_is_400_and_says_which_there_are(member):
    response = member.get(f"{CHANGES}?kinds=books,films")
    assert (response.status_code, codes(response)) == (400, [("kinds", "unknown")])
    assert "authors, books, publishers, series, subjects" in response.json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "p=abc", "é", "%00", "1", "9" * 200),
        *(
            urlsafe_b64encode(text).decode()
            for text in (
                b"",
                b"1",
                b"1.2",
                b"-1.2.3.member",
                b"1.2.3.\xff",
                b"01.2.3.m",
                b"1.x.3.m",
            )
        ),
    ],
)
def test_a_broken_cursor_is_400(member, cursor):
    response = member.get(CHANGES, {"after": cursor})
    assert response.status_code == 400
    assert codes(response) in ([("after", "invalid")], [("after", "blank")])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("page_size=501", "invalid"),
        ("page_size=0", "invalid"),
        ("documents=2", "invalid"),
        ("documents=true&documents=true", "repeated"),
        ("after=", "blank"),
        ("cursor=x", "unknown"),
        ("ordering=id", "unknown"),
    ],
)
def test_what_the_feed_does_not_understand_is_400(member, query, code):
    response = member.get(f"{CHANGES}?{query}")
    assert (response.status_code, codes(response)) == (400, [(query.split("=")[0], code)])


def test_a_page_has_at_most_500(member):
    Author.objects.bulk_create(Author(name=f"A{i}", sort_name=f"A{i}") for i in range(501))
    page = get(member, f"{CHANGES}?page_size=500")
    assert (len(page["results"]), page["next"] is None) == (500, False)


def test_a_changed_role_ends_old_cursors(member, librarian):
    book("Dune")
    _, cursor = feed(member)
    member.user.role = "librarian"
    member.user.save()
    response = member.get(CHANGES, {"after": cursor})
    assert (response.status_code, response.json()["code"]) == (410, "resync")
    assert librarian.get(CHANGES, {"after": cursor}).status_code == 410


def test_a_page_costs_the_same_whatever_is_on_it(member):
    def queries():
        with CaptureQueriesContext(connection) as found:
            get(member, f"{CHANGES}?documents=true&page_size=500")
        return len(found)

    counts = []
    for number in (1, 50):
        for i in range(number):
            book(f"Book {number} {i}", [author(f"Author {number} {i}")])
        positions.give("default")
        counts.append(queries())
    assert len(set(counts)) == 1
    # Who asks is two; the nonce twice, the rows, what is pending, the documents of two kinds.
    assert counts[0] <= 10


# Restores


def test_a_cursor_of_a_future_that_did_not_happen_is_410(member):
    book("Before")
    _, before = feed(member)
    kept = state()
    book("Lost")
    _, lost = feed(member)
    restore(kept)
    # As many changes, and more.
    for i in range(3):
        book(f"After {i}")
    assert len(told(member, before)) == 3
    response = member.get(CHANGES, {"after": lost})
    assert (response.status_code, response.json()["code"]) == (410, "resync")
    execute(["DELETE FROM books_book"])
    restore(kept)
    assert member.get(CHANGES, {"after": lost}).status_code == 410
    assert told(member, before) == []


# What triggers add to the others while it is filled is taken away with them.
OWN = ["changes_change", "changes_batch", "changes_entry", "changes_feed", "changes_pending"]


def state():
    """The rows of the feed's tables and of the books, as a dump has them."""
    rows = {}
    with connection.cursor() as cursor:
        for table in ("books_book", *OWN):
            cursor.execute(f"SELECT * FROM {table}")
            names = [each[0] for each in cursor.description]
            rows[table] = (names, cursor.fetchall())
    return rows


def restore(rows):
    """As a dump is restored: whole tables, with the sequences."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM books_book")
        for table, (names, values) in rows.items():
            cursor.execute(f"DELETE FROM {table}")
            quoted = ", ".join(f'"{name}"' for name in names)
            marks = ", ".join(["%s"] * len(names))
            for row in values:
                cursor.execute(f"INSERT INTO {table} ({quoted}) VALUES ({marks})", row)
            for own in OWN if table == "books_book" else ():
                cursor.execute(f"DELETE FROM {own}")
        if connection.vendor == "sqlite":
            cursor.execute(
                "UPDATE sqlite_sequence SET seq = (SELECT max(id) FROM changes_change)"
                " WHERE name = 'changes_change'"
            )


# Triggers that are away


@pytest.mark.django_db(transaction=True)
def test_what_is_written_while_a_trigger_is_away_is_told_by_the_next_migrate(member, client):
    old, changed, gone = book("Old"), book("Changed"), book("Gone")
    _, cursor = feed(member)
    # That this version's were there before is no excuse.
    emit_post_migrate_signal(0, False, connection.alias, plan=[])
    drop = "DROP TRIGGER changes_books_book_{}"
    if connection.vendor == "postgresql":
        drop += " ON books_book"
    execute(*([drop.format(event)] for event in ("insert", "update", "delete")))
    assert client.get("/readyz").status_code == 503
    [fault] = [each for each in run_checks(databases=["default"]) if each.id == "api.W002"]
    assert fault.msg == "Changes of books_book are not recorded: run `manage.py migrate`."
    new, key = book("New"), gone.pk
    Book.objects.filter(pk=changed.pk).update(title="Changed indeed", version=2)
    gone.delete()
    assert told(member, cursor) == []
    emit_post_migrate_signal(0, False, connection.alias, plan=[])
    assert client.get("/readyz").status_code == 200
    assert sorted(told(member, cursor)) == sorted(
        [
            ("books", new.pk, "upsert"),
            ("books", changed.pk, "upsert"),
            ("books", key, "delete"),
        ]
    )
    assert old.pk in {key for _, key, _ in told(member)}


@pytest.mark.django_db(transaction=True)
def test_a_server_of_the_version_before_serves_on_with_a_later_versions_triggers(
    member, client, monkeypatch
):
    def migrate():
        triggers.dialect(connection).triggers_of.cache_clear()
        emit_post_migrate_signal(0, False, connection.alias, plan=[])
        triggers.dialect(connection).triggers_of.cache_clear()

    migrate()
    _, cursor = feed(member)
    columns = Tracked.columns.fget
    with monkeypatch.context() as patch:
        fewer = property(lambda self: [each for each in columns(self) if each != "subtitle"])
        patch.setattr(Tracked, "columns", fewer)
        migrate()
    assert client.get("/readyz").status_code == 200
    assert [each for each in run_checks(databases=["default"]) if each.id == "api.W002"] == []
    # Nothing was missed, so nothing is told anew.
    assert told(member, cursor) == []
    made = book("Dune")
    assert told(member, cursor) == [("books", made.pk, "upsert")]
    # A server whose version was never here waits for its own.
    Definition.objects.all().delete()
    assert client.get("/readyz").status_code == 503
    migrate()
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_catalogue_that_has_no_feed_yet_is_in_it_after_migrate(member):
    dune = book("Dune", [author("Herbert")])
    Book.objects.filter(pk=dune.pk).update(version=7)
    with connection.cursor() as cursor:
        engine = triggers.dialect(connection)
        engine.drop(cursor, engine.read_triggers(cursor))
        for table in triggers.OWN_TABLES:
            cursor.execute(f"DELETE FROM {table}")
    emit_post_migrate_signal(0, False, connection.alias, plan=[])
    rows, _ = feed(member)
    assert sorted((row["kind"], row["version"]) for row in rows) == [("authors", 1), ("books", 7)]
    [found] = [row["at"] for row in rows if row["kind"] == "books"]
    assert found == send(member, "GET", f"/books/{dune.pk}/")["updated_at"]


@pytest.mark.django_db(transaction=True)
def test_after_flush_old_cursors_end(member):
    book("Dune")
    _, cursor = feed(member)
    role = member.user.role
    call_command("flush", interactive=False, verbosity=0)
    assert Change.objects.count() == 0
    member.user.save(force_insert=True)
    member.force_authenticate(member.user)
    assert member.user.role == role
    response = member.get(CHANGES, {"after": cursor})
    assert (response.status_code, response.json()["code"]) == (410, "resync")
    book("Emma")
    assert len(told(member)) == 1


def test_truncate_is_told(member):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no TRUNCATE.")
    dune = book("Dune", [author("Herbert")])
    _, cursor = feed(member)
    execute(["SET CONSTRAINTS ALL IMMEDIATE"], ["TRUNCATE books_contribution"])
    assert told(member, cursor) == [("books", dune.pk, "upsert")]
    _, cursor = feed(member)
    execute(["TRUNCATE books_book CASCADE"])
    assert told(member, cursor) == [("books", dune.pk, "delete")]
