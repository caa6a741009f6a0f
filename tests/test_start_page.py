"""Does the first page lead to all others, and do the guides lead to each other?"""

import re
from html import unescape
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import pytest

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r'<a href="(.*?)"')


def links(client, url):
    return [urljoin(url, unescape(href)) for href in LINK.findall(client.get(url).text)]


def guides(client):
    return [url for url in links(client, "/") if url.startswith("/guides/")]


def test_it_leads_to_all_pages(client):
    assert [url for url in links(client, "/") if not url.startswith("/guides/")] == [
        "/",
        "/api/docs/",
        "/api/redoc/",
        "/api/",
        "/admin/",
        "/api/schema/?format=yaml",
        "/api/schema/?format=json",
        "/api/schema/?version=3.0",
        "/livez",
        "/readyz",
        "/api/schema/",
    ]


def test_it_leads_to_all_that_is_written_in_docs(client):
    files = [*ROOT.glob("docs/*.md"), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    assert len(files) > 15
    assert set(guides(client)) == {f"/guides/{file.stem.lower()}/" for file in files}


def test_no_link_is_broken(client):
    found = {}
    for page in ["/", *guides(client)]:
        for link in links(client, page):
            url, anchor = urldefrag(link)
            if url.startswith("/"):
                found.setdefault(url, set()).add(anchor)
    for url, anchors in found.items():
        answer = client.get(url)
        assert answer.status_code == (302 if url == "/admin/" else 200), url
        for anchor in anchors - {""}:
            assert f' id="{anchor}"' in answer.text, f"{url}#{anchor}"


def test_a_guide_is_a_page(client):
    page = client.get("/guides/bulk/")
    assert page["Content-Type"] == "text/html; charset=utf-8"
    assert "<title>Many objects at once · Book catalogue</title>" in page.text
    assert '<h1 id="many-objects-at-once">Many objects at once</h1>' in page.text


def test_what_a_guide_calls_a_file_leads_to_its_page_by_its_title(client):
    page = client.get("/guides/offline/").text
    assert '<a href="/guides/sync-clients/">RxDB and WatermelonDB</a>' in page


def test_what_has_no_page_is_no_link(client):
    # The text of a link in a code span stays one.
    for page in guides(client):
        assert 'href="../' not in client.get(page).text


@pytest.mark.parametrize("name", ["nothing", "README", "..", "auth.md", "%2e%2e"])
def test_nothing_else_is_a_guide(name, client):
    answer = client.get(f"/guides/{name}/")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_both_need_no_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert client.get("/").status_code == 200
        assert client.get("/guides/auth/").status_code == 200
