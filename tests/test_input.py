"""Whatever a client sends, is it taken as it stands or refused with the place of the fault?"""

import json
from http import HTTPStatus

import pytest
from django.urls import path
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView


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


@echo
@given(document=st.lists(values, max_size=4) | st.binary(max_size=30))
def test_any_body_is_taken_whole_or_refused(document):
    response = post(document if isinstance(document, bytes) else json.dumps(document))
    if response.status_code == 200 and not isinstance(document, bytes):
        assert response.json() == document
    else:
        assert response.status_code in (200, 400)
