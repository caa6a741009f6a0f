"""Does a follower miss anything while others write, however their transactions overlap?"""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import psycopg
import pytest
from django.db import Error, connection, connections, transaction
from rest_framework.test import APIClient

from auth_api.models import User
from authors.models import Author
from books.models import Series
from project.api.changes import positions
from project.api.changes.models import Entry

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 4
WRITERS = 16
# Of each follower.
PAGE_SIZES = (1, 7, 50, 500, 3, 20, 100, 500)


def follower():
    client = APIClient()
    client.force_authenticate(User.objects.get_or_create(username="m", email="m@e.org")[0])
    return client


class Store:
    """What a client keeps: by kind and id, the version."""

    def __init__(self, client, page_size):
        self.client, self.page_size = client, page_size
        self.begin()
        self.resyncs = 0

    def begin(self):
        self.rows, self.cursor = {}, None

    def pull(self):
        """Take a page; whether there is another."""
        query = {"page_size": self.page_size} | ({"after": self.cursor} if self.cursor else {})
        response = self.client.get("/api/changes/", query)
        if response.status_code == 503:
            return True
        if response.status_code == 410:
            assert response.json()["code"] == "resync"
            self.begin()
            self.resyncs += 1
            return True
        assert response.status_code == 200, response.content
        page = response.json()
        for row in page["results"]:
            key = (row["kind"], row["id"])
            if row["operation"] == "delete":
                self.rows.pop(key, None)
            else:
                assert self.rows.get(key, 0) <= row["version"], "An older version came later."
                self.rows[key] = row["version"]
        self.cursor = page["next_cursor"]
        return page["next"] is not None


def stored():
    return {
        (kind, key): version
        for kind, model in (("authors", Author), ("series", Series))
        for key, version in model.objects.values_list("pk", "version")
    }


def write(chance):
    """Something that a program may do in a transaction, which may last, or be taken back."""
    with transaction.atomic():
        for _ in range(chance.choice([1, 1, 3])):
            model = chance.choice([Author, Series])
            match chance.randrange(4):
                case 0:
                    model.objects.bulk_create([model(name=f"N{i}") for i in range(3)])
                case 1:
                    key = model.objects.order_by("?").values_list("pk", flat=True).first()
                    model.objects.filter(pk=key).delete()
                case _:
                    keys = sorted(model.objects.order_by("?").values_list("pk", flat=True)[:3])
                    for row in model.objects.select_for_update().filter(pk__in=keys).order_by("pk"):
                        model.objects.filter(pk=row.pk).update(version=row.version + 1)
        time.sleep(chance.choice([0, 0, 0.02, 0.2]))
        if chance.random() < 0.1:
            transaction.set_rollback(True)


def keep_writing(number, over):
    chance = random.Random(number)  # noqa: S311
    while not over.is_set():
        try:
            write(chance)
        except Error:
            # Cut off, or another was faster.
            connections.close_all()
    connections.close_all()


def keep_following(store, over):
    try:
        while not over.is_set():
            store.pull()
    finally:
        connections.close_all()


def keep_cutting(over):
    """End a connection now and then, of a writer or a follower."""
    while not over.wait(0.25):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend' AND application_name <> 'pg_dump'"
                " ORDER BY random() LIMIT 1) AS one"
            )
    connections.close_all()


@contextmanager
def everybody_works(stores):
    """Meanwhile there are writers, these follow, and on PostgreSQL connections are cut."""
    over = Event()
    with ThreadPoolExecutor(WRITERS + len(stores) + 1) as threads:
        tasks = [threads.submit(keep_writing, number, over) for number in range(WRITERS)]
        tasks += [threads.submit(keep_following, store, over) for store in stores]
        if connection.vendor == "postgresql":
            tasks.append(threads.submit(keep_cutting, over))
        try:
            yield
        finally:
            over.set()
    for task in tasks:
        task.result()
    # Perhaps it was cut, too.
    connections.close_all()


def fill():
    Author.objects.bulk_create(Author(name=f"A{i}", sort_name=f"A{i}") for i in range(30))
    Series.objects.bulk_create(Series(name=f"S{i}") for i in range(30))


def assert_all_is_seen(stores):
    """Whoever reads on holds what is stored, and no position was given twice."""
    for store in stores:
        while store.pull():
            pass
        assert store.rows == stored()
    entries = list(Entry.objects.values_list("kind", "position"))
    assert len(set(entries)) == len(entries)


def test_followers_end_with_what_is_stored():
    fill()
    client = follower()
    stores = [Store(client, size) for size in PAGE_SIZES]
    with everybody_works(stores):
        time.sleep(SECONDS)
    assert_all_is_seen(stores)
    assert {store.resyncs for store in stores} == {0}


# The feeds that are wrong, to see that such a test sees it


def by_position(cursor, after):
    positions.give("default")
    cursor.execute(
        "SELECT position, object_id FROM changes_entry WHERE kind = 'books.series'"
        " AND position > %s ORDER BY position",
        [after or 0],
    )
    return cursor.fetchall()


def by_sequence(cursor, after):
    cursor.execute(
        "SELECT id, object_id FROM changes_change WHERE id > %s ORDER BY id", [after or 0]
    )
    return cursor.fetchall()


def by_timestamp(cursor, after):
    cursor.execute(
        "SELECT at, object_id FROM changes_change WHERE at > coalesce(%s, '-infinity'::timestamptz)"
        " ORDER BY at",
        [after],
    )
    return cursor.fetchall()


def by_xmin(cursor, after):
    cursor.execute(
        "SELECT id, object_id FROM changes_change WHERE id > %s"
        " AND transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint ORDER BY id",
        [after or 0],
    )
    return cursor.fetchall()


def seen_of(read):
    """Which of two objects a follower has seen, the first of which was written longer: at the time
    when only the second is there, and in the end."""
    url = connection.settings_dict
    other = psycopg.connect(
        host=url["HOST"],
        port=url["PORT"] or None,
        user=url["USER"],
        password=url["PASSWORD"],
        dbname=url["NAME"],
    )
    seen, last = set(), None

    def pull():
        nonlocal last
        with connection.cursor() as cursor:
            for place, key in read(cursor, last):
                last = place
                seen.add(key)

    with other:
        [slow] = other.execute(
            "INSERT INTO books_series (version, created_at, updated_at, name)"
            " VALUES (1, now(), now(), 'Slow') RETURNING id"
        ).fetchone()
        fast = Series.objects.create(name="Fast").pk
        pull()
        meanwhile = {name for name, key in (("slow", slow), ("fast", fast)) if key in seen}
        other.commit()
    pull()
    return meanwhile, {name for name, key in (("slow", slow), ("fast", fast)) if key in seen}


@pytest.mark.parametrize(
    ("read", "meanwhile", "in_the_end"),
    [
        (by_position, {"fast"}, {"fast", "slow"}),
        # They miss what was begun earlier and stored later,
        (by_sequence, {"fast"}, {"fast"}),
        (by_timestamp, {"fast"}, {"fast"}),
        # or see nothing as long as anybody writes, in any database, as another test may in the end.
        (by_xmin, set(), None),
    ],
)
def test_an_order_that_the_writers_make_is_no_order_of_what_appears(read, meanwhile, in_the_end):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time.")
    seen = seen_of(read)
    assert seen == (meanwhile, seen[1] if in_the_end is None else in_the_end)
