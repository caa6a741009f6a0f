"""Measures what the largest bodies that anybody may send cost the processor.

`make bench-bodies`: each is as large as DATA_UPLOAD_MAX_MEMORY_SIZE and the limits of the parser
and of nested lists let it be, good or bad in another way, and sent as a client does, without a
network, to a new SQLite database. Prints the seconds of processor time and the size of the answer,
and fails where one is above its GOAL.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

GOAL = 0.3  # seconds
GOAL_OF_PROBLEMS = 64_000  # bytes
SIZE = 2 * 1024 * 1024  # DATA_UPLOAD_MAX_MEMORY_SIZE
VALUES = 50_000  # project.api.http.parsers.MAX_VALUES
ITEMS = 200  # project.api.relations.MAX_ITEMS


def _repeated(item: str, begin: str = "[", end: str = "]", size: int = SIZE) -> str:
    times = (size - len(begin) - len(end)) // (len(item) + 1)
    return begin + ",".join([item] * times) + end


def _counted(item: str, begin: str = "[", end: str = "]") -> str:
    """As many as the parser lets through."""
    times = (VALUES - 2) // (1 + item.count("{") + item.count("[") + item.count(","))
    return begin + ",".join(item.replace("#", f"{i:x}") for i in range(times)) + end


def anybodys() -> Iterator[tuple[str, str]]:
    """What the parser and a serializer may be given without a token."""
    for item in ("1", "1.5", '""', "true", "[]", "{}", '{"":1}', '"\\u0000"', "9" * 19):
        yield f"as many {item} as fit", _repeated(item)
        yield f"as many {item} as may be", _counted(item)
    yield "different keys", _counted('"#":1', "{", "}")
    yield "keys that stand twice", _counted('"#":1,"#":1', "{", "}")
    yield "one key again and again", _counted('"a":1', "{", "}")
    yield "key of two megabytes", '{"' + "a" * (SIZE - 8) + '":1}'
    yield "long keys that stand twice", "{" + ",".join(['"' + "a" * 20_000 + '":1'] * 100) + "}"
    yield "fault below a long key", '{"' + "a" * 1_000_000 + '":' + _counted('"\\ud800"') + "}"
    yield "brackets", "[" * SIZE
    yield "braces", '{"":' * (SIZE // 4)
    yield "nested as deep as may be", _counted("[" * 31 + "]" * 31)
    yield "a string that does not end", '"' + '\\"' * (SIZE // 2 - 1)
    yield "digits", "1" * SIZE
    yield "digits behind a point", "0." + "1" * (SIZE - 2)
    yield "exponent", "1e" + "1" * (SIZE - 2)
    yield "escapes", '"' + "\\u0041" * (SIZE // 6 - 1) + '"'
    yield "not JSON at the end", '["' + "a" * (SIZE - 4) + '"x'
    yield "password", json.dumps({"username": "a", "password": "x" * (SIZE - 40)})
    yield "username", json.dumps({"username": "\ufdfa" * 300_000, "password": "x"})
    yield "email", json.dumps({"email": "a@" + "\ufdfa" * 300_000, "password": "x"})
    yield "refresh token", json.dumps({"refresh": "a." * (SIZE // 2 - 20)})


def librarians() -> Iterator[tuple[str, str]]:
    """What a book may be sent with."""
    book = {"title": "x" * 500, "description": "y" * 1000}
    contributions = [{"role": "author", "author": {"name": f"Name {i}"}} for i in range(ITEMS)]
    subjects = [{"name": f"Subject {i}"} for i in range(ITEMS)]
    editions = [
        {"format": "hardcover", "language": "en", "publisher": {"name": f"Publisher {i}"}}
        for i in range(ITEMS)
    ]
    lists: dict[str, Any] = {
        "contributions": contributions,
        "subjects": subjects,
        "editions": editions,
    }
    yield "book with all lists full", json.dumps({**book, **lists})
    # Names that are new each time.
    lists = json.loads(json.dumps(lists).replace('"name": "', '"name": "Another '))
    for name, items in lists.items():
        yield f"book with {name} full", json.dumps({**book, name: items})
        yield f"book with too many {name}", json.dumps({**book, name: items * 50})
        yield f"book whose {name} are numbers", json.dumps({**book, name: [7] * ITEMS})
        wrong = [{**item, **{f"no{i}": i for i in range(200)}} for item in items]
        yield f"book whose {name} are full of errors", json.dumps({**book, name: wrong})
    yield "book with too many keys", json.dumps({**book, "subject_ids": list(range(1, VALUES - 9))})
    yield "book with wrong keys", json.dumps({**book, "subject_ids": ["x"] * ITEMS})
    yield "book with unknown properties", _counted('"#":1', "{", "}")
    yield "book with a long choice", json.dumps({"editions": [{"format": "x" * (SIZE - 40)}]})
    yield (
        "book with a long description",
        json.dumps({**book, "description": "x " * (SIZE // 2 - 600)}),
    )
    yield "book with a long title", json.dumps({"title": "x " * (SIZE // 2 - 20)})


def main() -> int:
    """Send each; return 1 if one costs more than it may."""
    import django

    django.setup()
    from django.core.management import call_command
    from rest_framework.test import APIClient

    from auth_api.models import User
    from auth_api.tokens import RefreshToken

    call_command("migrate", verbosity=0)
    user = User.objects.create_user("librarian", "librarian@example.org", role="librarian")
    client = APIClient(SERVER_NAME="127.0.0.1")
    bearer = f"Bearer {RefreshToken.for_user(user).access_token}"
    asked = [("/api/token/", kind, body, {}) for kind, body in anybodys()]
    asked += [("/api/token/refresh/", kind, body, {}) for kind, body in anybodys()]
    asked += [
        ("/api/books/", kind, body, {"HTTP_AUTHORIZATION": bearer}) for kind, body in librarians()
    ]
    missed = 0
    for path, kind, body, headers in asked:
        start = time.process_time()
        answer = client.generic("POST", path, body, "application/json", **headers)
        seconds, size = time.process_time() - start, len(answer.content)
        is_problem = answer.status_code >= 400
        is_missed = seconds > GOAL or (is_problem and size > GOAL_OF_PROBLEMS)
        missed += is_missed
        print(
            f"{seconds:6.3f} s {size:7,} bytes  {answer.status_code}"
            f"  {path:19} {kind}{'  <- too much' if is_missed else ''}"
        )
    print(f"{len(asked)} bodies, {missed} above {GOAL} s or {GOAL_OF_PROBLEMS:,} bytes")
    return int(missed > 0)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings.dev"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/catalogue.sqlite3"
        sys.exit(main())
