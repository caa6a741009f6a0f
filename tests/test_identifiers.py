"""Is an edition known by the numbers that others give it, and is each of them one edition's?"""

import json

import pytest
from django.core.management import call_command
from django.db import connection
from rest_framework.test import APIClient

from auth_api.models import User
from books.identifiers import SCHEMES, normalize_identifier
from books.models import Book, Edition, Identifier
from tests.catalogue import book, everything, faults, isbn, send, statements

pytestmark = pytest.mark.django_db

OCLC = {"scheme": "oclc", "value": "1"}


def told(items):
    """Schemes and values, as `oclc:1`."""
    return [f"{each['scheme']}:{each['value']}" for each in items]


def identifiers(body):
    return [told(edition["identifiers"]) for edition in body["editions"]]


@pytest.fixture
def made(librarian):
    """A book with two editions, of which the first has two identifiers."""
    body = {
        "title": "Roadside Picnic",
        "editions": [
            {"isbn13": isbn(1), "identifiers": [OCLC, {"scheme": "lccn", "value": "2001-2"}]},
            {"isbn13": isbn(2)},
        ],
    }
    return send(librarian, "POST", "/books/", body, 201)


def test_identifiers_are_written_with_their_edition(librarian, made):
    url = f"/books/{made['id']}/"
    one, two = made["editions"]
    [oclc, lccn] = one["identifiers"]
    assert one["identifiers"] == [
        {"id": oclc["id"], **OCLC},
        {"id": lccn["id"], "scheme": "lccn", "value": "2001000002"},
    ]
    assert two["identifiers"] == []
    assert send(librarian, "GET", url) == made
    assert send(librarian, "PUT", url, made) == made
    body = {
        "editions": [
            {"id": one["id"], "identifiers": [{"id": lccn["id"], "value": "2001-3"}]},
            {"id": two["id"], "identifiers": [{"scheme": "ASIN", "value": "b00005jmyc"}]},
            {"identifiers": [{"scheme": "calibre", "value": " 7  b "}]},
        ]
    }
    changed = send(librarian, "PATCH", url, body)
    assert identifiers(changed) == [["lccn:2001000003"], ["asin:B00005JMYC"], ["calibre:7 b"]]
    assert changed["version"] == 2
    # An edition that says nothing of them keeps them.
    kept = send(
        librarian, "PATCH", url, {"editions": [{"id": e["id"]} for e in changed["editions"]]}
    )
    assert kept == changed


def test_an_edition_takes_its_identifiers_along(librarian, made):
    url = f"/books/{made['id']}/"
    body = {"editions": [{"identifiers": [OCLC]}]}
    # What goes no longer has its values.
    assert identifiers(send(librarian, "PATCH", url, body)) == [["oclc:1"]]
    send(librarian, "DELETE", url, status=204)
    assert not Identifier.objects.exists()


def test_identifiers_change_places(librarian, made):
    one, two = made["editions"]
    [oclc, lccn] = one["identifiers"]
    body = {
        "editions": [
            {
                "id": one["id"],
                "isbn13": isbn(2),
                "identifiers": [
                    {"id": oclc["id"], "scheme": "lccn", "value": "2001-2"},
                    {"id": lccn["id"], **OCLC},
                ],
            },
            {"id": two["id"], "isbn13": isbn(1)},
        ]
    }
    changed = send(librarian, "PATCH", f"/books/{made['id']}/", body)
    assert identifiers(changed) == [["lccn:2001000002", "oclc:1"], []]
    body = {
        "editions": [{"id": one["id"], "identifiers": []}, {"id": two["id"], "identifiers": [OCLC]}]
    }
    changed = send(librarian, "PATCH", f"/books/{made['id']}/", body)
    assert identifiers(changed) == [[], ["oclc:1"]]


AT = "/editions/0/identifiers/0"


@pytest.mark.parametrize(
    ("items", "status", "where"),
    [
        ([{"scheme": "oclc"}], 400, [(f"{AT}/value", "required")]),
        ([{"value": "1"}], 400, [(f"{AT}/scheme", "required")]),
        ([{"scheme": "", "value": "1"}], 400, [(f"{AT}/scheme", "blank")]),
        ([{"scheme": "oclc", "value": " "}], 400, [(f"{AT}/value", "blank")]),
        ([{"scheme": "two words", "value": "1"}], 400, [(f"{AT}/scheme", "invalid")]),
        ([{"scheme": "x" * 31, "value": "1"}], 400, [(f"{AT}/scheme", "max_length")]),
        ([{"scheme": "x", "value": "1" * 256}], 400, [(f"{AT}/value", "max_length")]),
        ([{"scheme": "oclc", "value": "x"}], 400, [(f"{AT}/value", "invalid")]),
        ([{"scheme": "ISBN", "value": isbn(5)}], 400, [(f"{AT}/scheme", "invalid")]),
        ([{"scheme": "ean", "value": isbn(5)}], 400, [(f"{AT}/value", "invalid")]),
        ([{"scheme": 5, "value": "1"}], 400, [(f"{AT}/scheme", "invalid")]),
        ([{"scheme": "x", "value": "1", "y": 1}], 400, [(f"{AT}/y", "unknown")]),
        (
            [{"scheme": "doi", "value": "10.1/X"}, {"scheme": "doi", "value": "DOI:10.1000/X"}],
            400,
            [(f"{AT}/value", "invalid")],
        ),
        (
            [{"scheme": "oclc", "value": "7"}, {"scheme": "OCLC", "value": "ocm00000007"}],
            400,
            [("/editions/0/identifiers/1", "duplicate")],
        ),
        ([{"scheme": "oclc", "value": "ocn0001"}], 409, [(AT, "unique")]),
        ([{"id": 999}], 409, [(f"{AT}/id", "does_not_exist")]),
        (None, 400, [("/editions/0/identifiers", "null")]),
        (
            [{"scheme": "x", "value": f"{n}"} for n in range(201)],
            400,
            [("/editions/0/identifiers", "max_length")],
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_place(librarian, made, items, status, where):
    before = everything()
    body = {"title": "X", "editions": [{"identifiers": items}]}
    problem = send(librarian, "POST", "/books/", body, status)
    assert faults(problem) == where
    if where[0][1] == "unique":
        [fault] = problem["errors"]
        assert fault["existing_id"] == made["editions"][0]["identifiers"][0]["id"]
    assert everything() == before


def test_an_identifier_of_another_edition_is_not_taken_away(librarian, made):
    one, two = made["editions"]
    body = {"editions": [{"id": one["id"]}, {"id": two["id"], "identifiers": one["identifiers"]}]}
    problem = send(librarian, "PATCH", f"/books/{made['id']}/", body, 409)
    assert [code for _, code in faults(problem)] == ["does_not_exist"] * 2


SPELLINGS = """
oclc | (OCoLC)ocm00012345 | 12345
oclc | on1234567890 | 1234567890
oclc | 12345 | 12345
oclc | 0 | -
oclc | 12345x | -
lccn | n78-890351 | n78890351
lccn | n 78890351  | n78890351
lccn | 85-2 | 85000002
lccn | 2001-000002 | 2001000002
lccn | 75-425165//r75 | 75425165
lccn |  79139101 /AC/r932 | 79139101
lccn | 85-1234567 | -
lccn | 123 | -
asin | b00005jmyc | B00005JMYC
asin | B0000 | -
doi | https://doi.org/10.1000/ABC.1 | 10.1000/abc.1
doi | doi:10.1000/182 | 10.1000/182
doi | 11.1000/182 | -
goodreads | 331256 | 331256
goodreads | 331256-x | -
google | zyTCAlFPjgYC | zyTCAlFPjgYC
google | short | -
librarything | 331256 | 331256
openlibrary | /books/OL7353617M | OL7353617M
openlibrary | ol7353617m | OL7353617M
openlibrary | OL7353617W | -
ean | 4006381333931 | 4006381333931
ean | 4006381333930 | -
ean | 9780261102217 | -
kobo | AbC: 1 | AbC: 1
"""


@pytest.mark.parametrize(
    ("scheme", "value", "stored"),
    [[cell.strip() for cell in line.split("|")] for line in SPELLINGS.strip().splitlines()],
)
def test_a_scheme_has_one_spelling(librarian, scheme, value, stored):
    body = {"title": "X", "editions": [{"identifiers": [{"scheme": scheme, "value": value}]}]}
    if stored == "-":
        problem = send(librarian, "POST", "/books/", body, 400)
        assert faults(problem) == [(f"{AT}/value", "invalid")]
        return
    assert identifiers(send(librarian, "POST", "/books/", body, 201)) == [[f"{scheme}:{stored}"]]
    assert normalize_identifier(scheme, stored) == (scheme, stored)
    assert len(send(librarian, "GET", f"/books/?identifier={scheme}:{stored}")["results"]) == 1


def test_each_known_scheme_is_tried():
    tried = {line.split("|")[0].strip() for line in SPELLINGS.strip().splitlines()}
    assert SCHEMES.keys() <= tried


def test_a_book_is_found_by_an_identifier_however_it_is_written(librarian, made):
    book("Other", isbns=[isbn(3)])
    for value in ("oclc:1", "OCLC:ocm0001", "lccn:2001-2"):
        page = send(librarian, "GET", f"/books/?identifier={value}")
        assert [each["id"] for each in page["results"]] == [made["id"]]
        page = send(librarian, "GET", f"/books/{made['id']}/editions/?identifier={value}")
        assert [each["id"] for each in page["results"]] == [made["editions"][0]["id"]]
    assert send(librarian, "GET", "/books/?identifier=oclc:2")["results"] == []
    for values, number in (("oclc:2,lccn:2001-2", 1), ("null", 1), ("null,oclc:1", 2)):
        found = send(librarian, "GET", f"/books/?identifier={values}")["results"]
        assert len(found) == number
    for value in ("oclc", "oclc:", ":1", "oclc:x", "a b:1", "isbn:1"):
        problem = send(librarian, "GET", f"/books/?identifier={value}", status=400)
        assert [each["parameter"] for each in problem["errors"]] == ["identifier"]


# At URLs of their own


def test_an_identifier_at_its_own_url(librarian, made):
    one, two = made["editions"]
    path = f"/editions/{one['id']}/identifiers/"
    page = send(librarian, "GET", path)
    assert page["results"] == [{**each, "edition_id": one["id"]} for each in one["identifiers"]]
    body = {"scheme": "asin", "value": "b00005jmyc"}
    response = librarian.post(f"/api{path}", body, format="json")
    added = response.json()
    url = f"{path}{added['id']}/"
    assert response["Location"] == f"http://testserver/api{url}"
    expected = {"id": added["id"], "edition_id": one["id"], "scheme": "asin", "value": "B00005JMYC"}
    assert (response.status_code, added) == (201, expected)
    assert send(librarian, "GET", url) == added
    assert send(librarian, "PATCH", url, {"value": "B00005JMYD"})["value"] == "B00005JMYD"
    put = {"scheme": "google", "value": "zyTCAlFPjgYC"}
    assert send(librarian, "PUT", url, put) == {**added, **put}
    assert send(librarian, "GET", f"{path}?scheme=google")["results"] == [{**added, **put}]
    book_url = f"/books/{made['id']}/"
    assert identifiers(send(librarian, "GET", book_url))[0][2] == "google:zyTCAlFPjgYC"
    assert send(librarian, "GET", book_url)["version"] == 4
    send(librarian, "DELETE", url, status=204)
    assert send(librarian, "GET", book_url)["version"] == 5
    send(librarian, "GET", url, status=404)
    key = one["identifiers"][0]["id"]
    send(librarian, "GET", f"/editions/{two['id']}/identifiers/{key}/", status=404)
    send(librarian, "PATCH", f"/editions/{two['id']}/identifiers/{key}/", {}, 404)
    send(librarian, "POST", "/editions/999/identifiers/", OCLC, 404)


def test_what_is_wrong_at_its_own_url_is_told(librarian, made):
    one, two = made["editions"]
    path = f"/editions/{two['id']}/identifiers/"
    problem = send(librarian, "POST", path, OCLC, 409)
    assert faults(problem) == [("", "unique")]
    problem = send(librarian, "POST", path, {"scheme": "oclc", "value": "x"}, 400)
    assert faults(problem) == [("/value", "invalid")]
    body = {"scheme": "x", "value": "1", "edition_id": one["id"]}
    assert faults(send(librarian, "POST", path, body, 400)) == [
        ("/edition_id", "conflicting_values")
    ]


def test_a_condition_at_its_own_url_is_of_the_book(librarian, made):
    one = made["editions"][0]
    url = f"/api/editions/{one['id']}/identifiers/{one['identifiers'][0]['id']}/"
    tag = librarian.get(url)["ETag"]
    assert tag.startswith('"1.')
    Book.objects.filter(pk=made["id"]).update(version=2)
    response = librarian.patch(url, {"value": "2"}, format="json", HTTP_IF_MATCH=tag)
    assert response.status_code == 412
    tag = librarian.get(url)["ETag"]
    response = librarian.patch(url, {"value": "2"}, format="json", HTTP_IF_MATCH=tag)
    assert (response.status_code, response["ETag"][:3]) == (200, '"3.')


@pytest.mark.parametrize("number", [1, 5, 100])
def test_identifiers_cost_the_same_however_many_there_are(librarian, number):
    items = [{"scheme": "x", "value": f"{n}"} for n in range(number)]
    rest = [{"identifiers": [{"scheme": "y", "value": f"{n}"}]} for n in range(number - 1)]
    body = {"title": "X", "editions": [{"identifiers": items}, *rest]}
    created = statements(lambda: send(librarian, "POST", "/books/", body, 201))
    url = f"/books/{Book.objects.get().pk}/"
    stored = send(librarian, "GET", url)
    for edition in stored["editions"]:
        for each in edition["identifiers"]:
            each["value"] += "x"
    changed = statements(lambda: send(librarian, "PATCH", url, {"editions": stored["editions"]}))
    replaced = statements(lambda: send(librarian, "PATCH", url, {"editions": [{"pages": 5}]}))
    numbers = {"sqlite": (10, 11, 13), "postgresql": (9, 11, 13)}
    assert (len(created), len(changed), len(replaced)) == numbers[connection.vendor]


# Told, kept, and given away


@pytest.mark.django_db(transaction=True)
def test_each_write_of_an_identifier_is_in_the_feed_and_in_the_history(librarian, made):
    one, _ = made["editions"]
    oclc, lccn = one["identifiers"]
    cursor = send(librarian, "GET", "/changes/")["next_cursor"]
    path = f"/editions/{one['id']}/identifiers/"
    send(librarian, "PATCH", f"{path}{oclc['id']}/", {"value": "2"})
    send(librarian, "DELETE", f"{path}{lccn['id']}/", status=204)
    added = send(librarian, "POST", path, {"scheme": "x", "value": "5"}, 201)
    [entry] = send(librarian, "GET", f"/changes/?after={cursor}")["results"]
    assert (entry["kind"], entry["id"], entry["version"]) == ("books", made["id"], 4)
    third, second, first, _ = send(librarian, "GET", f"/books/{made['id']}/history/")["results"]
    at = "/editions/0/identifiers"
    assert first["changes"] == [{"pointer": f"{at}/0/value", "from": "1", "to": "2"}]
    assert second["changes"] == [{"pointer": f"{at}/1", "from": lccn, "to": None}]
    item = {"id": added["id"], "scheme": "x", "value": "5"}
    assert third["changes"] == [{"pointer": f"{at}/1", "from": None, "to": item}]


@pytest.mark.django_db(transaction=True)
def test_a_hand_with_sql_is_told_as_well(librarian, made):
    key = made["editions"][0]["identifiers"][0]["id"]
    cursor = send(librarian, "GET", "/changes/")["next_cursor"]
    with connection.cursor() as sql:
        sql.execute("UPDATE books_identifier SET value = '9' WHERE id = %s", [key])
    [entry] = send(librarian, "GET", f"/changes/?after={cursor}")["results"]
    assert (entry["kind"], entry["id"]) == ("books", made["id"])
    last, _ = send(librarian, "GET", f"/books/{made['id']}/history/")["results"]
    assert last["changes"] == [
        {"pointer": "/editions/0/identifiers/0/value", "from": "1", "to": "9"}
    ]


@pytest.mark.django_db(transaction=True)
def test_a_deleted_book_comes_back_with_its_identifiers(admin, made):
    url = f"/books/{made['id']}/"
    send(admin, "DELETE", url, status=204)
    assert not Identifier.objects.exists()
    _, created = send(admin, "GET", f"{url}history/")["results"]
    assert created["operation"] == "create"
    send(admin, "POST", f"{url}restore/")
    assert send(admin, "GET", url)["editions"] == made["editions"]
    send(admin, "DELETE", url, status=204)
    other = book("Other", isbns=[isbn(5)]).editions.get()
    other.identifiers.create(scheme="lccn", value="2001000002")
    problem = send(admin, "POST", f"{url}restore/", status=409)
    assert faults(problem) == [("/editions/0/identifiers/1", "unique")]


def test_identifiers_go_out_and_come_back_with_the_catalogue(librarian, made, tmp_path):
    file = tmp_path / "catalogue.jsonl"
    call_command("export_catalogue", file)
    [line] = map(json.loads, file.read_text("utf-8").splitlines())
    editions = line["document"]["editions"]
    assert editions[0]["identifiers"] == [OCLC, {"scheme": "lccn", "value": "2001000002"}]
    Edition.objects.all().delete()
    line["document"]["uid"] = line["document"]["uid"].replace(made["uid"][:4], "0000")
    file.write_text(json.dumps(line), "utf-8")
    call_command("import_catalogue", file)
    stored = Identifier.objects.order_by("id")
    assert [str(each) for each in stored] == ["oclc:1", "lccn:2001000002"]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_want_one_identifier_at_once_one_gets_it(at_once):
    user = User.objects.create_user("l", "l@example.org", role=User.Role.LIBRARIAN)

    def write(number):
        client = APIClient()
        client.force_authenticate(user)
        body = {"title": f"{number}", "editions": [{"identifiers": [OCLC]}]}
        return client.post("/api/books/", body, format="json").status_code

    assert sorted(at_once(write, 4)) == [201, 409, 409, 409]
    assert Book.objects.count() == Identifier.objects.count() == 1
