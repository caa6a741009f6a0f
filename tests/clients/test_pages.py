"""Are Swagger UI and Redoc places to explore the API in, under their policy?"""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect, sync_playwright

from tests.clients.conftest import ids_for, isbn
from tests.clients.generators import CONTRACT
from tests.server import Server, development, manage
from tests.test_production import OVER_TLS, production

CHROMIUM = shutil.which("chromium")
# `SCREENSHOTS=docs/images make test-clients` makes the documentation's anew.
IMAGES = os.environ.get("SCREENSHOTS")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed."),
    # One worker of pytest-xdist runs them all, so that the server is started once.
    pytest.mark.xdist_group(__name__),
]


# A busy machine draws a page of eighty operations slowly.
TIMEOUT = 60_000  # milliseconds
expect.set_options(timeout=TIMEOUT)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The demo catalogue as production serves it: no DEBUG, static files with their digests."""
    folder = tmp_path_factory.mktemp("production")
    env = production(folder)
    for command, its_env in [
        ("load_demo", development(env["DATABASE_URL"])),
        ("collectstatic", env),
    ]:
        done = manage(command, *["--no-input"] * (command == "collectstatic"), env=its_env)
        assert done.returncode == 0, done.stderr
    with Server(env) as server:
        server.client.headers.update(OVER_TLS)
        yield server


@pytest.fixture
def page(browser, served):
    """A page whose console is listened to, and that asks nobody but the catalogue."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, extra_http_headers=OVER_TLS
    )
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    page.said, page.strangers = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))

    def note(request):
        if not request.url.startswith((f"{served.url}/", "data:", "blob:")):
            page.strangers.append(request.url)

    page.on("request", note)
    yield page
    context.close()
    assert page.strangers == []


def keep(page, name):
    if IMAGES:
        page.screenshot(path=Path(IMAGES) / f"{name}.png")


def operation(page, name):
    """The block of this operation, opened."""
    block = page.locator(f"[id$='-{name}']")
    block.locator(".opblock-summary-control").click()
    return block


def execute(block, body=None, ids=()):
    for name, value in dict(ids).items():
        block.locator(f"tr[data-param-name='{name}'] input").fill(str(value))
    if body is not None:
        block.locator("textarea.body-param__text").fill(json.dumps(body))
    with block.page.expect_response("**/api/**") as answer:
        block.locator("button.execute").click()
    # Until then the answer before stands there.
    shown = block.locator(".live-responses-table tr.response .response-col_status").first
    expect(shown).to_contain_text(f"{answer.value.status}")
    return answer.value.status


def log_in(page, role):
    """Run the operation, after which the page sends the token by itself."""
    tokens = operation(page, "obtainTokens")
    assert execute(tokens, {"username": role, "password": f"demo-{role}"}) == 200
    expect(page.locator("button.authorize.locked").first).to_be_visible()


def test_redoc_shows_the_contract_and_asks_nobody_else(page, served):
    page.goto(f"{served.url}/api/redoc/", wait_until="networkidle")
    expect(page.get_by_role("heading", name="Relations").first).to_be_visible()
    keep(page, "redoc")
    assert page.said == []


def test_swagger_ui_begins_with_operations_and_links_to_the_text(page, served):
    page.goto(f"{served.url}/api/docs/", wait_until="networkidle")
    first = page.locator(".opblock").first
    expect(first).to_be_visible()
    box = first.bounding_box()
    assert box["y"] + box["height"] <= page.viewport_size["height"]
    expect(page.get_by_role("link", name="Read how it works.")).to_have_attribute(
        "href", "/api/redoc/"
    )
    assert page.said == []


def test_the_dialog_for_a_token_fits_a_phone(page, served):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{served.url}/api/docs/", wait_until="networkidle")
    page.locator("button.authorize").first.click()
    parts = page.locator(".modal-ux, .modal-ux input, .modal-ux button").all()
    assert len(parts) > 3
    for part in parts:
        box = part.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_swagger_ui_logs_in_stays_logged_in_and_writes(page, served):
    page.goto(f"{served.url}/api/docs/", wait_until="networkidle")
    log_in(page, "librarian")
    page.reload(wait_until="networkidle")
    create = operation(page, "createBook")
    assert execute(create) == 201
    create.evaluate("block => block.scrollIntoView()")
    keep(page, "swagger-ui")
    assert page.said == []

    assert execute(create, {"title": "", "editions": [{"isbn13": isbn(0)[:-1] + "X"}]}) == 400
    expect(create).to_contain_text('"pointer": "/title"')
    expect(create).to_contain_text('"pointer": "/editions/0/isbn13"')
    # The browser's own words on a status of 400.
    assert all(said.startswith("Failed to load resource") for said in page.said)


GETS = [
    (path, methods["get"]["operationId"])
    for path, methods in yaml.safe_load(CONTRACT.read_text("utf-8"))["paths"].items()
    if "get" in methods
]


def test_every_get_can_be_tried(page, served):
    page.goto(f"{served.url}/api/docs/", wait_until="networkidle")
    log_in(page, "admin")
    found = {}
    for path, name in GETS:
        block = operation(page, name)
        found[name] = execute(block, ids=ids_for(path, served.client))
        block.locator(".opblock-summary-control").click()
    assert found == {name: 200 for _, name in GETS}
    # Swagger UI has no input for items of a type with a format, and takes that of the type.
    formats = re.compile("component: JsonSchema_(integer_int64|string_uuid)$")
    assert [each for each in page.said if not formats.search(each)] == []
