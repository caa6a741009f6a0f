"""Whatever a client sends, is it taken as it stands or refused with the place of the fault?"""

import copy
import itertools
import json
import re
from functools import partial
from http import HTTPStatus
from unittest.mock import ANY

import pytest
from django.db import transaction
from django.urls import path
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from authors.models import Author, AuthorProfile, OtherName
from authors.serializers import AuthorSerializer
from books.models import Book, Contribution, Edition, Identifier, Publisher, Series, Subject
from books.serializers import (
    BookSerializer,
    ContributionSerializer,
    EditionSerializer,
    IdentifierSerializer,
    PublisherSerializer,
    SeriesSerializer,
    SubjectSerializer,
)
from project import router as urls
from project.api.http import parsers
from project.api.http.problems import pointer
from project.api.serializers import ResourceSerializer


class Echo(APIView):
    """Answers what the parser made of the body."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request):
        return Response(request.data)


urlpatterns = [path("api/echo/", Echo.as_view())]
echo = pytest.mark.urls(__name__)


def post(body, content_type="application/json", **headers):
    if isinstance(body, str):
        body = body.encode()
    return APIClient().generic("POST", "/api/echo/", body, content_type, **headers)


def deep(levels, inside="1"):
    return "[" * levels + inside + "]" * levels


@echo
@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ('{"a": "x\\u0000"}', [("/a", "invalid")]),
        ('{"a": ["ok", "\\ud800"]}', [("/a/1", "invalid")]),
        ('{"a": {"b~/c": "\\udc00\\ud800"}}', [("/a/b~0~1c", "invalid")]),
        ('{"a\\u0000": 1}', [("/a\0", "invalid")]),
        ('{"a\\ud800b": 1}', [("/a\\ud800b", "invalid")]),
        ('{"a": 1, "b": 2, "a": 3}', [("/a", "repeated_key")]),
        ('{"a": [{"b": 1, "b": 1}]}', [("/a/0/b", "repeated_key")]),
        ('{"\\udc00": 1, "\\udc00": 1}', [("/\\udc00", "repeated_key"), ("/\\udc00", "invalid")]),
        ('{"a": NaN, "b": Infinity}', [("/a", "invalid"), ("/b", "invalid")]),
        ('{"a": [-Infinity]}', [("/a/0", "invalid")]),
        ('{"a": 1e999, "b": -1e999}', [("/a", "invalid"), ("/b", "invalid")]),
        ('{"a": 9223372036854775808}', [("/a", "invalid")]),
        ('{"a": -9223372036854775809}', [("/a", "invalid")]),
        ('{"a": ' + "9" * 30 + "}", [("/a", "invalid")]),
        ('{"a": -' + "1" * 5_000 + "}", [("/a", "invalid")]),
        (deep(33), [("/0" * 32, "too_deep")]),
        (deep(33, ""), [("/0" * 32, "too_deep")]),
        ('{"a":' * 33 + "1" + "}" * 33, [("/a" * 32, "too_deep")]),
        (deep(30_000), [("", "too_deep")]),
        ('{"a":' * 30_000 + "1" + "}" * 30_000, [("", "too_deep")]),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_json_that_cannot_be_stored_is_refused_with_its_place(body, errors):
    response = post(body)
    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == errors


@echo
@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ('{"a": 1,\n "b" 2}', "delimiter at line 2, column 6."),
        ('{"a": 1', "delimiter at line 1, column 8."),
        ("{'a': 1}", "at line 1, column 2."),
        ('{"a": 1} {"b": 2}', "Extra data at line 1, column 10."),
        ('{"a": "\n"}', "character at line 1, column 8."),
        ('{"a": "\\x"}', "at line 1, column 8."),
        (" ", "Expecting value at line 1, column 2."),
        ("a=1&b=2", "Expecting value at line 1, column 1."),
        (b'{"a": "\xff"}', "The body is not UTF-8 at byte 7."),
        (b'{"a": "\xed\xa0\x80"}', "The body is not UTF-8 at byte 7."),
        ('{"a": 1}'.encode("utf-16"), "The body is not UTF-8 at byte 0."),
        ('{"a": 1}'.encode("utf-16-le"), "at line 1, column 2."),
    ],
)
def test_what_is_no_json_is_400_with_line_and_column(body, detail):
    response = post(body)
    problem = response.json()
    assert problem.pop("detail").endswith(detail)
    assert problem == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "code": "parse_error",
        "instance": "/api/echo/",
        "request_id": ANY,
    }


@echo
@pytest.mark.parametrize(
    "body",
    [
        '{"a": 9223372036854775807, "b": -9223372036854775808, "c": 1.5e300, "d": -0.0}',
        '{"a": "🙂 \\ud83d\\ude42", "Ω": [null, true, false, "", {}, []]}',
        deep(32),
        "\ufeff{}",
    ],
)
def test_json_at_the_edge_of_the_limits_is_taken(body):
    response = post(body)
    assert response.status_code == 200
    assert response.json() == json.loads(body.removeprefix("\ufeff"))


@echo
def test_the_charset_parameter_has_no_effect_on_json():
    response = post('{"a": "é"}', "application/json; charset=utf-16")
    assert response.json() == {"a": "é"}


@echo
def test_many_faults_are_cut_off_at_fifty():
    response = post(json.dumps(["\0"] * 1_000))
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{i}" for i in range(50)]


@echo
def test_fifty_of_the_keys_that_stand_twice_are_named():
    keys = [f"{number:05}" for number in range(20_000)]
    response = post("{" + ",".join(f'"{key}":1,"{key}":2' for key in keys) + "}")
    errors = [(error["pointer"], error["code"]) for error in response.json()["errors"]]
    assert errors == [(f"/{key}", "repeated_key") for key in keys[:50]]


def items(number):
    return "[" + ",".join(["7"] * number) + "]"


@echo
@pytest.mark.parametrize(
    "body",
    [
        items(49_999),
        json.dumps({"text": ", [ { " * 50_000}),
        json.dumps({'an \\"escaped': '\\", [ {' * 50_000}),
    ],
    ids=["numbers", "commas in a text", "quotes in a text"],
)
def test_fifty_thousand_values_are_taken(body):
    response = post(body)
    assert (response.status_code, response.json()) == (200, json.loads(body))


@echo
@pytest.mark.parametrize(
    "body",
    [items(50_000), "[" + ",".join(["{}"] * 25_001) + "]", '"' + '\\"' * 9 + '"' + "," * 50_001],
    ids=["numbers", "objects", "not JSON either"],
)
def test_more_values_are_refused_before_they_are_read(body):
    response = post(body)
    assert response.status_code == 400
    assert response.json()["errors"] == [
        {
            "pointer": "",
            "code": "too_many",
            "detail": "The document holds more than 50,000 values.",
        }
    ]


def nested(number):
    """Objects in lists of 200 at most."""
    whole, rest = divmod(number, 200)
    return [[{}] * 200] * whole + [[{}] * rest]


@echo
@pytest.mark.parametrize(
    "document",
    [
        nested(2000),
        {"all": nested(2000)},
        [{"{{{": '"{' * 3000}],
    ],
    ids=["in a list", "in an object", "braces in a text"],
)
def test_two_thousand_objects_are_taken(document):
    response = post(json.dumps(document))
    assert (response.status_code, response.json()) == (200, document)


@echo
@pytest.mark.parametrize("document", [nested(2001), {"all": nested(2001)}])
def test_more_objects_are_too_many(document):
    response = post(json.dumps(document))
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert response.json()["detail"] == "The body nests more than 2,000 objects."


# In JSON each of these takes the more bytes.
LONG = 20_000 * "\U0001f642"
QUOTES = 20_000 * '"'


@pytest.mark.parametrize(
    ("body", "first"),
    [
        ({LONG: 1}, ("", "unknown")),
        ({QUOTES: 1}, ("", "unknown")),
        ({f"no{number}": 1 for number in range(5_000)}, ("/no0", "unknown")),
        ({f"{'x' * 900}{number}": 1 for number in range(500)}, (f"/{'x' * 900}0", "unknown")),
        ({f"{900 * QUOTES[0]}{number}": 1 for number in range(500)}, None),
        ({f"{900 * LONG[0]}{number}": 1 for number in range(500)}, None),
        ({"editions": [{"format": LONG}]}, ("/editions/0/format", "invalid_choice")),
        ({"editions": [{"format": QUOTES}] * 40}, ("/editions/0/format", "invalid_choice")),
        ({"editions": [{f"no{n}": 1 for n in range(200)}] * 200}, ("/editions/0/no0", "unknown")),
        ({"subject_ids": ["x"] * 200}, ("/subject_ids/0", "invalid")),
        ({"subject_ids": list(range(1, 45_000))}, ("/subject_ids", "max_length")),
        ({"subject_ids": ["x"] * 45_000}, ("/subject_ids", "max_length")),
    ],
    ids=itertools.count(),
)
def test_no_body_makes_a_problem_of_more_than_fifty_faults_or_64_kilobytes(librarian, body, first):
    response = librarian.post("/api/books/", {"title": "x", **body}, format="json")
    assert response.status_code == 400
    assert len(response.content) <= 64_000
    errors = response.json()["errors"]
    assert 0 < len(errors) <= 50
    if first is not None:
        assert (errors[0]["pointer"], errors[0]["code"]) == first
    assert not Book.objects.exists()


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"no{number}=1" for number in range(3_000)),
        "&".join(f"{LONG[:600]}{number}=1" for number in range(90)),
        f"{LONG}=1",
        f"year={LONG}",
        f"ordering={QUOTES}",
        f"fields={LONG}",
    ],
    ids=itertools.count(),
)
def test_no_query_makes_a_problem_of_more_than_fifty_faults_or_64_kilobytes(librarian, query):
    response = librarian.get(f"/api/books/?{query}")
    assert response.status_code == 400
    assert len(response.content) <= 64_000
    assert 0 < len(response.json()["errors"]) <= 50
    # A reference is cut between two characters.
    assert len(response.json()["instance"]) <= 1_000
    assert re.fullmatch(r"(%[0-9A-F]{2}|[^%])*", response.json()["instance"])


@echo
def test_a_body_over_the_limit_is_413_before_it_is_parsed(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert post(json.dumps("x" * 98)).status_code == 200
    response = post("x" * 101)
    assert response.status_code == 413
    assert response.json() == {
        "type": "about:blank",
        "title": HTTPStatus(413).phrase,
        "status": 413,
        "detail": "The body of the request is too large.",
        "code": "too_large",
        "instance": "/api/echo/",
        "request_id": ANY,
    }


@echo
@pytest.mark.parametrize(
    "headers", [{"HTTP_TRANSFER_ENCODING": "chunked"}, {"SERVER_PROTOCOL": "HTTP/2"}]
)
def test_a_body_without_its_length_is_411(headers):
    response = post("", **headers)
    assert response.status_code == 411
    assert response["Content-Type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Length Required",
        "status": 411,
        "detail": "Send the body with its Content-Length, not chunked.",
        "code": "length_required",
        "instance": "/api/echo/",
        "request_id": ANY,
    }


@echo
@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])
def test_a_request_without_a_body_needs_no_length(protocol):
    assert post("", content_type="", SERVER_PROTOCOL=protocol).json() == {}
    assert post("{}", SERVER_PROTOCOL=protocol).json() == {}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=5),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(st.characters(), max_size=3), children, max_size=4)
    ),
)


@settings(max_examples=500)
@given(
    document=st.lists(values, max_size=4),
    escapes=st.booleans(),
    key=st.sampled_from(["a", "b"]),
    depth=st.integers(0, 40),
)
def test_what_is_taken_at_first_sight_has_no_faults(document, escapes, key, depth):
    text = json.dumps({"a": document, "b": 0}, ensure_ascii=escapes).replace('"b"', f'"{key}"')
    try:
        body = f"{'[' * depth}{text}{']' * depth}".encode()
    except UnicodeEncodeError:
        return
    read = partial(json.loads, body, object_pairs_hook=parsers._object)
    assert not (parsers._is_sound(read(), body) and list(parsers._faults(read())))


def test_most_documents_are_taken_at_first_sight():
    document = {"title": 'Ügly: "A"', "pages": [1, -2.5, None, True], "series": {"name": ""}}
    for escapes in (True, False):
        body = json.dumps(document, ensure_ascii=escapes).encode()
        assert parsers._is_sound(json.loads(body), body)


@echo
@given(document=st.lists(values, max_size=4) | st.binary(max_size=30))
def test_any_body_is_taken_whole_or_refused(document):
    response = post(document if isinstance(document, bytes) else json.dumps(document))
    if response.status_code == 200 and not isinstance(document, bytes):
        assert response.json() == document
    else:
        assert response.status_code in (200, 400)


# Wrong values at every place of every body


def book_example(**own):
    return {
        "title": "Dune",
        "sort_title": "Dune",
        "original_title": "Dune",
        "language": "en",
        "first_published_year": 1965,
        "description": "Spice.",
        "series": {"name": "Dune Chronicles"},
        "series_position": "1",
        "subjects": [{"name": "Deserts", "slug": "deserts"}],
        "contributions": [
            {
                "author": {
                    "name": "Frank Herbert",
                    "sort_name": "Herbert, Frank",
                    "kind": "person",
                    "birth_year": 1920,
                    "death_year": 1986,
                    "openlibrary_key": "OL79034A",
                },
                "role": "author",
                "credited_as": "F. Herbert",
            },
            {"author_id": "{author}", "role": "editor"},
        ],
        "editions": [
            {
                "isbn13": "9780441172719",
                "identifiers": [{"scheme": "oclc", "value": "21478515"}],
                "publisher": {"name": "Ace"},
                "format": "paperback",
                "pages": 412,
                "published_on": "1990-09-01",
                "language": "en",
            },
            {"publisher_id": "{publisher}"},
        ],
        "openlibrary_key": "OL893415W",
        **own,
    }


BY_KEY = {"title": "Dune", "series_id": "{series}", "subject_ids": ["{subject}"]}
AUTHOR = {
    "name": "Frank Herbert",
    "sort_name": "Herbert, Frank",
    "kind": "person",
    "birth_year": 1920,
    "death_year": 1986,
    "openlibrary_key": "OL79034A",
    "other_names": [{"name": "Franklin Herbert", "sort_name": "Herbert, Franklin"}],
    "profile": {"biography": "Wrote.", "website": "https://example.org/"},
}
AUTHORS_BOOK = {
    **{name: book_example()[name] for name in ("title", "sort_title", "original_title")},
    **{name: book_example()[name] for name in ("language", "first_published_year")},
    **{name: book_example()[name] for name in ("description", "series_position")},
    "series_id": "{series}",
    "subject_ids": ["{subject}"],
    "contributions": [{"author_id": "{author}", "role": "editor", "credited_as": "E."}],
    "openlibrary_key": "OL893415W",
}
EDITION = {**book_example()["editions"][0], "publisher": {"name": "Ace"}}
# (method, URL, its serializer, a body it takes)
BODIES = [
    (
        "post",
        "/api/authors/",
        AuthorSerializer,
        {**AUTHOR, "books": [AUTHORS_BOOK, {"id": "{book}"}]},
    ),
    (
        "patch",
        "/api/authors/{author}/",
        AuthorSerializer,
        {
            "profile_id": "{profile}",
            "profile": {"id": "{profile}", "biography": "Wrote."},
            "other_names": [{"id": "{othername}"}],
        },
    ),
    ("post", "/api/books/", BookSerializer, book_example()),
    ("post", "/api/books/", BookSerializer, {**BY_KEY, "author_ids": ["{author}"]}),
    ("post", "/api/books/", BookSerializer, {**BY_KEY, "authors": [{"name": "Frank Herbert"}]}),
    (
        "put",
        "/api/books/{book}/",
        BookSerializer,
        book_example(
            series={"id": "{series}"},
            subjects=[{"id": "{subject}"}],
            contributions=[{"id": "{contribution}", "author": {"id": "{author}"}}],
            editions=[
                {
                    "id": "{edition}",
                    "publisher": {"id": "{publisher}"},
                    "identifiers": [{"id": "{identifier}"}],
                }
            ],
        ),
    ),
    ("patch", "/api/books/{book}/", BookSerializer, {"authors": [{"id": "{author}"}]}),
    ("post", "/api/series/", SeriesSerializer, {"name": "Dune Chronicles"}),
    ("patch", "/api/publishers/{publisher}/", PublisherSerializer, {"name": "Ace"}),
    ("post", "/api/subjects/", SubjectSerializer, {"name": "Sand", "slug": "sand"}),
    ("post", "/api/authors/{author}/books/", BookSerializer, {"title": "Dune"}),
    (
        "post",
        "/api/books/{book}/contributions/",
        ContributionSerializer,
        {**book_example()["contributions"][0], "book_id": "{book}"},
    ),
    (
        "patch",
        "/api/books/{book}/contributions/{contribution}/",
        ContributionSerializer,
        {"author_id": "{author}", "role": "editor"},
    ),
    ("post", "/api/books/{book}/editions/", EditionSerializer, {**EDITION, "book_id": "{book}"}),
    (
        "put",
        "/api/books/{book}/editions/{edition}/",
        EditionSerializer,
        {"publisher_id": "{publisher}", "pages": 1},
    ),
    (
        "post",
        "/api/editions/{edition}/identifiers/",
        IdentifierSerializer,
        {"edition_id": "{edition}", "scheme": "lccn", "value": "2001627090"},
    ),
    (
        "post",
        "/api/publishers/{publisher}/editions/",
        EditionSerializer,
        {"book_id": "{book}", "pages": 1},
    ),
]


def places(field, body, *place):
    """Every place in the body, with the field that takes it."""
    yield place, field
    if isinstance(body, dict):
        for name, value in body.items():
            yield from places(field.fields[name], value, *place, name)
    elif isinstance(body, list):
        for index, value in enumerate(body):
            yield from places(field.child, value, *place, index)


NAMED = {
    (type(field.parent), field.field_name)
    for _, _, serializer, body in BODIES
    for _, field in places(serializer(), body)
}


def sample(field):
    """A value that the field takes, if it is a plain one."""
    match field:
        case serializers.ChoiceField():
            return next(iter(field.choices))
        case serializers.IntegerField():
            return 1
        case serializers.DateField():
            return "2020-02-29"
        case serializers.CharField(field_name="first_published"):
            return "1965~"
        case serializers.CharField(field_name="other_role"):
            # Words are of another role alone.
            return ""
        case serializers.CharField():
            return "x"
    return None


def whole(field, body):
    """The body, with a value for each plain property that no body above names."""
    match body:
        case list():
            return [whole(field.child, each) for each in body]
        case dict() if "id" not in body:
            more = {
                name: sample(inner)
                for name, inner in field.fields.items()
                if not inner.read_only
                and name != "id"
                and (type(field), name) not in NAMED
                and sample(inner) is not None
            }
            return more | {name: whole(field.fields[name], body[name]) for name in body}
    return body


BODIES = [
    (method, url, serializer, whole(serializer(), body)) for method, url, serializer, body in BODIES
]
# Refused as it stands: a stored book is linked and not edited here.
LINKED = {"id": "{book}", "contributions": [{"id": "{contribution}"}]}
NEVER_TAKEN = [("post", "/api/authors/", AuthorSerializer, {"name": "F. H.", "books": [LINKED]})]
RAW = {  # what json.dumps cannot say
    "a number beyond floats": "1e999",
    "depth": "[" * 40 + "]" * 40,
    "a number of 5,000 digits": "9" * 5_000,
}
WRONG = [
    None,
    True,
    -1,
    12.5,
    2**63 - 1,
    10**30,
    "",
    "x",
    "x" * 100_000,
    "\0",
    "\ud800",
    [],
    [None],
    [{}],
    [{"id": 0}],
    [{"id": 999_999}, {"id": 999_999}],
    {},
    {"id": "x"},
    {"id": 999_999},
    *RAW,
]


@pytest.fixture
def stored(db):
    """A book with one of everything."""
    author = Author.objects.create(name="Isaac Asimov")
    series = Series.objects.create(name="Foundation")
    subject = Subject.objects.create(name="Empires")
    publisher = Publisher.objects.create(name="Gnome Press")
    book = Book.objects.create(title="Foundation", series=series)
    book.subjects.add(subject)
    contribution = Contribution.objects.create(book=book, author=author)
    edition = Edition.objects.create(book=book, publisher=publisher)
    profile = AuthorProfile.objects.create(author=author)
    identifier = edition.identifiers.create(scheme="oclc", value="1")
    other_name = author.other_names.create(name="Paul French")
    rows = (author, series, subject, publisher, book, contribution, edition, identifier, other_name)
    return {row._meta.model_name: row.pk for row in rows} | {"profile": profile.pk}


def everything():
    models = (Author, AuthorProfile, OtherName, Series, Subject, Publisher)
    models += (Book, Contribution, Edition, Identifier)
    through = Book.subjects.through
    return [list(model.objects.order_by("pk").values()) for model in (*models, through)]


def filled(body, stored):
    """The body with the keys of stored rows in the places of their names."""
    match body:
        case dict():
            return {name: filled(value, stored) for name, value in body.items()}
        case list():
            return [filled(value, stored) for value in body]
        case str() if body.startswith("{"):
            return stored[body.strip("{}")]
    return body


def replaced(body, place, value):
    if not place:
        return value
    first, *rest = place
    changed = copy.copy(body)
    changed[first] = replaced(body[first], rest, value)
    return changed


def has_type_of(field, value):
    match field:
        case serializers.ListField() | serializers.ListSerializer():
            return isinstance(value, list)
        case serializers.BaseSerializer():
            return isinstance(value, dict)
        case serializers.IntegerField():
            return type(value) is int
    return isinstance(value, str)


def encoded(body):
    """As JSON, with the names in RAW as what they stand for."""
    text = json.dumps(body)
    for name, raw in RAW.items():
        text = text.replace(json.dumps(name), raw)
    return text


def containers(body, *place):
    """The pointers to every object and list in the body."""
    if isinstance(body, (dict, list)):
        yield pointer(*place)
        for key in body if isinstance(body, dict) else range(len(body)):
            yield from containers(body[key], *place, key)


def assert_points_into(text, problem):
    """Every fault is at something that was sent, or at something that is missing from it."""
    # Numbers as text, since some are longer than Python takes.
    sent = set(containers(json.loads(text, parse_int=str)))
    assert problem["errors"]
    for error in problem["errors"]:
        assert error["pointer"] == "" or error["pointer"].rpartition("/")[0] in sent


# Each property of each serializer at each depth, in one of the bodies that have it.
PLACES = {
    (type(field.parent), field.field_name, len(place)): (method, url, body, place, field)
    for method, url, serializer, body in NEVER_TAKEN + BODIES
    for place, field in places(serializer(), body)
}.values()


def send_spoilt(client, method, url, body):
    """The answer to a body with something wrong in it; what it wrote, if anything, is undone."""
    text = encoded(body)
    with transaction.atomic():
        response = client.generic(method, url, text, content_type="application/json")
        if response.status_code < 400:
            transaction.set_rollback(True)
    said = f"{response.status_code} to {text[:300]}: {response.content[:300]}"
    assert response.status_code in (200, 201, 400, 409), said
    if response.status_code >= 400:
        assert response["Content-Type"] == "application/problem+json"
        assert_points_into(text, response.json())
    return response, said


@pytest.mark.parametrize(
    ("method", "url", "body", "place", "field"),
    [
        pytest.param(*each, id=f"{method} {url} {pointer(*place)}")
        for each in PLACES
        for method, url, _, place, _ in [each]
    ],
)
def test_a_wrong_value_anywhere_is_refused_there_and_nothing_is_written(
    librarian, stored, method, url, body, place, field
):
    url, body, before = url.format(**stored), filled(body, stored), everything()
    for value in WRONG:
        response, said = send_spoilt(librarian, method, url, replaced(body, place, value))
        if not has_type_of(field, value) and not (value is None and field.allow_null):
            assert response.status_code == 400, said
            pointers = [error["pointer"] for error in response.json()["errors"]]
            assert any(found.startswith(pointer(*place)) for found in pointers), said
    assert everything() == before


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_anywhere_is_taken_or_refused_whole(librarian, stored, data):
    method, url, body, place, _ = data.draw(st.sampled_from(list(PLACES)))
    url, body, before = url.format(**stored), filled(body, stored), everything()
    send_spoilt(librarian, method, url, replaced(body, place, data.draw(values)))
    assert everything() == before


def test_a_text_of_a_megabyte_is_refused_wherever_it_stands(librarian, stored):
    body = filled({**BY_KEY, "description": "x" * 1_000_000, "x" * 500_000: 1}, stored)
    response, _ = send_spoilt(librarian, "post", "/api/books/", body)
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("method", "url", "body"), [(method, url, body) for method, url, _, body in BODIES]
)
def test_the_bodies_that_are_spoilt_above_are_good_ones(librarian, stored, method, url, body):
    body = filled(body, stored)
    response = getattr(librarian, method)(url.format(**stored), body, format="json")
    assert response.status_code in (200, 201), response.content


def writable(field):
    """The properties of the serializer, and of those inside, that can be written."""
    field = getattr(field, "child", field)
    for name, inner in getattr(field, "fields", {}).items():
        if not inner.read_only:
            yield (type(field), name)
            yield from writable(inner)


def test_every_property_that_can_be_written_is_spoilt_above():
    tried = {(type(field.parent), place[-1]) for _, _, _, place, field in PLACES if place}
    routers = (urls.router, urls.author, urls.book, urls.edition)
    routers += (urls.series, urls.publisher, urls.subject)
    views = [view for router in routers for _, view, _ in router.registry]
    # What adds and removes links takes no body.
    resources = {view.serializer_class for view in views if hasattr(view, "serializer_class")}
    known = {
        each
        for resource in resources
        if issubclass(resource, ResourceSerializer)
        for each in writable(resource())
        # Has test_uids.py.
        if each[1] != "uid"
    }
    assert known
    assert known <= tried
