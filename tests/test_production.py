"""What does production refuse, and what does every answer of it carry?"""

import os
import re
import subprocess
import sys

import pytest

from project.settings import dev
from tests.server import ROOT, Server, manage

pytestmark = [
    pytest.mark.engineless,
    # One worker of pytest-xdist runs them all, so that each server is started once.
    pytest.mark.xdist_group(__name__),
]

SECRET_KEY = "k8Jw2vXyQmZr5tLcB7nHsD3fGpA9eUoI_4xTqYbRzWjVhKdNuMEa6SgC1iFlOP0"
JWT_KEYS = '[{"kty": "oct", "kid": "1", "k": "U2lnbnMgdG9rZW5zIG9mIHRoZSB0ZXN0cyBhbG9uZSE"}]'
GUESSABLE = f'[{{"kty": "oct", "kid": "1", "k": "{6 * "Y2hhbmdl"}"}}]'  # changechange…
UNSET = {"DJANGO_DEBUG", "DJANGO_SETTINGS_MODULE", "DATABASE_URL", "TEST_DATABASE_URL"}


def production(tmp_path, **changes):
    """A complete production environment with these changes; None takes a variable away."""
    environment = {
        **{name: value for name, value in os.environ.items() if name not in UNSET},
        "DJANGO_SETTINGS_MODULE": "project.settings.prod",
        "DJANGO_SECRET_KEY": SECRET_KEY,
        "DJANGO_ALLOWED_HOSTS": "catalogue.example, 127.0.0.1",
        "JWT_KEYS": JWT_KEYS,
        "NUM_PROXIES": "0",
        "DATABASE_URL": f"sqlite:///{tmp_path}/catalogue.sqlite3",
        **changes,
    }
    return {name: value for name, value in environment.items() if value is not None}


# As `openssl rand -hex 32` makes them, one with little variety
HEXADECIMAL = "a1b0c4c4d2e8f9a7b3b1c0d4e2f8a9a7b3b1c0d4d2e8f9a7b3b1c0d4e2f8a9a7"


# What is silenced is that browsers are not asked to put it on their lists.
@pytest.mark.parametrize(
    ("changes", "silenced"),
    [
        ({"DJANGO_SECRET_KEY": SECRET_KEY}, 1),
        ({"DJANGO_SECRET_KEY": HEXADECIMAL}, 1),
        ({"HSTS_SECONDS": "31536000"}, 0),
    ],
)
def test_the_deployment_check_finds_nothing(tmp_path, changes, silenced):
    environment = production(tmp_path, **changes)
    done = manage("check", "--deploy", "--fail-level", "WARNING", env=environment)
    assert (done.returncode, done.stdout) == (
        0,
        f"System check identified no issues ({silenced} silenced).\n",
    ), done.stderr


def test_a_key_is_not_judged_by_its_name(tmp_path):
    keys = JWT_KEYS.replace('"1"', '"insecure-no-more"')
    assert manage("check", env=production(tmp_path, JWT_KEYS=keys)).returncode == 0


KNOWN = "JWT_KEYS holds a key that everybody knows."
# The settings of the tests cannot be imported a second time.
OF_THE_TESTS = '[{"kty": "oct", "kid": "2", "k": "aW5zZWN1cmUta2V5LWZvci10b2tlbnMtaW4tdGVzdHM"}]'
WEAK = "DJANGO_SECRET_KEY is weak"
HOSTS = "Name every host in DJANGO_ALLOWED_HOSTS"
URLS = "Each URL of DATABASE_URL and DATABASE_REPLICAS is postgresql://user:password@host:port/name"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"DJANGO_SECRET_KEY": None}, "Set DJANGO_SECRET_KEY in the environment."),
        ({"DJANGO_SECRET_KEY": "  "}, "Set DJANGO_SECRET_KEY in the environment."),
        ({"DJANGO_SECRET_KEY": SECRET_KEY[:49]}, WEAK),
        ({"DJANGO_SECRET_KEY": "correct-horse-" * 6}, WEAK),
        ({"DJANGO_SECRET_KEY": "insecure-development-key-that-production-refuses"}, WEAK),
        ({"DJANGO_SECRET_KEY": "insecure-test-key-that-production-refuses-too"}, WEAK),
        ({"DJANGO_SECRET_KEY": f"django-insecure-{SECRET_KEY}"}, WEAK),
        ({"DJANGO_ALLOWED_HOSTS": None}, "Set DJANGO_ALLOWED_HOSTS in the environment."),
        ({"DJANGO_ALLOWED_HOSTS": ""}, "Set DJANGO_ALLOWED_HOSTS in the environment."),
        ({"DJANGO_ALLOWED_HOSTS": " , "}, HOSTS),
        ({"DJANGO_ALLOWED_HOSTS": "*"}, HOSTS),
        ({"DJANGO_ALLOWED_HOSTS": "catalogue.example, *"}, HOSTS),
        ({"DATABASE_URL": None}, "Set DATABASE_URL in the environment."),
        ({"DATABASE_URL": "catalogue"}, URLS),
        ({"DATABASE_URL": "mysql://a:secret@db.example/catalogue"}, URLS),
        ({"DATABASE_URL": "postgresql://a:sec/ret@db.example/catalogue"}, URLS),
        ({"DATABASE_URL": "postgresql://a:secret@[db.example/catalogue"}, URLS),
        ({"DATABASE_URL": "postgresql://a:secret@db.example"}, URLS),
        ({"DATABASE_URL": "postgresql://a:secret@db.example/?sslmode=require"}, URLS),
        ({"DATABASE_REPLICAS": "db2.example"}, URLS),
        ({"DATABASE_REPLICAS": "postgresql://a:secret@db2/c,postgresql://a:secret@db3/c"}, URLS),
        (
            {"DATABASE_URL": "postgresql://a:secret@db.example/catalogue?ssl_mode=require"},
            'A parameter of a database\'s URL is wrong: invalid connection option "ssl_mode".',
        ),
        (
            {"DATABASE_REPLICAS": "postgresql://a:secret@db.example/c?connect_timeout=soon"},
            "A parameter of a database's URL is wrong: bad value for connect_timeout: 'soon'.",
        ),
        (
            {"DATABASE_URL": "postgresql://a:secret@db.example,db2.example/c?sslmode=always"},
            'A parameter of a database\'s URL is wrong: invalid sslmode value: "always".',
        ),
        ({"JWT_KEYS": None}, "Set JWT_KEYS in the environment."),
        ({"JWT_KEYS": dev.JWT_KEYS}, KNOWN),
        ({"JWT_KEYS": dev.JWT_KEYS.replace('"insecure"', '"2026-11"')}, KNOWN),
        ({"JWT_KEYS": f"{JWT_KEYS[:-1]}, {OF_THE_TESTS[1:]}"}, KNOWN),
        ({"JWT_KEYS": "[]"}, "JWT_KEYS is not a JSON list of keys."),
        ({"JWT_KEYS": GUESSABLE}, "The key “1” of JWT_KEYS is not a random one."),
        ({"JWT_KEYS": "x"}, "JWT_KEYS is not a JSON list of keys."),
        ({"NUM_PROXIES": None}, "Set NUM_PROXIES in the environment."),
        ({"NUM_PROXIES": "one"}, "NUM_PROXIES is how many proxies there are"),
        ({"NUM_PROXIES": "-1"}, "NUM_PROXIES is how many proxies there are"),
        ({"HSTS_SECONDS": "1 year"}, "HSTS_SECONDS is for how many seconds browsers"),
        ({"DJANGO_DEBUG": "1"}, "DJANGO_DEBUG is set"),
    ],
)
def test_production_refuses_to_start(tmp_path, changes, reason):
    done = manage("check", env=production(tmp_path, **changes))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        f"django.core.exceptions.ImproperlyConfigured: {reason}"
    )
    assert "secret@" not in done.stderr


def test_a_parameter_that_sqlite_does_not_know_is_named(tmp_path):
    url = "sqlite:////var/lib/catalogue.sqlite3?mode=rw"
    done = manage("check", env=production(tmp_path, DATABASE_URL=url))
    assert done.returncode == 1
    # Each Python says it in words of its own.
    wrong = r".*ImproperlyConfigured: A parameter of a database's URL is wrong: .*'mode'"
    assert re.match(wrong, done.stderr.splitlines()[-1])


@pytest.mark.parametrize("name", ["PORT", "METRICS_PORT"])
@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "8000 "])
def test_a_port_that_is_none_is_named(tmp_path, name, port):
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", "project/serve.py"],
        cwd=ROOT,
        env=production(tmp_path, **{name: port}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith(f"{name} is a number from 1 to 65535.\n")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    environment = production(tmp_path_factory.mktemp("production"))
    assert manage("migrate", env=environment).returncode == 0
    with Server(environment) as server:
        yield server


HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
OVER_TLS = {"X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/livez", {}, 200),
        ("GET", "/api/books/", {}, 200),
        ("GET", "/nowhere", {}, 404),
        ("POST", "/livez", {}, 405),
        ("POST", "/api/books/", {}, 401),
        ("GET", "/api/books/", {"Host": "elsewhere.example"}, 400),
    ],
)
def test_every_answer_carries_the_security_headers(served, method, path, headers, status):
    response = served.client.request(method, path, headers={**OVER_TLS, **headers})
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert response.headers["strict-transport-security"] == "max-age=3600; includeSubDomains"


def test_plain_http_is_sent_to_https(served):
    response = served.client.get("/api/books/", headers={"Host": "catalogue.example"})
    assert (response.status_code, response.headers["location"]) == (
        301,
        "https://catalogue.example/api/books/",
    )


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_are_answered_over_plain_http(served, path):
    served.wait_until_ready()
    response = served.client.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_after_a_year_is_asked_for_browsers_may_put_it_on_their_lists(tmp_path):
    ask = (
        "from django.test import Client\n"
        "answer = Client().get('/livez', headers={'X-Forwarded-Proto': 'https'})\n"
        "print(answer['Strict-Transport-Security'])"
    )
    environment = production(tmp_path, HSTS_SECONDS="31536000")
    done = manage("shell", "--no-imports", "-c", ask, env=environment)
    assert done.stdout == "max-age=31536000; includeSubDomains; preload\n", done.stderr
