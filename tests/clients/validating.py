"""A plugin of pytest that holds each request and answer of the tests' clients to the contract.

openapi-core, a validator that others wrote, reads the contract and says what it thinks of them:
`pytest -p tests.clients.validating tests/test_x.py`.
"""

import json
from urllib.parse import parse_qsl

import pytest
from django.test.client import FakePayload
from openapi_core import Config, OpenAPI
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.testing import MockRequest, MockResponse
from werkzeug.datastructures import ImmutableMultiDict

from tests.clients.generators import CONTRACT

# Of these the contract tells in words, since clients would take a page for a text as well.
IN_WORDS = ("text/csv", "application/x-ndjson", "text/html")
# Media types in JSON, of which it decodes `application/json` alone by itself
PROBLEM, PARTIAL = "application/problem+json", "application/vnd.catalogue.partial+json"
DECODERS = dict.fromkeys([PROBLEM, PARTIAL], json.loads)
DOCUMENT = OpenAPI.from_file_path(str(CONTRACT), Config(extra_media_type_deserializers=DECODERS))
validated = []


def validate(client, environ, body, response):
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").title(): str(value)
        for name, value in {**client._credentials, **environ}.items()
        if name.startswith("HTTP_")
    }
    if client.handler._force_user is not None:
        headers["Authorization"] = "Bearer of.the.test"
    request = MockRequest(
        "http://testserver",
        environ["REQUEST_METHOD"].lower(),
        environ["PATH_INFO"],
        args=ImmutableMultiDict(parse_qsl(environ.get("QUERY_STRING", ""), True)),
        headers=headers,
        data=body,
        content_type=environ.get("CONTENT_TYPE", "application/json"),
    )
    answer = MockResponse(
        response.content,
        response.status_code,
        dict(response.headers),
        response.headers.get("Content-Type", ""),
    )
    try:
        DOCUMENT.validate_response(request, answer)
    except PathError:
        # There is no such URL, or it has no such method; of HEAD a GET says enough.
        assert request.method == "head" or response.status_code in (404, 405)
        return
    # Where each item of a bulk stands alone, some may be refused.
    if response.status_code < 400 and b'"partial"' not in body:
        DOCUMENT.validate_request(request)
    validated.append((request.method, request.path))


@pytest.fixture(autouse=True)
def hold_to_the_contract(monkeypatch):
    # It is read from the settings, which a plugin is loaded before.
    from rest_framework.test import APIClient

    send = APIClient.request

    def request(client, **environ):
        body = environ["wsgi.input"].read() if "wsgi.input" in environ else b""
        environ["wsgi.input"] = FakePayload(body)
        response = send(client, **environ)
        media = response.headers.get("Content-Type", "")
        if environ["PATH_INFO"].startswith("/api/") and not media.startswith(IN_WORDS):
            validate(client, environ, body, response)
        return response

    monkeypatch.setattr(APIClient, "request", request)


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"{len(validated)} requests are as the contract says.")
