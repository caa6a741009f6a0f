"""Does the feed stay right when its database is restored from a dump, while others work?

FEED_SECONDS is how long they write: `FEED_SECONDS=60` for a whole minute.
"""

import os
import subprocess
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from django.db import connection, connections

from project.api.changes.cursors import Cursor
from project.api.changes.models import Feed
from tests.postgres import PostgreSQL
from tests.test_changes_races import (
    Store,
    assert_all_is_seen,
    everybody_works,
    fill,
    follower,
)

pytestmark = [
    pytest.mark.reliability,
    pytest.mark.xdist_group(__name__),
    pytest.mark.django_db(transaction=True),
]
SECONDS = float(os.environ.get("FEED_SECONDS", "6"))


def position(store):
    return Cursor.decode(store.cursor).position.number


def url_of(settings):
    """The database of these settings, as PostgreSQL's programs take it."""
    return (
        f"postgresql://{settings['USER']}:{settings['PASSWORD']}"
        f"@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"
    )


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def served_by(server):
    """All threads ask this server."""
    settings = connection.settings_dict
    before = dict(settings)
    url = urlsplit(server.url)
    connections.close_all()
    settings.update(
        HOST=url.hostname, PORT=url.port, USER=url.username, PASSWORD=url.password, NAME="restored"
    )
    try:
        yield
    finally:
        connections.close_all()
        settings.update(before)


def test_of_a_restored_dump_old_cursors_go_on_and_those_of_the_lost_future_are_410(tmp_path):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is restored by copying its file, and nobody writes meanwhile.")
    fill()
    client = follower()
    early = [Store(client, size) for size in (20, 500)]
    late = [Store(client, size) for size in (3, 7, 20, 20, 50, 100, 500, 500)]
    dump = tmp_path / "dump"
    with PostgreSQL() as fresh:
        with everybody_works([*early, *late]):
            time.sleep(SECONDS / 4)
        for store in early:
            # On a busy machine it may have had no turn.
            store.pull()
        with everybody_works(late):
            # The early ones have no network until there is another server.
            run(fresh.bin / "pg_dump", "-Fc", "-f", dump, url_of(connection.settings_dict))
            time.sleep(SECONDS / 4)
        for store in late:
            while store.pull():
                pass
        run(fresh.bin / "psql", "-qc", "CREATE DATABASE restored", fresh.url)
        with served_by(fresh):
            target = url_of(connection.settings_dict)
            run(fresh.bin / "pg_restore", "--no-owner", "--dbname", target, dump)
            last = Feed.objects.get().last
            at = {store: position(store) for store in [*early, *late]}
            for store in [*early, *late]:
                store.pull()
                assert store.resyncs == (at[store] > last)
            assert [store.resyncs for store in early] == [0] * len(early)
            assert [store.resyncs for store in late] == [1] * len(late)
            with everybody_works([*early, *late]):
                time.sleep(SECONDS / 2)
            assert_all_is_seen([*early, *late])
            assert {store.resyncs for store in early} == {0}
            assert {store.resyncs for store in late} == {1}
