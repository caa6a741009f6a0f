"""Are two objects one after a merger, for whoever reads, writes or imports?"""

import io
import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import models
from rest_framework.permissions import IsAuthenticated

from authors.models import Author, AuthorProfile, OtherName
from books.models import Book, Contribution, Edition, Publisher, Series, Subject
from books.views import AuthorBookViewSet
from project.api.checks import check_mergers
from project.api.models import FormerKey
from project.api.writes.attribution import program
from project.api.writes.former_keys import survivor_of
from project.api.writes.merging import merge as merge_objects
from project.api.writes.unit_of_work import unique_keys
from tests.catalogue import authors, book, credits_of, faults, send, statements
from tests.models import Box, Coin
from tests.test_admin import browser
from tests.test_changes import feed, told
from tests.test_conditional_docs import parts
from tests.test_relations_docs import shown

pytestmark = pytest.mark.django_db


def merge(client, kind, old, new, status=200, **headers):
    response = client.post(
        f"/api/{kind}/{old.pk}/merge/", {"into": new.pk}, format="json", headers=headers
    )
    assert response.status_code == status, response.content
    return response.json()


def titles(client, search):
    found = send(client, "GET", f"/books/?search={search}&exact=true&fields=title")
    return [each["title"] for each in found["results"]]


# What becomes of the two


def test_the_survivor_gets_what_it_did_not_know(admin):
    old = Author.objects.create(
        name="S. King", birth_year=1947, death_year=2050, openlibrary_key="OL9A", kind="person"
    )
    AuthorProfile.objects.create(author=old, biography="Born in Maine.")
    new = Author.objects.create(name="Stephen King", birth_year=1946)
    before = send(admin, "GET", f"/authors/{new.pk}/")
    merged = merge(admin, "authors", old, new)
    profile = {"biography": "Born in Maine.", "website": None}
    assert merged == {
        **before,
        "sort_name": "King, Stephen",
        "other_names": [
            {"id": OtherName.objects.get().pk, "name": "S. King", "sort_name": "King, S."}
        ],
        "kind": "person",
        "death_year": 2050,
        "openlibrary_key": "OL9A",
        "profile": {"id": merged["profile_id"], **profile},
        "profile_id": merged["profile_id"],
        "version": 2,
        "updated_at": merged["updated_at"],
    }
    assert send(admin, "GET", f"/authors/{new.pk}/") == merged
    assert not Author.objects.filter(pk=old.pk).exists()


def test_of_what_both_own_the_survivors_is_filled(admin):
    old, new = authors("Bachman", "King")
    AuthorProfile.objects.create(author=old, biography="Old.", website="https://example.org/")
    kept = AuthorProfile.objects.create(author=new, biography="New.")
    merged = merge(admin, "authors", old, new)
    assert merged["profile"] == {
        "id": kept.pk,
        "biography": "New.",
        "website": "https://example.org/",
    }
    assert AuthorProfile.objects.count() == 1


def test_what_contradicts_what_the_survivor_knows_is_left_out(admin):
    old = Author.objects.create(name="A", birth_year=1950, death_year=1990)
    new = Author.objects.create(name="A", death_year=1900)
    merged = merge(admin, "authors", old, new)
    assert (merged["birth_year"], merged["death_year"]) == (None, 1900)


def test_books_go_over_and_keep_the_name_on_the_title_page(admin):
    old, new, other = authors("Richard Bachman", "Stephen King", "Peter Straub")
    thinner = book("Thinner", [old])
    talisman = book("The Talisman", [other, (old, "editor")])
    talisman.contributions.filter(author=old).update(credited_as="R. B.")
    merged = merge(admin, "authors", old, new)
    assert merged["book_ids"] == [thinner.pk, talisman.pk]
    [row] = send(admin, "GET", f"/books/{thinner.pk}/")["contributions"]
    assert (row["author_id"], row["credited_as"]) == (new.pk, "Richard Bachman")
    rows = send(admin, "GET", f"/books/{talisman.pk}/")["contributions"]
    assert [(row["author_id"], row["credited_as"]) for row in rows] == [
        (other.pk, ""),
        (new.pk, "R. B."),
    ]
    assert sorted(titles(admin, "stephen")) == ["The Talisman", "Thinner"]
    # By the other name of the author, too.
    assert sorted(titles(admin, "bachman")) == ["The Talisman", "Thinner"]


def test_the_name_that_goes_is_another_name_with_those_that_it_had(admin):
    old, new = authors("Richard Bachman", "Stephen King")
    for author, name in ((old, "R. Bachman"), (old, "S. King"), (new, "S. King")):
        author.other_names.create(name=name)
    carrie = book("Carrie", [new])
    merged = merge(admin, "authors", old, new)
    names = ["R. Bachman", "S. King", "Richard Bachman"]
    assert sorted(each["name"] for each in merged["other_names"]) == sorted(names)
    assert OtherName.objects.get(name="Richard Bachman").sort_name == "Bachman, Richard"
    assert titles(admin, "richard bachman") == [carrie.title]
    found = send(admin, "GET", "/authors/?search=bachman&fields=id")["results"]
    assert found == [{"id": new.pk}]


@pytest.mark.parametrize("other", ["King", "Stephen King"])
def test_a_name_that_the_survivor_has_is_no_other_name_once_more(admin, other):
    old, new = authors(other, "Stephen King")
    new.other_names.create(name="King")
    merge(admin, "authors", old, new)
    assert [each.name for each in new.other_names.all()] == ["King"]


@pytest.mark.parametrize("name", ["J. R. R. Tolkien", "Tolkien, J. R. R.", "j.r.r. tolkien"])
def test_the_same_words_are_no_other_name(admin, name):
    old, new = authors(name, "J.R.R. Tolkien")
    hobbit = book("The Hobbit", [old])
    merge(admin, "authors", old, new)
    assert hobbit.contributions.get().credited_as == ""


def test_a_book_with_both_keeps_one_row_where_the_first_stood(admin):
    old, new, other = authors("Bachman", "King", "Straub")
    both = book("Both", [old, other, new, (new, "editor"), (old, "narrator")])
    both.contributions.filter(author=old).update(credited_as="R. B.")
    kept = both.contributions.get(author=new, role="author")
    merge(admin, "authors", old, new)
    assert credits_of(both) == [
        (new.pk, "author"),
        (other.pk, "author"),
        (new.pk, "editor"),
        (new.pk, "narrator"),
    ]
    kept.refresh_from_db()
    assert (kept.position, kept.credited_as) == (0, "R. B.")
    both.refresh_from_db()
    assert both.version == 2


def test_publishers_series_and_subjects_hand_on_what_they_have(admin):
    old, new = (Publisher.objects.create(name=name) for name in ("Harper & Row", "Harper"))
    first, second = (Series.objects.create(name=name) for name in ("Dune Saga", "Dune"))
    sf, science_fiction, other = (
        Subject.objects.create(name=name) for name in ("SF", "Science fiction", "Deserts")
    )
    dune = book("Dune", series=first, series_position="1")
    dune.subjects.add(sf, science_fiction)
    emma = book("Emma")
    emma.subjects.add(sf, other)
    edition = Edition.objects.create(book=dune, publisher=old)
    merge(admin, "publishers", old, new)
    merge(admin, "series", first, second)
    merge(admin, "subjects", sf, science_fiction)
    shown = send(admin, "GET", f"/books/{dune.pk}/")
    assert shown["editions"][0]["publisher"]["name"] == "Harper"
    assert shown["editions"][0]["id"] == edition.pk
    assert (shown["series_id"], shown["series_position"]) == (second.pk, "1")
    assert shown["subject_ids"] == [science_fiction.pk]
    assert shown["version"] == 4
    assert sorted(send(admin, "GET", f"/books/{emma.pk}/")["subject_ids"]) == sorted(
        [science_fiction.pk, other.pk]
    )
    assert titles(admin, "saga") == []


# Who may, and on which condition


def test_into_itself_into_nothing_and_without_a_body_it_is_refused(admin):
    [author] = authors("A")
    path = f"/authors/{author.pk}/merge/"
    assert faults(send(admin, "POST", path, {"into": author.pk}, 400)) == [("/into", "invalid")]
    assert faults(send(admin, "POST", path, {"into": 999}, 409)) == [("/into", "does_not_exist")]
    assert faults(send(admin, "POST", path, {}, 400)) == [("/into", "required")]
    assert faults(send(admin, "POST", path, {"into": "7"}, 400)) == [("/into", "invalid")]
    both = {"into": author.pk, "onto": 1}
    assert faults(send(admin, "POST", path, both, 400)) == [("/onto", "unknown")]
    assert send(admin, "POST", "/authors/999/merge/", {"into": author.pk}, 404)["code"] == (
        "not_found"
    )
    author.refresh_from_db()
    assert author.version == 1


def test_if_match_names_what_goes(admin):
    old, new = authors("A", "B")
    stale = admin.post(
        f"/api/authors/{old.pk}/merge/",
        {"into": new.pk},
        format="json",
        headers={"If-Match": '"2"'},
    )
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    current = admin.get(f"/api/authors/{old.pk}/")["ETag"]
    assert stale["ETag"] == current
    response = admin.post(
        f"/api/authors/{old.pk}/merge/",
        {"into": new.pk},
        format="json",
        headers={"If-Match": current},
    )
    assert response.status_code == 200
    assert response["ETag"] == admin.get(f"/api/authors/{new.pk}/")["ETag"]
    assert response["ETag"].startswith('"2.')


def test_a_server_that_demands_a_condition_demands_it(admin, settings):
    settings.PRECONDITIONS_REQUIRED = True
    old, new = authors("A", "B")
    assert merge(admin, "authors", old, new, 428)["code"] == "precondition_required"
    merge(admin, "authors", old, new, **{"If-Match": "*"})


def test_a_merger_that_is_repeated_with_its_key_is_done_once(admin):
    old, new = authors("A", "B")
    first = merge(admin, "authors", old, new, **{"Idempotency-Key": "m-1"})
    assert merge(admin, "authors", old, new, **{"Idempotency-Key": "m-1"}) == first
    assert merge(admin, "authors", old, new, 410)["code"] == "merged"


# After it


def test_reading_the_old_leads_to_the_survivor(admin, anonymous):
    old, new = authors("A", "B")
    book("Dune", [old])
    merge(admin, "authors", old, new)
    for path in ("/", "/?fields=id,name", "/books/", "/books/?ordering=-id"):
        response = anonymous.get(f"/api/authors/{old.pk}{path}")
        assert response.status_code == 308
        assert response["Location"] == f"http://testserver/api/authors/{new.pk}{path}"
        assert response.content == b""
        assert anonymous.get(response["Location"]).status_code == 200
    assert anonymous.head(f"/api/authors/{old.pk}/").status_code == 308
    assert anonymous.get("/api/authors/999/").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/", {"name": "C"}),
        ("PUT", "/", {"name": "C"}),
        ("DELETE", "/", None),
        ("POST", "/merge/", {"into": 1}),
        ("POST", "/books/", {"title": "Dune"}),
    ],
)
def test_writing_the_old_is_gone(admin, librarian, method, path, body):
    old, new = authors("A", "B")
    merge(admin, "authors", old, new)
    path = f"/authors/{old.pk}{path}"
    problem = send(admin, method, path, body, 410)
    assert problem == {
        "type": "about:blank",
        "title": "Gone",
        "status": 410,
        "detail": f"It was merged into author {new.pk}. Change that.",
        "code": "merged",
        "instance": f"/api{path}",
        "request_id": problem["request_id"],
        "merged_into": {"id": new.pk, "uid": str(new.uid)},
    }


def test_who_may_not_write_is_not_told(admin, anonymous):
    old, new = authors("A", "B")
    merge(admin, "authors", old, new)
    for method, path, body in (
        ("PATCH", "", {"name": "C"}),
        ("DELETE", "", None),
        ("POST", "books/", {"title": "A"}),
        ("PATCH", "books/1/", {"title": "A"}),
    ):
        problem = send(anonymous, method, f"/authors/{old.pk}/{path}", body, 401)
        assert "merged_into" not in problem
    assert admin.generic("TRACE", f"/api/authors/{old.pk}/books/1/").status_code == 405


def test_who_may_not_read_is_not_led_on(admin, anonymous, monkeypatch):
    old, new = authors("A", "B")
    merge(admin, "authors", old, new)
    url = f"/api/authors/{old.pk}/books/"
    assert anonymous.get(url).status_code == 308
    monkeypatch.setattr(AuthorBookViewSet, "permission_classes", [IsAuthenticated])
    assert anonymous.get(url).status_code == 401
    assert admin.get(url).status_code == 308


def test_of_a_deleted_survivor_nothing_is_left(admin):
    old, new = authors("A", "B")
    merge(admin, "authors", old, new)
    send(admin, "DELETE", f"/authors/{new.pk}/", status=204)
    send(admin, "GET", f"/authors/{old.pk}/", status=404)
    send(admin, "PATCH", f"/authors/{old.pk}/", {"name": "C"}, 404)
    body = {"title": "Dune", "author_ids": [old.pk]}
    assert faults(send(admin, "POST", "/books/", body, 409)) == [
        ("/author_ids/0", "does_not_exist")
    ]


@pytest.mark.parametrize(
    "named",
    [
        lambda old: {"author_ids": [old.pk]},
        lambda old: {"authors": [{"id": old.pk}]},
        lambda old: {"authors": [{"id": old.pk, "name": "The old name"}]},
        lambda old: {"authors": [{"uid": str(old.uid)}]},
        lambda old: {"authors": [{"uid": str(old.uid), "name": "The old name"}]},
        lambda old: {"contributions": [{"author_id": old.pk}]},
        lambda old: {"contributions": [{"author": {"id": old.pk}}]},
        lambda old: {"authors": [{"name": "The old name", "openlibrary_key": "OL9A"}]},
        lambda old: {"contributions": [{"author": {"name": "A", "openlibrary_key": "OL9A"}}]},
    ],
)
def test_whoever_names_the_old_author_means_the_survivor(admin, named):
    old = Author.objects.create(name="Old", openlibrary_key="OL9A")
    new = Author.objects.create(name="New", openlibrary_key="OL1A")
    body = {"title": "Dune", **named(old)}
    merge(admin, "authors", old, new)
    made = send(admin, "POST", "/books/", body, 201)
    assert made["author_ids"] == [new.pk]
    emma = send(admin, "POST", "/books/", {"title": "Emma"}, 201)
    changed = send(admin, "PATCH", f"/books/{emma['id']}/", named(old))
    assert changed["author_ids"] == [new.pk]
    assert Author.objects.count() == 1


def test_whoever_names_another_old_thing_means_its_survivor(admin):
    publishers = [Publisher.objects.create(name=name) for name in ("Harper & Row", "Harper")]
    series = [Series.objects.create(name=name) for name in ("Dune Saga", "Dune")]
    subjects = [Subject.objects.create(name=name) for name in ("SF", "Science fiction")]
    for kind, pair in (("publishers", publishers), ("series", series), ("subjects", subjects)):
        merge(admin, kind, *pair)
    bodies = [
        {
            "series_id": series[0].pk,
            "subject_ids": [subjects[0].pk],
            "editions": [{"publisher_id": publishers[0].pk}],
        },
        {
            "series": {"id": series[0].pk, "name": "Dune Saga"},
            "subjects": [{"name": "sf"}],
            "editions": [{"publisher": {"name": "HARPER & ROW"}}],
        },
        {
            "series": {"uid": str(series[0].uid)},
            "subjects": [{"id": subjects[0].pk}, {"id": subjects[1].pk}],
            "editions": [{"publisher": {"uid": str(publishers[0].uid), "name": "Harper & Row"}}],
        },
    ]
    for body in bodies:
        made = send(admin, "POST", "/books/", {"title": "Dune", **body}, 201)
        assert made["series_id"] == series[1].pk
        assert made["subject_ids"] == [subjects[1].pk]
        assert made["editions"][0]["publisher_id"] == publishers[1].pk
    assert (Publisher.objects.count(), Subject.objects.count()) == (1, 1)


def test_a_link_to_what_was_merged_is_one_to_the_survivor(admin):
    old, new = (Subject.objects.create(name=name) for name in ("SF", "Science fiction"))
    dune = book("Dune")
    merge(admin, "subjects", old, new)
    for _ in range(2):
        send(admin, "PUT", f"/books/{dune.pk}/subjects/{old.pk}/", status=204)
        assert list(dune.subjects.all()) == [new]
    send(admin, "DELETE", f"/books/{dune.pk}/subjects/{old.pk}/", status=204)
    assert list(dune.subjects.all()) == [new]
    dune.refresh_from_db()
    assert dune.version == 2


def test_a_copy_of_a_book_from_before_can_be_put_back(admin):
    old, new = authors("Old", "New")
    dune = book("Dune", [old])
    copy = send(admin, "GET", f"/books/{dune.pk}/")
    merge(admin, "authors", old, new)
    put = send(admin, "PUT", f"/books/{dune.pk}/", {**copy, "title": "Dune Messiah"})
    assert (put["title"], put["author_ids"]) == ("Dune Messiah", [new.pk])
    patched = send(admin, "PATCH", f"/books/{dune.pk}/", {"author_ids": [old.pk, new.pk]})
    assert patched["author_ids"] == [new.pk]


def test_mergers_of_mergers_end_at_the_last(admin, anonymous):
    first, second, third = (
        Author.objects.create(name=name, openlibrary_key=f"OL{i}A")
        for i, name in enumerate("ABC", 1)
    )
    merge(admin, "authors", first, second)
    merge(admin, "authors", second, third)
    for each in (first, second):
        response = anonymous.get(f"/api/authors/{each.pk}/")
        assert response["Location"] == f"http://testserver/api/authors/{third.pk}/"
    body = {"title": "Dune", "authors": [{"name": "A", "openlibrary_key": "OL1A"}]}
    assert send(admin, "POST", "/books/", body, 201)["author_ids"] == [third.pk]
    rows = {row["id"]: row for row in feed(admin, kinds="authors")[0]}
    into = {"id": third.pk, "uid": str(third.uid)}
    assert [rows[each.pk].get("merged_into") for each in (first, second, third)] == [
        into,
        into,
        None,
    ]
    [fourth] = authors("D")
    send(admin, "POST", f"/authors/{fourth.pk}/merge/", {"into": first.pk})
    problem = send(admin, "POST", f"/authors/{third.pk}/merge/", {"into": first.pk}, 409)
    assert faults(problem) == [("/into", "merged")]


def test_a_name_that_was_merged_can_be_given_again_on_purpose(admin):
    old, new = (Publisher.objects.create(name=name) for name in ("Ace", "Berkley"))
    merge(admin, "publishers", old, new)
    again = send(admin, "POST", "/publishers/", {"name": "ACE"}, 201)
    body = {"title": "Dune", "editions": [{"publisher": {"name": "ace"}}]}
    assert send(admin, "POST", "/books/", body, 201)["editions"][0]["publisher_id"] == again["id"]
    third = Publisher.objects.create(name="Putnam")
    send(admin, "POST", f"/publishers/{again['id']}/merge/", {"into": third.pk})
    made = send(admin, "POST", "/books/", body, 201)
    assert made["editions"][0]["publisher_id"] == third.pk
    uid = {"name": "X", "uid": str(old.uid)}
    problem = send(admin, "POST", "/publishers/", uid, 409)
    assert faults(problem) == [("/uid", "merged")]
    assert problem["errors"][0]["existing_id"] == new.pk


def test_the_feed_says_where_it_went_and_what_it_touched(admin, member):
    old, new, other = authors("A", "B", "C")
    dune, emma = book("Dune", [old]), book("Emma", [other])
    _, cursor = feed(member)
    merge(admin, "authors", old, new)
    assert sorted(told(member, cursor)) == [
        ("authors", old.pk, "delete"),
        ("authors", new.pk, "upsert"),
        ("books", dune.pk, "upsert"),
    ]
    [gone] = [row for row in feed(member, after=cursor)[0] if row["operation"] == "delete"]
    assert gone["merged_into"] == {"id": new.pk, "uid": str(new.uid)}
    emma.refresh_from_db()
    assert emma.version == 1


# Changes of one transaction are one change.
@pytest.mark.django_db(transaction=True)
def test_history_says_where_it_went(admin):
    old, new = authors("A", "B")
    merge(admin, "authors", old, new, **{"X-Request-ID": "m-1"})
    last, _ = send(admin, "GET", f"/authors/{old.pk}/history/")["results"]
    assert (last["operation"], last["request"], last["actor"]["name"]) == ("delete", "m-1", "admin")
    assert last["merged_into"] == {"id": new.pk, "uid": str(new.uid)}
    assert last["changes"][0]["from"]["name"] == "A"
    last, _ = send(admin, "GET", f"/authors/{new.pk}/history/")["results"]
    assert (last["operation"], last["request"]) == ("update", "m-1")
    assert "merged_into" not in last


def test_what_was_merged_is_not_restored(admin):
    old, new = authors("A", "B")
    merge(admin, "authors", old, new)
    problem = send(admin, "POST", f"/authors/{old.pk}/restore/", status=409)
    assert [(each["code"], each["existing_id"]) for each in problem["errors"]] == [
        ("merged", new.pk)
    ]


def test_a_bulk_says_of_each_item_what_was_merged(admin):
    old, new = authors("A", "B")
    second, third = authors("C", "D")
    merge(admin, "authors", old, new)
    merge(admin, "authors", second, new)
    body = {
        "update": [{"id": old.pk, "name": "X"}, {"id": third.pk, "name": "Y"}],
        "delete": [{"uid": str(second.uid)}],
        "partial": True,
    }
    answer = send(admin, "POST", "/authors/bulk/", body)
    assert [each["status"] for each in answer["update"]] == [410, 200]
    [gone] = answer["delete"]
    assert gone["status"] == 410
    assert gone["problem"]["code"] == "merged"
    assert gone["problem"]["merged_into"] == {"id": new.pk, "uid": str(new.uid)}
    problem = send(admin, "POST", "/authors/bulk/", {"update": body["update"]}, 410)
    assert (problem["code"], faults(problem)) == ("merged", [("/update/0", "merged")])


def test_an_import_does_not_bring_the_duplicate_back(admin, tmp_path):
    old = Author.objects.create(name="F. Herbert", openlibrary_key="OL9A")
    new = Author.objects.create(name="Frank Herbert", openlibrary_key="OL1A")
    publishers = [Publisher.objects.create(name=name) for name in ("Chilton Books", "Chilton")]
    subjects = [Subject.objects.create(name=name) for name in ("SF", "Science fiction")]
    merge(admin, "authors", old, new)
    merge(admin, "publishers", *publishers)
    merge(admin, "subjects", *subjects)
    rows = [
        {
            "title": "Dune",
            "authors": [{"name": "F. Herbert", "openlibrary_key": "OL9A"}],
            "editions": [{"publisher": {"name": "CHILTON BOOKS"}}],
            "subjects": [{"name": "sf"}],
        },
        {"title": "Dune Messiah", "authors": [{"name": "Anybody", "uid": str(old.uid)}]},
    ]
    file = tmp_path / "books.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for _ in range(2):
        call_command("import_books", str(file), stdout=io.StringIO(), stderr=io.StringIO())
        assert list(Author.objects.all()) == [new]
        assert list(Publisher.objects.all()) == publishers[1:]
        assert list(Subject.objects.all()) == subjects[1:]
        dune, messiah = Book.objects.order_by("title")
        assert credits_of(dune) == credits_of(messiah) == [(new.pk, "author")]
        assert dune.editions.get().publisher == publishers[1]
        assert list(dune.subjects.all()) == subjects[1:]


def test_a_book_that_is_restored_refers_to_the_survivors(admin):
    old, new, other = authors("A", "B", "C")
    series = [Series.objects.create(name=name) for name in "AB"]
    alone, both = book("Alone", [old, other], series=series[0]), book("Both", [old, new])
    for each in (alone, both):
        send(admin, "DELETE", f"/books/{each.pk}/", status=204)
    merge(admin, "authors", old, new)
    merge(admin, "series", *series)
    restored = send(admin, "POST", f"/books/{alone.pk}/restore/")
    assert (restored["author_ids"], restored["series_id"]) == ([new.pk, other.pk], series[1].pk)
    problem = send(admin, "POST", f"/books/{both.pk}/restore/", status=409)
    assert faults(problem) == [("/contributions/0/author_id", "does_not_exist")]


# In the admin


def test_an_admin_merges_what_is_selected(db):
    desk = browser("admin")
    people = authors("S. King", "Stephen King", "King")
    books = [book(each.name, [each]) for each in people]
    _, new, other = people
    chosen = {"action": "merge_selected", "_selected_action": [each.pk for each in people]}
    asked = desk.post("/admin/authors/author/", chosen)
    assert asked.status_code == 200
    assert [row.pk for row in asked.context["rows"]] == [each.pk for each in people]
    assert 'name="survivor"' in asked.text
    form = {**chosen, "survivor": new.pk, **{f"version-{each.pk}": 1 for each in people}}
    Author.objects.filter(pk=other.pk).update(version=2)
    stale = desk.post("/admin/authors/author/", form)
    assert "Somebody else has changed one of them meanwhile." in stale.text
    assert Author.objects.count() == 3
    answer = desk.post("/admin/authors/author/", {**form, f"version-{other.pk}": 2}, follow=True)
    assert "3 authors are one now: “Stephen King”." in answer.text
    assert list(Author.objects.all()) == [new]
    assert [credits_of(each) for each in books] == [[(new.pk, "author")]] * 3
    assert Author.objects.get().version == 3


def test_one_alone_is_not_merged(db):
    desk = browser("admin")
    [alone] = authors("A")
    chosen = {"action": "merge_selected", "_selected_action": [alone.pk]}
    answer = desk.post("/admin/authors/author/", chosen, follow=True)
    assert "Select 2 to 200 authors to merge." in answer.text


@pytest.mark.parametrize(
    ("role", "page", "offered"),
    [
        ("admin", "authors/author", True),
        ("admin", "books/subject", True),
        ("admin", "books/book", False),
        ("librarian", "authors/author", False),
    ],
)
def test_who_is_offered_to_merge(db, role, page, offered):
    desk = browser(role)
    authors("A", "B")
    Subject.objects.create(name="S")
    book("B")
    assert ("merge_selected" in desk.get(f"/admin/{page}/").text) == offered


# Whatever else there is


def test_any_root_can_be_mergeable(monkeypatch):
    monkeypatch.setattr(Box, "is_mergeable", True)
    old, new = Box.objects.create(name="Old"), Box.objects.create(name="")
    both = Coin.objects.create(box=old)
    both.known_to.add(old, new)
    other = Coin.objects.create(box=new)
    other.known_to.add(old)
    with program("test"):
        merged = merge_objects(Box, old.pk, new.pk, None)
    assert (merged.pk, merged.name, merged.version) == (new.pk, "Old", 2)
    for coin in (both, other):
        coin.refresh_from_db()
        assert (coin.box, coin.version) == (new, 2)
        assert list(coin.known_to.all()) == [new]
    assert list(Box.everything.all()) == [new]
    assert survivor_of(Box, old.pk) == new.pk


@pytest.fixture
def forgets_keys():
    yield
    unique_keys.cache_clear()
    Contribution._meta.__dict__.pop("total_unique_constraints", None)


@pytest.mark.parametrize(
    ("fields", "is_refused"), [(["author"], True), (["author", "role"], True), (["book"], False)]
)
def test_what_no_two_may_refer_to_keeps_objects_from_being_mergeable(
    forgets_keys, monkeypatch, fields, is_refused
):
    key = models.UniqueConstraint(fields=fields, name="one")
    monkeypatch.setattr(Contribution._meta, "constraints", [key])
    unique_keys.cache_clear()
    Contribution._meta.__dict__.pop("total_unique_constraints", None)
    found = [(each.obj, each.id) for each in check_mergers()]
    assert found == ([(Contribution, "api.E027")] if is_refused else [])


# How many statements


def test_a_merger_takes_as_many_statements_whatever_refers_to_it(admin):
    def counted(number):
        old, new, other = authors("A", "B", "C")
        for i in range(number):
            book(f"Book {i}", [old, other])
            book(f"Both {i}", [other, new, old])
        return len(statements(lambda: merge(admin, "authors", old, new)))

    assert counted(1) == counted(20) == 39
    assert FormerKey.objects.count() == 4


@pytest.mark.django_db(reset_sequences=True, transaction=True)
def test_the_examples_of_the_page_do_what_it_says(admin):
    old = Author.objects.create(name="S. King", birth_year=1947)
    Author.objects.create(name="Stephen King")
    book("Carrie", [old])
    page = Path(__file__).parent.parent / "docs" / "merging.md"
    blocks = re.findall(r"```http\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 10
    for request, expected in zip(blocks[::2], blocks[1::2], strict=True):
        (line, _, body), (status, headers, document) = parts(request), parts(expected)
        method, path = line.split()
        answer = admin.generic(method, path, body, "application/json")
        assert answer.status_code == int(status), answer.content
        assert {name: answer[name] for name in headers} == headers
        assert answer.content or not document
        if document:
            assert shown(json.loads(document), answer.json()) == json.loads(document)
