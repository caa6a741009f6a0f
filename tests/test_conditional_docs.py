"""Does every example of docs/conditional.md do what is written below it?"""

import json
import re
from pathlib import Path

import pytest

from project.api.http.preconditions import DIGEST_LENGTH
from tests.test_relations_docs import shown

PAGE = Path(__file__).parent.parent / "docs" / "conditional.md"
BLOCKS = re.findall(r"```http\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def parts(block):
    """The first line, the headers and the body of a request or an answer."""
    head, _, body = block.strip().partition("\n\n")
    first, *lines = head.split("\n")
    return first, dict(line.split(": ", 1) for line in lines), body


@pytest.mark.django_db(reset_sequences=True, transaction=True)
def test_the_examples_do_one_after_the_other_what_the_page_says(librarian):
    assert len(BLOCKS) == 14
    digests = {}
    for request, expected in zip(BLOCKS[::2], BLOCKS[1::2], strict=True):
        (line, headers, body), (status, said, document) = parts(request), parts(expected)
        method, path = line.split()
        sent = {
            name: re.sub(r'"(\d)\.…"', lambda tag: digests[tag[1]], value)
            for name, value in headers.items()
        }
        answer = librarian.generic(method, path, body, "application/json", headers=sent)
        assert answer.status_code == int(status), answer.content
        for name, value in said.items():
            pattern = re.escape(value).replace("…", f"[0-9a-f]{{{DIGEST_LENGTH}}}")
            assert re.fullmatch(pattern, answer[name]), (name, answer[name])
        if tag := answer.headers.get("ETag"):
            digests[tag[1]] = tag
        if document:
            assert shown(json.loads(document), answer.json()) == json.loads(document)
        else:
            assert answer.content == b""
