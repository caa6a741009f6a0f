"""Are Swagger UI and Redoc places to explore the API in, under their policy?"""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.clients.conftest import isbn

CHROMIUM = shutil.which("chromium")
# `SCREENSHOTS=docs/images make test-clients` makes the documentation's anew.
IMAGES = os.environ.get("SCREENSHOTS")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed.")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, catalogue):
    """A page whose console stays empty, and that asks nobody but the catalogue."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.said, page.strangers = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))

    def note(request):
        if not request.url.startswith((catalogue.url, "data:", "blob:")):
            page.strangers.append(request.url)

    page.on("request", note)
    yield page
    context.close()
    assert page.strangers == []


def token(catalogue):
    who = {"username": "librarian", "password": "demo-librarian"}
    return catalogue.client.post("/api/token/", json=who).json()["access"]


def keep(page, name):
    if IMAGES:
        page.screenshot(path=Path(IMAGES) / f"{name}.png")


def operation(page, name):
    """The block of this operation, opened."""
    block = page.locator(f"[id$='-{name}']")
    block.locator(".opblock-summary-control").click()
    return block


def execute(block, body=None):
    if body is not None:
        block.locator("textarea.body-param__text").fill(json.dumps(body))
    block.locator("button.execute").click()
    status = block.locator(".live-responses-table tr.response .response-col_status").first
    expect(status).to_contain_text(re.compile(r"\d{3}"))
    return int(re.search(r"\d{3}", status.inner_text())[0])


def test_redoc_shows_the_contract_and_asks_nobody_else(page, catalogue):
    page.goto(f"{catalogue.url}/api/redoc/", wait_until="networkidle")
    expect(page.get_by_role("heading", name="Relations").first).to_be_visible()
    keep(page, "redoc")
    assert page.said == []


def test_swagger_ui_logs_in_stays_logged_in_and_writes(page, catalogue):
    page.goto(f"{catalogue.url}/api/docs/", wait_until="networkidle")
    tokens = operation(page, "obtainTokens")
    assert execute(tokens) == 200
    answer = tokens.locator(".live-responses-table .highlight-code").first.inner_text()
    access = re.search(r'"access": "([^"]+)"', answer)[1]
    page.locator("button.authorize").first.click()
    page.locator(".auth-container input").fill(access)
    page.locator(".auth-container button.authorize").click()
    page.locator(".auth-container button.btn-done").click()

    page.reload(wait_until="networkidle")
    create = operation(page, "createBook")
    assert execute(create) == 201
    create.locator(".opblock-summary-control").scroll_into_view_if_needed()
    keep(page, "swagger-ui")
    assert page.said == []

    assert execute(create, {"title": "", "editions": [{"isbn13": isbn(0)}]}) == 400
    expect(create).to_contain_text("/title")
