"""Are the pages places to explore the catalogue in, under their policy, on a laptop and a phone?"""

import json
import os
import re
import shutil
from pathlib import Path

import httpx
import pytest
import yaml
from playwright.sync_api import expect, sync_playwright

from tests.clients.conftest import ids_for, isbn
from tests.clients.generators import CONTRACT, NODE_MODULES
from tests.server import Server, development, manage
from tests.test_production import OVER_TLS, production

CHROMIUM = shutil.which("chromium")
# `make images` makes the documentation's anew.
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


def enter(page, served, role):
    """Log in as the pages of the admin do. A browser would say by what it is asked without TLS."""
    url = f"{served.url}/admin/login/"
    token = httpx.get(url, headers=OVER_TLS).cookies["csrftoken"]
    answer = httpx.post(
        url,
        data={"username": role, "password": f"demo-{role}", "csrfmiddlewaretoken": token},
        headers={
            **OVER_TLS,
            "Referer": url.replace("http:", "https:"),
            "Cookie": f"csrftoken={token}",
        },
    )
    assert answer.status_code == 302, answer.text
    session = answer.cookies["sessionid"]
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": served.url}])


# What a person sees of these and does not fit on the screen.
BEYOND_THE_SCREEN = """
    () => [...document.querySelectorAll("input, select, textarea, button, h1, h2, p")].filter(
        (element) => {
            const { left, right, width } = element.getBoundingClientRect();
            const isSeen = element.checkVisibility({ visibilityProperty: true }) && width > 1;
            return isSeen && (left < 0 || right > innerWidth);
        }
    ).map((element) => element.outerHTML)
"""
# https://www.w3.org/TR/WCAG22/, as far as a program can tell. What others draw is theirs: Swagger
# UI, Redoc, and the inputs of Django's that look something up.
AXE = """
    async () => (await axe.run(
        { exclude: [["#swagger-ui"], ["redoc"], [".select2"]] },
        { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] },
    )).violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)])
"""
PAGES = [
    (None, "/"),
    (None, "/guides/auth/"),
    (None, "/session/login/"),
    (None, "/api/"),
    (None, "/api/books/?page_size=2"),
    ("librarian", "/api/books/1/"),
    (None, "/api/docs/"),
    (None, "/admin/login/"),
    ("librarian", "/admin/?q=tolkein"),
    ("librarian", "/admin/books/book/"),
    ("librarian", "/admin/books/book/1/change/"),
    ("librarian", "/admin/authors/author/1/change/"),
    ("admin", "/admin/auth_api/user/"),
]


@pytest.mark.parametrize(("role", "path"), PAGES)
def test_page_fits_a_laptop_and_a_phone_and_has_its_labels(role, path, page, served):
    if role:
        enter(page, served, role)
    for scheme, width, height in [("light", 1280, 900), ("dark", 390, 844)]:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": height})
        assert page.goto(served.url + path, wait_until="networkidle").status == 200
        for button in page.locator(".add-row a").filter(visible=True).all():
            button.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(BEYOND_THE_SCREEN) == []
        page.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text())
        assert page.evaluate(AXE) == []
    assert page.said == []


def test_the_admin_begins_with_numbers_and_a_search(page, served):
    enter(page, served, "librarian")
    page.goto(f"{served.url}/admin/?q=tolkien", wait_until="networkidle")
    expect(page.get_by_role("link", name="The Hobbit")).to_be_visible()
    expect(page.get_by_role("link", name="258 books")).to_be_visible()
    keep(page, "admin")


def test_the_admin_finds_a_book_by_the_keyboard_alone(page, served):
    enter(page, served, "librarian")
    page.goto(f"{served.url}/admin/")
    search = page.get_by_label("Find a title, a name or an ISBN")
    press_until(page, "Tab", search)
    page.keyboard.type("9780140447699")
    page.keyboard.press("Enter")
    match = page.get_by_role("link", name="Njal's Saga")
    press_until(page, "Tab", match)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Title:", exact=True).first).to_have_value("Njal's Saga")
    assert page.said == []


def press_until(page, key, target):
    """Press this key until this has the focus."""
    expect(target).to_be_visible()
    for _ in range(60):
        page.keyboard.press(key)
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError("It cannot be reached.")


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
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
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
