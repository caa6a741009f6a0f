"""Does each answer name what it shows, and does a write that names what was read undo nobody's?"""

import re
from functools import partial
from hashlib import sha256
from unittest.mock import ANY

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from authors.models import Author
from books.models import Book, Edition, Publisher, Series, Subject
from project.api.http.preconditions import Condition
from project.api.http.problems import Refused
from tests.catalogue import authors, book, everything, isbn, send, statements
from tests.pictures import plain

pytestmark = pytest.mark.django_db
FAILED = "precondition_failed"


def tag_of(client, path, **headers):
    answer = client.get(f"/api{path}", headers=headers)
    assert answer.status_code == 200, answer.content
    return answer["ETag"]


def digest(content):
    return sha256(content).hexdigest()[:32]


@pytest.fixture
def omens():
    """A book with all that it can have, and the paths of what nests in it."""
    terry, neil = authors("Terry Pratchett", "Neil Gaiman")
    made = book(
        contributors=[terry, neil],
        isbns=[isbn(1)],
        series=Series.objects.create(name="Angels"),
    )
    made.subjects.add(Subject.objects.create(name="Apocalypse"))
    made.editions.update(publisher=Publisher.objects.create(name="Gollancz"))
    return made


def urls_of(made):
    """Every URL that shows this book or a part of it, each with what a PATCH there may change."""
    edition = made.editions.get()
    contribution = made.contributions.get(position=0)
    title = {"title": "Nice Omens"}
    return {
        f"/books/{made.pk}/": title,
        f"/authors/{contribution.author_id}/books/{made.pk}/": title,
        f"/series/{made.series_id}/books/{made.pk}/": title,
        f"/subjects/{made.subjects.get().pk}/books/{made.pk}/": title,
        f"/books/{made.pk}/editions/{edition.pk}/": {"pages": 383},
        f"/publishers/{edition.publisher_id}/editions/{edition.pk}/": {"pages": 383},
        f"/books/{made.pk}/contributions/{contribution.pk}/": {"credited_as": "Sir Terry"},
    }


# What answers say


def test_single_object_has_the_version_and_the_digest_of_its_bytes(librarian, omens):
    Book.objects.update(version=7)
    for path in urls_of(omens):
        answer = librarian.get(f"/api{path}")
        assert answer["ETag"] == f'"7.{digest(answer.content)}"', path
        assert librarian.head(f"/api{path}")["ETag"] == answer["ETag"]


@pytest.mark.parametrize("model", [Author, Series, Publisher, Subject])
def test_so_has_each_other_root(model, anonymous):
    made = model.objects.create(name="It", version=3)
    answer = anonymous.get(f"/api/{model._meta.verbose_name_plural}/{made.pk}/")
    assert answer["ETag"] == f'"3.{digest(answer.content)}"'


def test_what_is_chosen_of_it_has_another_digest_and_the_same_version(anonymous, omens):
    path = f"/books/{omens.pk}/"
    whole, title = tag_of(anonymous, path), tag_of(anonymous, f"{path}?fields=title")
    indented = tag_of(anonymous, path, Accept="application/json; indent=2")
    assert len({whole, title, indented}) == 3
    assert {tag.partition(".")[0] for tag in (whole, title, indented)} == {'"1'}


@pytest.mark.parametrize(
    "path", ["/books/?search=omens", "/me/", "/users/", "/sessions/", "/schema/"]
)
def test_what_has_no_version_has_the_digest_of_its_bytes(path, admin, omens):
    answer = admin.get(f"/api{path}")
    assert answer["ETag"] == f'"{digest(answer.content)}"'


def test_pages_errors_and_what_must_not_be_kept_have_none(member):
    assert not member.get("/api/books/", headers={"Accept": "text/html"}).has_header("ETag")
    assert not member.get("/api/books/999/").has_header("ETag")
    assert not member.get("/api/me/tokens/").has_header("ETag")
    assert not member.get("/livez").has_header("ETag")


def test_what_a_write_answers_has_the_tag_of_a_get(librarian, omens):
    answer = librarian.post("/api/books/", {"title": "New"}, format="json")
    assert answer["ETag"] == tag_of(librarian, f"/books/{answer.json()['id']}/")
    for path, change in urls_of(omens).items():
        answer = librarian.patch(f"/api{path}", change, format="json")
        assert answer["ETag"] == tag_of(librarian, path), path
    assert answer["ETag"].startswith('"4.')


def test_what_is_restored_has_it_as_well(admin, omens):
    path = f"/books/{omens.pk}/"
    admin.delete(f"/api{path}")
    answer = admin.post(f"/api{path}restore/")
    assert answer["ETag"] == tag_of(admin, path)
    assert answer["ETag"].startswith('"2.')


def test_cover_has_the_version_of_its_book(librarian, omens):
    cover = {"file": SimpleUploadedFile("cover.jpg", plain())}
    path = f"/api/editions/{omens.editions.get().pk}/cover/"
    answer = librarian.put(path, cover, format="multipart", headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.content
    assert answer["ETag"].startswith('"2.')
    assert librarian.delete(path, headers={"If-Match": '"1"'}).status_code == 412
    assert librarian.delete(path, headers={"If-Match": answer["ETag"]}).status_code == 204


# 304


@pytest.mark.parametrize("path", ["/books/{}/", "/books/", "/books/{}/editions/", "/me/"])
def test_what_has_not_changed_is_not_sent_again(path, member, omens):
    path = f"/api{path.format(omens.pk)}"
    whole = member.get(path)
    for value in (whole["ETag"], f"W/{whole['ETag']}", f'"other", {whole["ETag"]}', "*"):
        for method in (member.get, member.head):
            answer = method(path, headers={"If-None-Match": value})
            assert (answer.status_code, answer.content) == (304, b"")
            for name in ("ETag", "Vary", "Cache-Control"):
                assert answer[name] == whole[name]
            assert not answer.has_header("Content-Type")


def test_what_has_changed_is_sent(librarian, omens):
    path = f"/api/books/{omens.pk}/"
    before = librarian.get(path)["ETag"]
    # The version stays, the bytes do not.
    send(librarian, "patch", f"/authors/{Author.objects.first().pk}/", {"name": "Sir Terry"})
    answer = librarian.get(path, headers={"If-None-Match": before})
    assert answer.status_code == 200
    assert answer["ETag"].partition(".")[0] == before.partition(".")[0]
    assert answer["ETag"] != before


def test_digest_is_all_of_it_so_the_version_alone_is_not_enough(anonymous, omens):
    answer = anonymous.get(f"/api/books/{omens.pk}/", headers={"If-None-Match": '"1"'})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("match", "none_match", "status"),
    [
        ('"1"', None, 200),
        ('"2"', None, 412),
        ('W/"1"', None, 412),
        ("*", "*", 304),
        ('"2"', "*", 412),
    ],
)
def test_read_may_be_conditional_too(match, none_match, status, anonymous, omens):
    headers = {"If-Match": match} | ({"If-None-Match": none_match} if none_match else {})
    answer = anonymous.get(f"/api/books/{omens.pk}/", headers=headers)
    assert answer.status_code == status
    assert answer["ETag"] == tag_of(anonymous, f"/books/{omens.pk}/")


@pytest.mark.parametrize("path", ["/books/", "/books/?search=omens", "/changes/", "/me/"])
def test_weak_tag_names_what_is_read_for_if_none_match_alone(path, member, omens):
    weak = "W/" + tag_of(member, path)
    assert member.get(f"/api{path}", headers={"If-None-Match": weak}).status_code == 304
    assert member.get(f"/api{path}", headers={"If-Match": weak}).status_code == 412


# If-Match


@pytest.mark.parametrize("method", ["patch", "put", "delete"])
@pytest.mark.parametrize("number", range(7))
def test_stale_write_is_refused_with_the_tag_of_now(number, method, librarian, omens):
    path, change = list(urls_of(omens).items())[number]
    stale = tag_of(librarian, path)
    send(librarian, "patch", f"/books/{omens.pk}/", {"description": "Changed meanwhile."})
    before = everything()
    body = send(librarian, "get", path) | change if method == "put" else change
    write = getattr(librarian, method)
    answer = write(f"/api{path}", body, format="json", headers={"If-Match": stale})
    assert answer.status_code == 412
    assert answer.json() == {
        "type": "about:blank",
        "title": "Precondition Failed",
        "status": 412,
        "detail": "It has changed since. Read it again, and decide anew.",
        "code": FAILED,
        "instance": f"/api{path}",
        "request_id": ANY,
    }
    assert answer["ETag"] == tag_of(librarian, path)
    assert everything() == before
    answer = write(f"/api{path}", body, format="json", headers={"If-Match": answer["ETag"]})
    assert answer.status_code == (204 if method == "delete" else 200), answer.content


@pytest.mark.parametrize(
    "value",
    ['"1"', '"1.anything"', '"9", "1.x"', '"a,b" , "1.c,d"', ', "1" ,', "*", " * ", '"1.x-zstd"'],
)
def test_current_version_or_any_is_met(value, librarian, omens):
    path = f"/api/books/{omens.pk}/"
    answer = librarian.patch(path, {"title": "New"}, format="json", headers={"If-Match": value})
    assert answer.status_code == 200


@pytest.mark.parametrize("value", ['"2"', '"11.x"', 'W/"1.x"', '""', '"1,x"', '"01.x"', '"x.1"'])
def test_another_version_and_a_weak_tag_are_not(value, librarian, omens):
    path = f"/api/books/{omens.pk}/"
    answer = librarian.patch(path, {"title": "New"}, format="json", headers={"If-Match": value})
    assert answer.status_code == 412
    assert Book.objects.get().title == "Good Omens"


@pytest.mark.parametrize(
    "value", ["", ",", "1", '"1', '1"', '"1" "2"', "*, *", '*, "1"', 'w/"1"', '"a"b"', "'1'"]
)
def test_what_is_no_list_of_tags_is_refused(value, librarian, omens):
    for method in ("get", "patch", "delete"):
        for header in ("If-Match", "If-None-Match"):
            answer = getattr(librarian, method)(
                f"/api/books/{omens.pk}/", {}, format="json", headers={header: value}
            )
            assert answer.status_code == 400
            assert answer.json()["errors"] == [
                {
                    "header": header,
                    "code": "malformed",
                    "detail": 'Give a list of entity tags, as "7.1f0c", "8.a2b9", or *.',
                }
            ]


def is_list_of_tags(text):
    """RFC 9110, sections 5.6.1.2 and 8.8.3, with one tag or more, character by character."""
    rest, found = text, 0
    while True:
        rest = rest.lstrip(" \t,") if not found else rest.lstrip(" \t")
        if found:
            if not rest:
                return True
            if rest[0] != ",":
                return False
            rest = rest.lstrip(" \t,")
            if not rest:
                return True
        rest = rest.removeprefix("W/")
        if rest[:1] != '"':
            return False
        inside, quote, rest = rest[1:].partition('"')
        if not quote or any(ord(c) < 0x21 or ord(c) == 0x7F or ord(c) > 0xFF for c in inside):
            return False
        found += 1


@given(st.text('W/"1.,*a \t\x7fé', max_size=12))
def test_parser_takes_what_the_grammar_has(text):
    try:
        Condition.of(text, "If-Match")
        taken = True
    except Refused:
        taken = False
    assert taken == (text.strip(" \t") == "*" or is_list_of_tags(text.strip(" \t")))


@given(
    st.lists(
        st.tuples(
            st.from_regex(re.compile(r"[!#-~\x80-\xff]{0,6}"), fullmatch=True), st.booleans()
        ),
        min_size=1,
        max_size=4,
    )
)
def test_parser_reads_what_was_written(tags):
    text = ", ".join(f'W/"{tag}"' if is_weak else f'"{tag}"' for tag, is_weak in tags)
    assert list(Condition.of(text, "If-None-Match").tags) == [tag for tag, _ in tags]
    assert list(Condition.of(text, "If-Match").tags) == [t for t, is_weak in tags if not is_weak]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/books/"),
        ("post", "/books/{}/editions/"),
        ("patch", "/me/"),
        ("patch", "/users/{user}/"),
        ("post", "/token/verify/"),
        ("delete", "/sessions/x/"),
    ],
)
def test_url_that_does_not_know_it_refuses_it(method, path, admin, omens):
    before = everything()
    path = path.format(omens.pk, user=admin.user.pk)
    answer = getattr(admin, method)(
        f"/api{path}", {"title": "New"}, format="json", headers={"If-Match": "*"}
    )
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {
            "header": "If-Match",
            "code": "not_supported",
            "detail": "This URL does not take the header here.",
        }
    ]
    assert everything() == before


def test_no_write_takes_if_none_match(librarian, omens):
    for method, path in [("post", "/books/"), ("put", f"/books/{omens.pk}/")]:
        answer = getattr(librarian, method)(
            f"/api{path}", {"title": "x"}, format="json", headers={"If-None-Match": "*"}
        )
        assert [each["header"] for each in answer.json()["errors"]] == ["If-None-Match"]


def test_what_is_refused_anyway_is_refused_as_without(member, librarian, anonymous, omens):
    headers = {"If-Match": '"99"'}
    path = f"/api/books/{omens.pk}/"
    assert anonymous.patch(path, {}, format="json", headers=headers).status_code == 401
    assert member.patch(path, {}, format="json", headers=headers).status_code == 403
    assert librarian.patch("/api/books/999/", {}, headers=headers).status_code == 404
    assert librarian.post(path, {}, format="json", headers=headers).status_code == 405
    assert librarian.patch("/api/nothing/", {}, headers=headers).status_code == 404
    # But what is in the body is looked at after it (RFC 9110, section 13.2.1).
    answer = librarian.patch(path, {"title": 3}, format="json", headers=headers)
    assert answer.status_code == 412


def test_refused_write_with_a_tag_that_is_met_changes_nothing(librarian, omens):
    before = everything()
    answer = librarian.patch(
        f"/api/books/{omens.pk}/",
        {"title": "New", "series_id": 999},
        format="json",
        headers={"If-Match": '"1"'},
    )
    assert answer.status_code == 409
    assert everything() == before


def test_it_can_be_made_compulsory(librarian, omens, settings):
    settings.PRECONDITIONS_REQUIRED = True
    path = f"/api/books/{omens.pk}/"
    for method in ("put", "patch", "delete"):
        answer = getattr(librarian, method)(path, {"title": "New"}, format="json")
        assert answer.status_code == 428
        assert answer.json() == {
            "type": "about:blank",
            "title": "Precondition Required",
            "status": 428,
            "detail": "Send the ETag of what you have read as If-Match.",
            "code": "precondition_required",
            "instance": path,
            "request_id": ANY,
        }
    edition = f"/api/books/{omens.pk}/editions/{omens.editions.get().pk}/"
    assert librarian.delete(edition).status_code == 428
    assert librarian.post("/api/books/", {"title": "New"}, format="json").status_code == 201
    assert librarian.delete(edition, headers={"If-Match": "*"}).status_code == 204
    tag = tag_of(librarian, f"/books/{omens.pk}/")
    assert librarian.patch(path, {}, format="json", headers={"If-Match": tag}).status_code == 200


# Deletions raise versions


def test_deletion_raises_the_version_of_each_root_that_lets_go(admin):
    series = Series.objects.create(name="Discworld")
    subject = Subject.objects.create(name="Witches")
    publisher = Publisher.objects.create(name="Corgi")
    for number in range(5):
        made = book(f"Book {number}", isbns=[isbn(number)], series=series)
        made.subjects.add(subject)
        made.editions.update(publisher=publisher)
    for version, path in enumerate(["series", "subjects", "publishers"], 2):
        kind = {"series": series, "subjects": subject, "publishers": publisher}[path]
        ran = statements(partial(send, admin, "delete", f"/{path}/{kind.pk}/", status=204))
        assert set(Book.objects.values_list("version", flat=True)) == {version}
        raised = [sql for sql in ran if sql.startswith("UPDATE") and '"version" = ' in sql]
        assert len(raised) == 1
    assert Edition.objects.filter(publisher=None).count() == 5


# Many at once


@pytest.mark.parametrize("number", range(7))
def test_of_eight_at_once_one_wins(number, librarian, at_once, omens):
    path, change = list(urls_of(omens).items())[number]
    tag = tag_of(librarian, path)
    [name] = change

    def edit(number):
        value = number + 1 if name == "pages" else f"Writer {number}"
        return librarian.patch(
            f"/api{path}", {name: value}, format="json", headers={"If-Match": tag}
        )

    answers = at_once(edit, 8)
    assert sorted(each.status_code for each in answers) == [200] + 7 * [412]
    [won] = [each for each in answers if each.status_code == 200]
    assert {each["ETag"] for each in answers} == {won["ETag"]}
    assert send(librarian, "get", path) == won.json()
    assert Book.objects.get().version == 2


def test_of_deletion_and_edit_at_once_one_wins(librarian, at_once, omens):
    path = f"/api/books/{omens.pk}/"
    headers = {"If-Match": tag_of(librarian, f"/books/{omens.pk}/")}
    edit, deletion = at_once(
        lambda number: (
            librarian.delete(path, headers=headers)
            if number
            else librarian.patch(path, {"title": "New"}, format="json", headers=headers)
        ),
        2,
    )
    assert (edit.status_code, deletion.status_code) in [(200, 412), (404, 204)]


# What it costs


def test_tag_costs_no_statement_and_a_condition_a_few(librarian, omens):
    path = f"/books/{omens.pk}/"
    tag = tag_of(librarian, path)
    assert len(statements(lambda: librarian.get(f"/api{path}"))) == 1
    plain = statements(lambda: librarian.patch(f"/api{path}", {"title": "A"}, format="json"))
    conditional = statements(
        lambda: librarian.patch(
            f"/api{path}", {"title": "B"}, format="json", headers={"If-Match": '"2"'}
        )
    )
    assert tag.startswith('"1.')
    # Two for the savepoint, and two for what is deferred. What is locked is not read again.
    more = {"sqlite": 2, "postgresql": 4}[connection.vendor]
    assert len(conditional) == len(plain) + more, conditional
