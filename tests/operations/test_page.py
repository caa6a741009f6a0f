"""Is all true that docs/operations.md has its reader type? It is typed, on a machine of its own."""

import json
import re
import threading
import time
from base64 import b64encode

import pytest

from tests.operations.machine import REASON, Machine, is_possible
from tests.server import ROOT
from tests.test_upgrade_without_pause import Version, section

pytestmark = pytest.mark.skipif(not is_possible(), reason=REASON)
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
# What reaches out: for packages of Debian and of Python.
REACHES_OUT = ("apt-get", "make --directory")
CERTIFICATE = """
mkdir --parents /etc/ssl/catalogue
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=catalogue.example \
  -addext subjectAltName=DNS:catalogue.example \
  -keyout /etc/ssl/catalogue/privkey.pem -out /etc/ssl/catalogue/fullchain.pem 2> /dev/null
echo 127.0.0.1 catalogue.example >> /etc/hosts
"""
# What systemd would do with the unit: the same user, environment, folder and command.
START = """
unit=$(sed 's,%i,{port},g' /etc/systemd/system/catalogue@.service)
set -a; . /etc/catalogue.env; eval "$(echo "$unit" | sed -n 's/^Environment=//p')"
cd /opt/catalogue/{port}
command=$(echo "$unit" | sed -n 's/^ExecStart=//p')
setpriv --reuid catalogue --regid catalogue --init-groups $command >> /var/log/{port} 2>&1 &
echo $! > /run/{port}
"""
STOP = "kill $(cat /run/{port}); while kill -0 $(cat /run/{port}) 2> /dev/null; do sleep 0.1; done"
READY = (
    "curl --silent --fail --retry 60 --retry-delay 1 --retry-connrefused --output /dev/null"
    " http://127.0.0.1:{port}/readyz"
)
HTTPS = "curl --silent --show-error --cacert /etc/ssl/catalogue/fullchain.pem"


def blocks(title):
    """The blocks of `sh` below this heading, down to the next one."""
    text = re.search(rf"^#+ {title}\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)[1]
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


class Reader:
    """Types what the page says, each block once."""

    def __init__(self, machine):
        self.machine = machine
        self.typed = []

    def types(self, title, places=slice(None)):
        found = blocks(title)[places]
        assert found
        self.typed += found
        return [self.type(block) for block in found]

    def type(self, block):
        out = any(each in block for each in REACHES_OUT)
        return self.machine.run(block, str(ROOT), in_the_world=out)

    def asks(self, path, *options):
        """The status, and all of the answer."""
        text = self.machine.run(
            f"{HTTPS} --include {' '.join(options)} https://catalogue.example{path}"
        )
        return int(text.split()[1]), text


@pytest.fixture(scope="module")
def reader():
    with Machine() as machine:
        # No name is known there but its own, as nothing else can be reached.
        yield Reader(machine)


def start(reader, port):
    reader.machine.run(START.format(port=port))
    reader.machine.run(READY.format(port=port))


def stop(reader, port):
    reader.machine.run(STOP.format(port=port))


def test_1_it_is_installed_and_answers_over_tls(reader):
    for title in ("Install", "The environment", "The database", "The server, and what cleans up"):
        said = reader.types(title)
        if title == "The database":
            assert said[-1].endswith("All is well.\n")
            reader.password = re.search(r"root has the password (\w+)", said[-1])[1]
    reader.machine.run(CERTIFICATE)
    units = "catalogue-housekeeping.timer catalogue-housekeeping.service catalogue@8001.service"
    reader.machine.run(f"systemd-analyze verify {units}", "/etc/systemd/system")
    start(reader, 8001)
    reader.types("The proxy", slice(1))
    reader.machine.run("nginx")
    assert_served(reader)
    headers = reader.asks("/livez")[1].lower()
    assert "strict-transport-security: max-age=3600; includesubdomains\n" in headers


def assert_served(reader):
    reader.machine.run("echo cover > /var/lib/catalogue/media/cover.txt")
    assert reader.asks("/media/cover.txt")[1].endswith("\n\ncover\n")
    assert reader.asks("/livez")[0] == 200
    assert reader.asks("/api/docs/")[0] == 200
    said = reader.machine.run("curl --silent --head http://catalogue.example/api/books/")
    assert re.search(
        "^location: https://catalogue.example/api/books/", said, re.IGNORECASE | re.MULTILINE
    )
    login = """--json '{"username": "nobody", "password": "wrong"}'"""
    assert reader.asks("/api/token/", login)[0] == 401
    reader.machine.run("head --bytes 7000000 /dev/zero > /run/large")
    large = reader.asks("/api/books/", "--data-binary @/run/large --header 'Expect:'")
    assert large[0] == 413
    # A stranger who says to come by TLS, and from elsewhere, is not believed.
    forged = "--header 'X-Forwarded-For: 203.0.113.9' --header 'X_Forwarded_Proto: http'"
    assert reader.asks("/api/books/", forged)[0] == 200
    assert "203.0.113.9" not in reader.machine.run("cat /var/log/800?")


def test_2_caddy_does_the_same(reader):
    reader.types("The proxy", slice(1, None))
    reader.machine.run("nginx -s stop; while pgrep nginx; do sleep 0.1; done > /dev/null")
    reader.machine.run("caddy start --config /etc/caddy/Caddyfile > /var/log/caddy.log 2>&1")
    assert_served(reader)
    reader.machine.run("caddy stop > /dev/null 2>&1; nginx")


def test_3_browsers_insist_for_a_year_where_it_is_said(reader):
    reader.types("A year of TLS")
    stop(reader, 8001)
    start(reader, 8001)
    assert "max-age=31536000; includeSubDomains; preload" in reader.asks("/livez")[1]


def test_3_prometheus_is_answered(reader):
    [said] = reader.types("Metrics")
    assert 'catalogue_pool_busy{pool="read"} ' in said


def test_3_what_is_in_the_way_of_what_is_named(reader):
    psql = "runuser --user postgres -- psql --quiet --dbname catalogue --command"
    for statement in ("BEGIN; LOCK TABLE books_book; SELECT pg_sleep(60)", "TABLE books_book"):
        reader.machine.run(f"{psql} '{statement}' &> /dev/null & sleep 2")
    said, activity = reader.types("When something is wrong")
    assert said.endswith("All is well.\n")
    rows = [[cell.strip() for cell in row.split("|")] for row in activity.splitlines()]
    [holder] = [row[0] for row in rows if "LOCK TABLE" in row[-1]]
    [behind] = [row[1] for row in rows if row[-1] == "TABLE books_book"]
    assert behind == f"{{{holder}}}"
    reader.machine.run(f"{psql} 'SELECT pg_terminate_backend({holder})'")


def commit_next_version(machine, folder):
    """There, in the folder where this project was cloned: a column more."""
    version = Version(folder)
    version.follow(section("Add a field"))
    version.write_migration()
    [migration] = version.folder.glob("books/migrations/*_book_dedication.py")
    for path in (
        *(version.folder / "books" / f"{n}.py" for n in ("models", "serializers")),
        migration,
    ):
        text = b64encode(path.read_bytes()).decode()
        name = path.relative_to(version.folder)
        machine.run(f"base64 --decode <<< {text} > {name}", str(ROOT))
    who = "-c user.name=Newcomer -c user.email=newcomer@example.org"
    machine.run(f"git add books; git {who} commit --quiet --message Dedications", str(ROOT))


def test_4_an_upgrade_fails_no_request(reader, tmp_path):
    commit_next_version(reader.machine, tmp_path / "2")
    # It takes longer than a token lasts.
    reader.types("Upgrade", slice(1))
    failed, answered = [], []
    ending = threading.Event()
    login = json.dumps({"username": "root", "password": reader.password})
    token = re.search('"access": ?"(.+?)"', reader.asks("/api/token/", f"--json '{login}'")[1])[1]
    write = f"""--json '{{"title": "Dune"}}' --header 'Authorization: Bearer {token}'"""

    def ask(*request):
        while not ending.is_set():
            status, text = reader.asks(*request)
            (answered if status in (200, 201) else failed).append(text)

    requests = [("/api/books/?page_size=1",), ("/api/books/?search=dune",), ("/api/books/", write)]
    threads = [threading.Thread(target=ask, args=request) for request in requests]
    for thread in threads:
        thread.start()
    try:
        reader.types("Upgrade", slice(1, 2))
        reader.machine.run(READY.format(port=8001))
        reader.machine.run(START.format(port=8002))
        reader.types("Upgrade", slice(2, None))
        stop(reader, 8001)
        before = len(answered)
        time.sleep(2)
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert not failed
    assert len(answered) > before > 20
    assert reader.asks("/api/books/?fields=dedication")[0] == 200


def test_5_a_dump_is_restored(reader):
    reader.machine.run(
        "set -a; . /etc/catalogue.env; cd /opt/catalogue/8001;"
        " runuser --user catalogue -- .venv/bin/python manage.py import_books"
        " books/demo_catalogue.jsonl"
    )
    reader.types("Backup and restore")
    reader.types("PostgreSQL")


def test_6_a_moment_is_had_again(reader):
    reader.types("PostgreSQL, to any moment", slice(2))
    before = reader.machine.run("catalogue export_catalogue | sha256sum")
    reader.machine.run(
        "sleep 1; catalogue shell --no-imports --command"
        " 'from books.models import Book; Book.objects.all().delete()'"
    )
    assert reader.machine.run("catalogue export_catalogue | sha256sum") != before
    reader.types("PostgreSQL, to any moment", slice(2, None))
    assert reader.machine.run("catalogue export_catalogue | sha256sum") == before


def test_7_sqlite_is_restored_and_moved(reader):
    reader.types("SQLite")
    reader.types("From SQLite to PostgreSQL")
    reader.types("Housekeeping")


def test_8_nothing_on_the_page_was_left_out(reader):
    assert sorted(reader.typed) == sorted(
        re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    )
