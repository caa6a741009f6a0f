"""Is an author known by all their names: pseudonyms, other spellings and scripts?"""

import json
from unicodedata import normalize

import pytest
from django.core.management import call_command
from django.db import connection

from authors.models import Author, OtherName
from books.importing import import_file
from tests.catalogue import book, everything, faults, send, statements

pytestmark = pytest.mark.django_db

CYRILLIC = "Фёдор Достоевский"


def names(author):
    return [each["name"] for each in author["other_names"]]


def found(client, path, words):
    page = send(client, "GET", f"/{path}/?search={words}&exact=true")
    return [each.get("name") or each["title"] for each in page["results"]]


def test_other_names_are_written_with_their_author(librarian):
    body = {"name": "Mark Twain", "other_names": [{"name": "Samuel Langhorne Clemens"}]}
    made = send(librarian, "POST", "/authors/", body, 201)
    [clemens] = made["other_names"]
    assert made["other_names"] == [
        {
            "id": clemens["id"],
            "name": "Samuel Langhorne Clemens",
            "sort_name": "Clemens, Samuel Langhorne",
        }
    ]
    url = f"/authors/{made['id']}/"
    body = {"other_names": [{"id": clemens["id"], "sort_name": "Clemens"}, {"name": "Sieur Louis"}]}
    changed = send(librarian, "PATCH", url, body)
    assert [(each["name"], each["sort_name"]) for each in changed["other_names"]] == [
        ("Samuel Langhorne Clemens", "Clemens"),
        ("Sieur Louis", "Louis, Sieur"),
    ]
    assert changed["version"] == 2
    assert send(librarian, "PUT", url, changed) == changed == send(librarian, "GET", url)
    assert names(send(librarian, "PATCH", url, {"other_names": []})) == []


def test_names_are_stored_in_one_spelling(librarian):
    body = {"name": "A", "other_names": [{"name": normalize("NFD", f" {CYRILLIC}  мл. ")}]}
    assert names(send(librarian, "POST", "/authors/", body, 201)) == [f"{CYRILLIC} мл."]


@pytest.mark.parametrize(
    ("items", "status", "where"),
    [
        ([{"name": " "}], 400, [("/other_names/0/name", "blank")]),
        ([{"sort_name": "B"}], 400, [("/other_names/0/name", "required")]),
        ([{"name": "x" * 301}], 400, [("/other_names/0/name", "max_length")]),
        ([{"id": 1}], 409, [("/other_names/0/id", "does_not_exist")]),
        ([{"name": "B"}, {"name": "B"}], 400, [("/other_names/1", "duplicate")]),
        (None, 400, [("/other_names", "null")]),
        ([{"name": f"{n}"} for n in range(201)], 400, [("/other_names", "max_length")]),
    ],
)
def test_what_is_wrong_with_a_name_is_told_at_its_place(librarian, items, status, where):
    problem = send(librarian, "POST", "/authors/", {"name": "A", "other_names": items}, status)
    assert faults(problem) == where
    assert not Author.objects.exists()


def test_another_authors_name_is_not_taken_away(librarian):
    one, other = (Author.objects.create(name=name) for name in "AB")
    key = OtherName.objects.create(author=one, name="C").pk
    problem = send(librarian, "PATCH", f"/authors/{other.pk}/", {"other_names": [{"id": key}]}, 409)
    assert faults(problem) == [("/other_names/0/id", "does_not_exist")]


def test_names_may_be_swapped(librarian):
    author = Author.objects.create(name="A")
    one, other = (OtherName.objects.create(author=author, name=name).pk for name in "BC")
    body = {"other_names": [{"id": one, "name": "C"}, {"id": other, "name": "B"}]}
    assert names(send(librarian, "PATCH", f"/authors/{author.pk}/", body)) == ["C", "B"]


def test_an_author_and_their_books_are_found_by_any_name(librarian):
    made = send(librarian, "POST", "/authors/", {"name": "Fyodor Dostoevsky"}, 201)
    stored = book("Idiot", [Author.objects.get()])
    assert found(librarian, "authors", "достоевский") == []
    url = f"/authors/{made['id']}/"
    changed = send(librarian, "PATCH", url, {"other_names": [{"name": CYRILLIC}]})
    for words in ("достоевский", "Фёдор", "dostoevsky"):
        assert found(librarian, "authors", words) == ["Fyodor Dostoevsky"]
        assert found(librarian, "books", words) == ["Idiot"]
    # The author's own name goes, and the other one has the word still.
    send(librarian, "PATCH", url, {"name": "F. Достоевский"})
    send(librarian, "PATCH", url, {"name": "F. D."})
    assert found(librarian, "books", "достоевский") == ["Idiot"]
    key = changed["other_names"][0]["id"]
    send(librarian, "PATCH", url, {"other_names": [{"id": key, "name": "Dostojewski"}]})
    assert found(librarian, "books", "достоевский") == []
    assert found(librarian, "books", "dostojewski") == ["Idiot"]
    # Books that come and change later have it, too.
    new = {"title": "Demons", "author_ids": [made["id"]]}
    send(librarian, "POST", "/books/", new, 201)
    send(librarian, "PATCH", f"/books/{stored.pk}/", {"title": "The Idiot"})
    assert found(librarian, "books", "dostojewski") == ["The Idiot", "Demons"]
    call_command("reindex", "--check")
    send(librarian, "PATCH", url, {"other_names": []})
    assert found(librarian, "books", "dostojewski") == found(librarian, "authors", "dost") == []
    call_command("reindex", "--check")


def test_a_new_author_of_a_new_book_is_found_by_any_name(librarian):
    body = {"name": "A", "other_names": [{"name": "Pseudonym"}], "books": [{"title": "B"}]}
    send(librarian, "POST", "/authors/", body, 201)
    assert found(librarian, "books", "pseudonym") == ["B"]
    call_command("reindex", "--check")


@pytest.mark.parametrize("number", [1, 5, 200])
def test_names_cost_the_same_however_many_there_are(librarian, number):
    items = [{"name": f"Name {n}"} for n in range(number)]
    body = {"name": "A", "other_names": items}
    created = statements(lambda: send(librarian, "POST", "/authors/", body, 201))
    url = f"/authors/{Author.objects.get().pk}/"
    items = send(librarian, "GET", url)["other_names"]
    edited = [{**each, "name": f"{each['name']}, too"} for each in items]
    changed = statements(lambda: send(librarian, "PATCH", url, {"other_names": edited}))
    read = statements(lambda: send(librarian, "GET", url))
    counts = {"sqlite": (8, 13, 1), "postgresql": (7, 12, 1)}[connection.vendor]
    assert (len(created), len(changed), len(read)) == counts


@pytest.mark.django_db(transaction=True)
def test_each_write_of_a_name_is_in_the_feed_and_in_the_history(librarian):
    made = send(librarian, "POST", "/authors/", {"name": "A", "other_names": [{"name": "B"}]}, 201)
    [name] = made["other_names"]
    cursor = send(librarian, "GET", "/changes/")["next_cursor"]
    url = f"/authors/{made['id']}/"
    send(librarian, "PATCH", url, {"other_names": [{**name, "name": "C"}]})
    [entry] = send(librarian, "GET", f"/changes/?after={cursor}")["results"]
    assert (entry["kind"], entry["id"], entry["version"]) == ("authors", made["id"], 2)
    last, _ = send(librarian, "GET", f"{url}history/")["results"]
    assert last["changes"] == [
        {"pointer": "/other_names/0/name", "from": "B", "to": "C"},
        {"pointer": "/other_names/0/sort_name", "from": "B", "to": "C"},
    ]


def test_a_deleted_author_comes_back_with_all_names(admin):
    body = {"name": "A", "other_names": [{"name": "B"}, {"name": "C"}]}
    made = send(admin, "POST", "/authors/", body, 201)
    url = f"/authors/{made['id']}/"
    send(admin, "DELETE", url, status=204)
    assert not OtherName.objects.exists()
    send(admin, "POST", f"{url}restore/")
    assert send(admin, "GET", url)["other_names"] == made["other_names"]
    assert found(admin, "authors", "c") == ["A"]


def test_names_go_out_and_come_back_with_the_catalogue(librarian, tmp_path):
    body = {"name": "A", "other_names": [{"name": CYRILLIC, "sort_name": "Д"}, {"name": "C"}]}
    made = send(librarian, "POST", "/authors/", body, 201)
    file = tmp_path / "catalogue.jsonl"
    call_command("export_catalogue", file)
    [line] = map(json.loads, file.read_text("utf-8").splitlines())
    assert line["document"]["other_names"] == [
        {"name": CYRILLIC, "sort_name": "Д"},
        {"name": "C", "sort_name": "C"},
    ]
    line["document"] |= {"uid": made["uid"].replace(made["uid"][:4], "0000"), "name": "New"}
    file.write_text(json.dumps(line), "utf-8")
    call_command("import_catalogue", file)
    stored = Author.objects.get(name="New")
    assert [*stored.other_names.values_list("name", "sort_name")] == [(CYRILLIC, "Д"), ("C", "C")]


# Imported


@pytest.fixture
def run(tmp_path):
    def run(*rows):
        path = tmp_path / "file"
        path.write_text("".join(f"{row}\n" for row in rows), "utf-8")
        return import_file(path)

    return run


def dumped(key, name, *others, **more):
    """An author in a dump of the Open Library."""
    record = {"key": f"/authors/{key}", "name": name, "alternate_names": list(others), **more}
    return "\t".join(["/type/author", record["key"], "1", "2020-01-01", json.dumps(record)])


def written_by(*names):
    return json.dumps({"title": "Jane Eyre", "authors": [{"name": name} for name in names]})


def test_names_come_from_a_dump_of_authors_and_find_them(run):
    run(dumped("OL1A", "Charlotte Brontë", "Currer Bell", " Currer  Bell", "", "x" * 301))
    author = Author.objects.get()
    assert [*author.other_names.values_list("name", "sort_name")] == [
        ("Currer Bell", "Bell, Currer")
    ]
    before = everything()
    row = dumped("OL1A", "Charlotte Brontë", "Currer Bell", "Charlotte Brontë")
    assert run(row).has_changed_nothing
    assert everything() == before
    report = run(dumped("OL1A", "Charlotte Brontë", "Ch. Brontë"))
    assert report.counts["authors"].changed == 1
    author.refresh_from_db()
    assert (author.version, author.other_names.count()) == (2, 2)
    report = run(written_by("Currer Bell"))
    assert report.counts["authors"].created == 0
    assert [*author.contributions.values_list("book__title", flat=True)] == ["Jane Eyre"]
    before = everything()
    for name in ("Currer Bell", "Charlotte Brontë"):
        assert run(written_by(name)).has_changed_nothing
    assert everything() == before
    call_command("reindex", "--check")


def test_a_name_of_several_authors_finds_none(run):
    run(dumped("OL1A", "One", "Same"), dumped("OL2A", "Two", "Same"))
    assert run(written_by("Same")).counts["authors"].created == 1
    assert Author.objects.get(name="Same").contributions.count() == 1


def test_a_name_does_not_find_who_was_born_in_another_year(run):
    run(dumped("OL1A", "One", "Same", birth_date="1816"))
    author = {"name": "Same", "birth_year": 1900}
    run(json.dumps({"title": "X", "authors": [author]}))
    assert Author.objects.get(name="Same").birth_year == 1900
