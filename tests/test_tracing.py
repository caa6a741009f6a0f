"""Does a collector of traces get what happens in a request, and nothing that is private?"""

import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.server import PASSWORD, ROOT, Server, with_admins

# One worker of pytest-xdist runs them all, so that the database is made once.
pytestmark = pytest.mark.xdist_group(__name__)
SERVICE = "catalogue-of-tests"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def env(database_url):
    return with_admins(database_url, "admin")


@contextmanager
def collecting():
    """A receiver of OTLP by HTTP: its URL, and the requests that it has received."""
    received = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", received
        finally:
            server.shutdown()
            thread.join()


def spans_in(received):
    spans = []
    for _, _, message in received:
        for resource in ExportTraceServiceRequest.FromString(message).resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            assert names["service.name"] == SERVICE
            for scope in resource.scope_spans:
                spans += scope.spans
    return spans


def attributes_of(span):
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_request_and_its_statements_are_spans(env):
    with collecting() as (url, received):
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_SERVICE_NAME": SERVICE}
        with Server(env | variables) as server:
            client = server.client
            login = {"username": "admin", "password": PASSWORD}
            token = client.post("/api/token/", json=login).json()["access"]
            headers = {"Authorization": f"Bearer {token}", "X-Request-ID": "phone-7"}
            body = {"title": "A title of somebody's own"}
            book = client.post("/api/books/", json=body, headers=headers).json()
            traced = {"X-Request-ID": "phone-8", "traceparent": f"00-{TRACE}-{PARENT}-01"}
            answer = client.get(f"/api/books/{book['id']}/?fields=title", headers=traced)
            assert answer.json() == {"title": "A title of somebody's own"}
            assert client.get("/nothing/here-at-all?of=interest").status_code == 404
            # What is not sent yet is sent before the end.
            assert server.stop() == 0
    assert {(path, kind) for path, kind, _ in received} == {
        ("/v1/traces", "application/x-protobuf")
    }
    spans = spans_in(received)
    requests = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    by_name = {span.name: span for span in requests}
    assert sorted(by_name) == [
        *("GET", "GET api/books/<id:pk>/", "POST api/books/", "POST api/token/"),
    ]
    read = by_name["GET api/books/<id:pk>/"]
    assert attributes_of(read) == {
        "http.request.method": "GET",
        "http.route": "api/books/<id:pk>/",
        "http.response.status_code": 200,
        "catalogue.request_id": "phone-8",
    }
    assert (read.trace_id.hex(), read.parent_span_id.hex()) == (TRACE, PARENT)
    for request in requests:
        assert request.status.code != Status.STATUS_CODE_ERROR
        statements = [span for span in spans if span.parent_span_id == request.span_id]
        assert bool(statements) == (request.name != "GET")
        for span in statements:
            assert (span.kind, span.trace_id) == (Span.SPAN_KIND_CLIENT, request.trace_id)
            assert request.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= request.end_time_unix_nano
            attributes = attributes_of(span)
            assert attributes.keys() == {"db.system.name", "db.query.text"}
            assert attributes["db.query.text"].split()[0].upper() == span.name
    [insert] = [
        attributes_of(span)["db.query.text"]
        for span in spans
        if span.parent_span_id == by_name["POST api/books/"].span_id
        and 'INSERT INTO "books_book"' in attributes_of(span)["db.query.text"]
    ]
    assert "%s" in insert
    everything = b"".join(message for _, _, message in received)
    for value in (
        "somebody's own",
        "admin@",
        PASSWORD,
        token,
        "127.0.0.1",
        "here-at-all",
        "interest",
    ):
        assert value.encode() not in everything


def import_wsgi(env, before="pass"):
    look = f"import sys; {before}; from project import wsgi; print('opentelemetry' in sys.modules)"
    return subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_without_its_variable_nothing_of_it_is_loaded(env):
    assert import_wsgi(env).stdout == "False\n"


def test_a_server_without_the_packages_says_which(env):
    env = env | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    done = import_wsgi(env, "sys.modules['opentelemetry'] = None")
    assert done.returncode == 1
    assert done.stderr.endswith("takes more packages: uv sync --group tracing\n")


def test_a_collector_that_is_away_is_in_nobodys_way(env):
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with Server(env | away) as server:
        for _ in range(3):
            assert server.client.get("/api/books/").status_code == 200
        assert server.stop() == 0
