"""When something is merged while others name it, is nothing lost, and does nobody wait for ever?"""

import json
from collections import Counter
from itertools import pairwise

import pytest
from rest_framework.test import APIClient

from auth_api.models import User
from authors.models import Author
from books.models import Book, Edition, Publisher, Series, Subject
from tests.catalogue import authors, book, credits_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(transactional_db, at_once):
    """`sent(requests)` sends these at the same moment: each a method, a path, a body and headers.
    Gives the statuses and bodies in order."""
    user = User.objects.create_user(username="root", email="root@example.org", role="admin")

    def call(method, path, body=None, headers=None):
        client = APIClient(raise_request_exception=False)
        client.force_authenticate(user)
        response = client.generic(
            method, f"/api{path}", json.dumps(body), "application/json", headers=headers
        )
        return response.status_code, json.loads(response.content) if response.content else None

    def sent(requests):
        return at_once(lambda number: call(*requests[number]), len(requests))

    return sent


def merging(kind, old, new, **headers):
    return "POST", f"/{kind}/{old.pk}/merge/", {"into": new.pk}, headers


LINKS = [
    (Author, "authors", lambda pk: {"author_ids": [pk]}),
    (Author, "authors", lambda pk: {"contributions": [{"author": {"id": pk}, "role": "editor"}]}),
    (Series, "series", lambda pk: {"series_id": pk}),
    (Subject, "subjects", lambda pk: {"subject_ids": [pk]}),
    (Publisher, "publishers", lambda pk: {"editions": [{"publisher_id": pk}]}),
]


def linked(model, key):
    """How many rows refer to this object."""
    rows = {
        Author: lambda: Book.objects.filter(contributions__author=key),
        Series: lambda: Book.objects.filter(series=key),
        Subject: lambda: Book.objects.filter(subjects=key),
        Publisher: lambda: Edition.objects.filter(publisher=key),
    }
    return rows[model]().count()


@pytest.mark.parametrize(("model", "kind", "link"), LINKS)
def test_whoever_links_what_is_being_merged_links_the_survivor(sent, model, kind, link):
    old, new = (model.objects.create(name=name) for name in "AB")
    stored = [book(f"Book {number}") for number in range(3)]
    requests = [("POST", "/books/", {"title": "New", **link(old.pk)}) for _ in range(3)]
    requests += [("PATCH", f"/books/{each.pk}/", link(old.pk)) for each in stored]
    requests.insert(3, merging(kind, old, new))
    answers = sent(requests)
    assert Counter(status for status, _ in answers) == {201: 3, 200: 4}, answers
    assert linked(model, new.pk) == 6
    assert not model.objects.filter(pk=old.pk).exists()


@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}, {"Idempotency-Key": "{}"}])
@pytest.mark.parametrize("attempt", range(2))
def test_of_two_mergers_that_cross_one_is_done(sent, headers, attempt):
    one, two = authors("A", "B")
    dune, emma = book("Dune", [one, two]), book("Emma", [two])
    keys = [{name: value.format(n) for name, value in headers.items()} for n in range(2)]
    answers = sent(
        [merging("authors", one, two, **keys[0]), merging("authors", two, one, **keys[1])]
    )
    statuses = sorted(status for status, _ in answers)
    assert statuses in ([200, 409], [200, 410]), answers
    [left] = Author.objects.all()
    assert credits_of(dune) == credits_of(emma) == [(left.pk, "author")]


def test_mergers_of_many_into_each_other_end_in_one(sent):
    people = authors(*"ABCDEF")
    books = [book(each.name, [each]) for each in people]
    answers = sent([merging("authors", one, two) for one, two in pairwise(people)])
    assert {status for status, _ in answers} <= {200, 410}, answers
    [left] = Author.objects.all()
    assert left == people[-1]
    assert {author for each in books for author, _ in credits_of(each)} == {left.pk}


def test_several_into_one_at_once_each_raise_its_version(sent):
    *people, survivor = authors(*"ABCDE")
    everywhere = book("Dune", [*people, survivor])
    answers = sent([merging("authors", each, survivor) for each in people])
    assert [status for status, _ in answers] == [200] * 4, answers
    survivor.refresh_from_db()
    everywhere.refresh_from_db()
    assert (survivor.version, everywhere.version) == (5, 5)
    assert credits_of(everywhere) == [(survivor.pk, "author")]


def test_a_survivor_that_is_deleted_meanwhile_takes_nothing_along(sent):
    old, new = authors("A", "B")
    dune = book("Dune", [old])
    answers = sent([merging("authors", old, new), ("DELETE", f"/authors/{new.pk}/")])
    merged, deleted = (status for status, _ in answers)
    assert (merged, deleted) in ((200, 409), (409, 204)), answers
    [left] = Author.objects.all()
    assert credits_of(dune) == [(left.pk, "author")]
