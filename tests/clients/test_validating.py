"""Do clients that validate accept what the server answers to the requests of the docs?"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import yaml

from tests.clients.generators import CONTRACT, NODE_MODULES, ROOT, run
from tests.clients.validating import PARTIAL
from tests.postgres import START_TIMEOUT, free_port

PAGES = ["relations", "conditional", "offline", "auth"]
OTHERS = ["readme", "requests_of_docs", "bulk", "merging", "search", "documents"]
# Of these files the tests whose requests are those of a page, and of what it says of media types.
CHOSEN = (
    "readme_says or page_says or of_the_page or documented_answer or requests_of_docs or media_type"
)
FAULT = re.compile(r'"location":\["(\w+)".*?"code":"(\w+)"')
# One worker of pytest-xdist runs them all, and so the tests of the docs once.
pytestmark = pytest.mark.xdist_group(__name__)


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory):
    """Every request of the docs with its answer, which openapi-core accepts."""
    file = tmp_path_factory.mktemp("exchanges") / "exchanges.jsonl"
    command = (sys.executable, "-m", "pytest", "-p", "tests.clients.validating", "-q", "-n", "0")
    files = [
        *(f"tests/test_{page}_docs.py" for page in PAGES),
        *(f"tests/test_{name}.py" for name in OTHERS),
    ]
    # With a database of its own: not that of these tests.
    own = {"TEST_DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    env = {name: value for name, value in os.environ.items() if name not in own}
    run(*command, *files, "-k", CHOSEN, env={**env, "EXCHANGES": str(file)})
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_openapi_core_accepts_every_request_of_the_docs(exchanges):
    accepted = {(each["method"], each["path"]) for each in exchanges}
    shown = {
        request
        for page in ["README.md", *(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md"))]
        for request in re.findall(
            r"^```http\n(GET|POST|PUT|PATCH|DELETE) (/api/[^?\s]*)",
            (ROOT / page).read_text("utf-8"),
            re.MULTILINE,
        )
    }
    assert len(shown) > 15
    assert shown - accepted == set()
    assert ("POST", "/api/token/") in accepted


# Prism


@pytest.fixture
def upstream(exchanges):
    """The URL of a server that answers the request of this number as the catalogue did."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            exchange = exchanges[int(self.headers.get("X-Exchange", 0))]
            content = exchange["content"].encode()
            self.send_response(exchange["status"])
            for name, value in exchange["answer_headers"].items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer  # noqa: N815

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def violations(upstream, exchanges, tmp_path):
    """What Prism objects to, as a proxy that has this contract: exchanges with their faults."""

    def violations(contract):
        file = tmp_path / "openapi.json"
        file.write_text(json.dumps(contract))
        url = f"http://127.0.0.1:{(port := free_port())}"
        prism = NODE_MODULES / ".bin" / "prism"
        command = (prism, "proxy", file, upstream, "--port", str(port))
        with (
            httpx.Client(base_url=url, timeout=30) as client,
            (tmp_path / "prism.log").open("w") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as process,
        ):
            try:
                wait_for(client)
                for number, exchange in enumerate(exchanges):
                    # Where a redirect leads, it goes itself.
                    if exchange["status"] != 308 and (
                        faults := faults_of(client, number, exchange)
                    ):
                        yield exchange, faults
            finally:
                process.terminate()

    return violations


def wait_for(client):
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            return client.get("/")
        except httpx.TransportError:
            assert time.monotonic() < deadline, "Prism did not start."
            time.sleep(0.2)


def faults_of(client, number, exchange):
    # Prism writes JSON anew, and leaves the length as it was.
    body = exchange["body"] and json.dumps(json.loads(exchange["body"]), separators=(",", ":"))
    unsent = ("Host", "Content-Length", "Connection")
    headers = {k: v for k, v in exchange["headers"].items() if v and k not in unsent}
    answer = client.request(
        exchange["method"],
        f"{exchange['path']}?{exchange['query']}",
        content=body,
        headers={**headers, "X-Exchange": str(number)},
    )
    assert answer.status_code == exchange["status"]
    # JSON, that ends where the header is too long: where the fault is, and what.
    faults = set(FAULT.findall(answer.headers.get("sl-violations", "")))
    # What the docs show to be refused, it may object to as well.
    refused = exchange["status"] >= 400 or '"partial"' in exchange["body"]
    return {each for each in faults if not (refused and each[0] == "request")}


def test_prism_objects_to_what_lacks_properties_alone(exchanges, violations):
    """It takes whatever ends in `+json` for the first media type of an answer (its issue 2509)."""
    contract = yaml.safe_load(CONTRACT.read_text("utf-8"))
    found = list(violations(contract))
    assert found
    for exchange, faults in found:
        assert exchange["answer_headers"]["Content-Type"] == PARTIAL
        assert faults == {("response", "required")}


def test_prism_accepts_all_where_partial_documents_come_first(violations):
    contract = yaml.safe_load(CONTRACT.read_text("utf-8"))
    for operations in contract["paths"].values():
        for operation in operations.values():
            content = operation["responses"].get("200", {}).get("content", {})
            if PARTIAL in content:
                content["application/json"] = content.pop("application/json")
    assert list(violations(contract)) == []
