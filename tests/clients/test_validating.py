"""Does a client that validates accept what the server answers to the requests of the docs?"""

import re
import sys

from tests.clients.generators import run

PAGES = ["relations", "conditional"]


def test_openapi_core_accepts_every_request_of_the_docs():
    pages = [f"tests/test_{page}_docs.py" for page in PAGES]
    command = (sys.executable, "-m", "pytest", "-p", "tests.clients.validating", "-q", "-n", "0")
    said = run(*command, *pages, "tests/test_documents.py", "-k", "page_says or media_type")
    [number] = re.findall(r"(\d+) requests are as the contract says", said)
    assert int(number) > 30
