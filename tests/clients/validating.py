"""A plugin of pytest that holds each request and answer of the tests' clients to the contract.

openapi-core, a validator that others wrote, reads the contract and says what it thinks of them:
`pytest -p tests.clients.validating tests/test_x.py`. With EXCHANGES in the environment each of them
is a line of JSON in the file of that name, too.
"""

import json
import os
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
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


def validate(exchange):
    headers = exchange["headers"]
    request = MockRequest(
        "http://testserver",
        exchange["method"].lower(),
        exchange["path"],
        args=ImmutableMultiDict(parse_qsl(exchange["query"], True)),
        headers=headers,
        data=exchange["body"].encode(),
        content_type=headers.get("Content-Type") or "application/json",
    )
    answer = MockResponse(
        exchange["content"].encode(),
        exchange["status"],
        exchange["answer_headers"],
        exchange["answer_headers"].get("Content-Type", ""),
    )
    try:
        DOCUMENT.validate_response(request, answer)
    except PathError:
        # There is no such URL, or it has no such method; of HEAD a GET says enough.
        assert request.method == "head" or exchange["status"] in (404, 405)
        return
    # Where each item of a bulk stands alone, some may be refused.
    if exchange["status"] < 400 and '"partial"' not in exchange["body"]:
        DOCUMENT.validate_request(request)
    validated.append(exchange)


@pytest.fixture(autouse=True)
def hold_to_the_contract(monkeypatch):
    from django.core.handlers.base import BaseHandler

    get_response = BaseHandler.get_response

    def held(handler, request):
        # What is compressed, a validator would have to unpack.
        request.META.pop("HTTP_ACCEPT_ENCODING", None)
        body = request.body.decode()
        response = get_response(handler, request)
        media = response.headers.get("Content-Type", "")
        if request.path_info.startswith("/api/") and not media.startswith(IN_WORDS):
            headers = dict(request.headers)
            if getattr(request, "_force_auth_user", None) is not None:
                headers["Authorization"] = "Bearer of.the.test"
            validate(
                {
                    "method": request.method,
                    "path": request.path_info,
                    "query": request.META["QUERY_STRING"],
                    "headers": headers,
                    "body": body,
                    "status": response.status_code,
                    "answer_headers": dict(response.headers),
                    "content": response.content.decode(),
                }
            )
        return response

    monkeypatch.setattr(BaseHandler, "get_response", held)


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"{len(validated)} requests are as the contract says.")
    if name := os.environ.get("EXCHANGES"):
        lines = (json.dumps(exchange) + "\n" for exchange in validated)
        Path(name).write_text("".join(lines), "utf-8")
