"""Would a change of the contract break the clients that there are?"""

import re
import subprocess
from copy import deepcopy

import pytest
import yaml

from tests.contract import CONTRACT, breaking_changes

pytestmark = pytest.mark.engineless
CHANGELOG = CONTRACT.parent.parent / "CHANGELOG.md"
# What has changed while the version was not released yet, so that no client can mind.
BEFORE_THE_RELEASE = [
    # Writes took them, too, and answered what lacks properties that its type requires.
    r"^(POST|PUT|PATCH) \S+ \?(fields|omit) is gone$",
    # They were texts whose pattern named all properties, so that a new one was a breaking change.
    r"\?(fields|omit|expand) (has another (type|minItems)|is written in another way)$",
    # A series has nothing that is unique but its uid, which never changes.
    r"(PUT|PATCH) /api/series/\{id\}/ does not answer 409 any more$",
    # These had the parent that the path names in the body, too.
    r"^(POST|PUT|PATCH) /api/\w+/\{\w+_id\}/\S+ body is another component, \S+Request for",
    # Integers that fit into 32 bits did not say so.
    "has another format$",
    # It took no less than a day.
    r"published_on(_min|_max)? has another (maxLength|minLength|pattern)$",
    # Titles ended at 500 characters, positions in a series at 20, and there were fewer roles.
    r"(title|series_position) has another maxLength$",
    # It left no room for what an ISBN copied from a page has unseen; answers have 13 digits.
    r"isbn13 has another maxLength$",
    r"role may be annotator, commentator, compiler, other, photographer, ",
    # Exports stood beside pages, which clients took for texts then.
    r"\?format is gone$",
    r"as (text/csv|application/x-ndjson) any more$",
    # They said less of what the server takes.
    r"\?(Idempotency-Key|If-Match|If-None-Match) has another pattern$",
    # These filters took one value, which is written as it was.
    r"\?(uid|author|role|subject|series|publisher|language|isbn|openlibrary_key|edition_format"
    r"|first_published_year|birth_year|death_year) (has another (type|format|m..Length|m..Items)"
    r"|is written in another way|is another component)",
    # A text, of which no client could tell what it says.
    r"\?is_active has another (type|minLength)$",
    # It never was, of what was not merged.
    "/history/ 200/results/items/merged_into is not always there now$",
    # In Go a component had the name of another one's constructor.
    r"is another component, #/components/schemas/MachineTokenCreate(Request)? for ",
    # Filters stood among the others by name, so that a new one moved what came after it.
    "has its parameters in another order, or a new one in front of them$",
]


@pytest.fixture(scope="module")
def contract():
    return yaml.safe_load(CONTRACT.read_text("utf-8"))


def git(*arguments):
    """What git says; nothing where there is no git, or no repository."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, cwd=CONTRACT.parent, check=False)
    except FileNotFoundError:
        return b""
    return done.stdout if done.returncode == 0 else b""


def earlier():
    """The contract as it is committed, and as it was before that, both where they are known.

    A change comes to the tests first as it is made and then with its commit.
    """
    revisions = git("log", "-2", "--format=%H", "--", CONTRACT.name).decode().split()
    for revision in revisions:
        yield yaml.safe_load(git("show", f"{revision}:./{CONTRACT.name}"))


def major(contract):
    return int(contract["info"]["version"].split(".")[0])


def is_released(contract):
    return f"## {contract['info']['version']} – unreleased" not in CHANGELOG.read_text("utf-8")


def test_a_breaking_change_raises_the_major_version(contract):
    for before in earlier():
        breaks = [
            each
            for each in breaking_changes(before, contract)
            if not any(re.search(pattern, each) for pattern in BEFORE_THE_RELEASE)
        ]
        assert major(contract) > major(before) or not breaks, (
            f"{breaks[:10]}\nClients in use would break. Raise the major number of VERSION in "
            "project/settings/api.py, or keep what they rely on."
        )


def test_nothing_breaks_once_the_version_is_released(contract):
    assert not (is_released(contract) and BEFORE_THE_RELEASE)


def remove_path(c):
    del c["paths"]["/api/me/"]


def remove_operation(c):
    del c["paths"]["/api/books/{id}/"]["patch"]


def rename_operation(c):
    c["paths"]["/api/books/"]["get"]["operationId"] = "findBooks"


def retag(c):
    c["paths"]["/api/books/"]["get"]["tags"] = ["catalogue"]


def remove_parameter(c):
    c["paths"]["/api/books/"]["get"]["parameters"].pop()


def require_parameter(c):
    parameters = c["paths"]["/api/books/"]["get"]["parameters"]
    next(p for p in parameters if p.get("name") == "search")["required"] = True


def add_required_parameter(c):
    more = {"in": "query", "name": "x", "required": True, "schema": {"type": "string"}}
    c["paths"]["/api/books/"]["get"]["parameters"].append(more)


def secure(c):
    c["paths"]["/api/books/"]["get"]["security"] = [{"jwtAuth": []}]


def remove_status(c):
    del c["paths"]["/api/books/"]["post"]["responses"]["409"]


def change_error_media_type(c):
    content = c["components"]["responses"]["Conflict"]["content"]
    content["application/json"] = content.pop("application/problem+json")


def change_body_media_type(c):
    content = c["paths"]["/api/books/"]["post"]["requestBody"]["content"]
    content["text/csv"] = content.pop("application/json")


def remove_answered_property(c):
    del c["components"]["schemas"]["Book"]["properties"]["language"]


def leave_out_answered_property(c):
    c["components"]["schemas"]["Book"]["required"].remove("language")


def let_answered_property_be_null(c):
    c["components"]["schemas"]["Book"]["properties"]["title"]["type"] = ["string", "null"]


def let_answered_object_be_null(c):
    properties = c["components"]["schemas"]["Contribution"]["properties"]
    properties["author"] = {"oneOf": [properties["author"], {"type": "null"}]}


def retype_answered_property(c):
    c["components"]["schemas"]["Edition"]["properties"]["pages"]["type"] = "string"


def narrow_integer(c):
    c["components"]["schemas"]["Book"]["properties"]["id"]["format"] = "int32"


def remove_sent_property(c):
    del c["components"]["schemas"]["BookRequest"]["properties"]["series_id"]


def require_sent_property(c):
    c["components"]["schemas"]["BookRequest"]["required"].append("language")


def refuse_null(c):
    c["components"]["schemas"]["BookRequest"]["properties"]["series_id"]["type"] = "integer"


def refuse_null_for_object(c):
    properties = c["components"]["schemas"]["BookRequest"]["properties"]
    properties["series"]["oneOf"].remove({"type": "null"})


def shorten_text(c):
    c["components"]["schemas"]["BookRequest"]["properties"]["title"]["maxLength"] = 100


def raise_minimum(c):
    c["components"]["schemas"]["BookEditionRequest"]["properties"]["pages"]["minimum"] = 10


def remove_value(c):
    c["components"]["schemas"]["ContributionRole"]["enum"].remove("narrator")


def add_answered_value(c):
    c["components"]["schemas"]["ContributionRole"]["enum"].append("colourist")


def change_pattern(c):
    c["components"]["schemas"]["BookRequest"]["properties"]["openlibrary_key"]["pattern"] = "^X$"


def add_sent_pattern(c):
    c["components"]["schemas"]["BookRequest"]["properties"]["title"]["pattern"] = "^[A-Z]"


def remove_answered_pattern(c):
    del c["components"]["schemas"]["Book"]["properties"]["openlibrary_key"]["pattern"]


def lower_page_size(c):
    c["components"]["parameters"]["PageSize"]["schema"]["maximum"] = 100


def rename_value(c):
    c["components"]["schemas"]["BookOrdering"]["x-enum-varnames"][0] = "BY_SORTING"


def forget_location(c):
    del c["paths"]["/api/books/"]["post"]["responses"]["201"]["headers"]


def remove_choice(c):
    c["components"]["schemas"]["BookProperty"]["enum"].remove("language")


def repeat_list(c):
    c["components"]["parameters"]["BookFields"]["explode"] = True


def put_parameter_in_front(c):
    more = {"in": "query", "name": "x", "schema": {"type": "string"}}
    c["paths"]["/api/books/"]["get"]["parameters"].insert(0, more)


def retype_path_parameter(c):
    [key] = [
        p for p in c["paths"]["/api/books/{id}/"]["get"]["parameters"] if p.get("in") == "path"
    ]
    key["schema"] = {"type": "string"}


def change_scheme(c):
    c["components"]["securitySchemes"]["jwtAuth"] = {
        "type": "apiKey",
        "in": "header",
        "name": "X-Token",
    }


BREAKING = [
    rename_value,
    forget_location,
    remove_choice,
    repeat_list,
    put_parameter_in_front,
    retype_path_parameter,
    change_scheme,
    remove_path,
    remove_operation,
    rename_operation,
    retag,
    remove_parameter,
    require_parameter,
    add_required_parameter,
    secure,
    remove_status,
    change_error_media_type,
    change_body_media_type,
    remove_answered_property,
    leave_out_answered_property,
    let_answered_property_be_null,
    let_answered_object_be_null,
    retype_answered_property,
    narrow_integer,
    remove_sent_property,
    require_sent_property,
    refuse_null,
    refuse_null_for_object,
    shorten_text,
    raise_minimum,
    remove_value,
    add_answered_value,
    change_pattern,
    add_sent_pattern,
    remove_answered_pattern,
    lower_page_size,
]


@pytest.mark.parametrize("change", BREAKING, ids=lambda change: change.__name__)
def test_what_breaks_clients_is_found(contract, change):
    changed = deepcopy(contract)
    change(changed)
    assert breaking_changes(contract, changed)


def add_operation(c):
    c["paths"]["/api/new/"] = {"get": c["paths"]["/api/me/"]["get"]}


# The names of what is added are none that a resource will ever have.


def add_answered_property(c):
    book = c["components"]["schemas"]["Book"]
    book["properties"]["x-new"] = {"type": "string"}
    book["required"].append("x-new")


def add_choice(c):
    choices = c["components"]["schemas"]["BookProperty"]
    choices["enum"].append("x-new")
    choices["x-enum-varnames"].append("X_NEW")


def add_optional_sent_property(c):
    c["components"]["schemas"]["BookRequest"]["properties"]["x-new"] = {"type": "string"}


def add_optional_parameter(c):
    more = {"in": "query", "name": "x", "schema": {"type": "string"}}
    c["paths"]["/api/books/"]["get"]["parameters"].append(more)


def lengthen_text(c):
    c["components"]["schemas"]["BookRequest"]["properties"]["title"]["maxLength"] = 3000


def remove_sent_pattern(c):
    del c["components"]["schemas"]["BookRequest"]["properties"]["openlibrary_key"]["pattern"]


def add_answered_pattern(c):
    c["components"]["schemas"]["Edition"]["properties"]["isbn13"]["pattern"] = "^[0-9]{13}$"


def open_up(c):
    c["paths"]["/api/me/"]["get"]["security"] = []


def describe_better(c):
    c["paths"]["/api/books/"]["get"]["description"] = "All of them."


COMPATIBLE = [
    add_operation,
    add_answered_property,
    add_choice,
    add_optional_sent_property,
    add_optional_parameter,
    lengthen_text,
    remove_sent_pattern,
    add_answered_pattern,
    open_up,
    describe_better,
]


@pytest.mark.parametrize("change", COMPATIBLE, ids=lambda change: change.__name__)
def test_what_clients_do_not_mind_is_let_through(contract, change):
    changed = deepcopy(contract)
    change(changed)
    assert changed != contract
    assert breaking_changes(contract, changed) == []


def test_an_answer_may_lose_a_pattern_that_clients_read_differently(contract):
    before, after = deepcopy(contract), deepcopy(contract)
    before["components"]["schemas"]["Me"]["properties"]["username"]["pattern"] = r"^[\w.+-]+$"
    after["components"]["schemas"]["Me"]["properties"]["username"].pop("pattern", None)
    assert breaking_changes(before, after) == []
    assert breaking_changes(after, before) == []


def test_choices_that_only_come_may_become_fewer_and_not_more(contract):
    before, after = deepcopy(contract), deepcopy(contract)
    for each, choices in [(before, ["member", "librarian"]), (after, ["member"])]:
        me = each["components"]["schemas"]["Me"]
        me["properties"]["role"] = {"type": "string", "enum": choices}
    assert breaking_changes(before, after) == []
    assert breaking_changes(after, before) == [
        f"{method} /api/me/ 200/role may be librarian, which clients don't know"
        for method in ("GET", "PATCH")
    ]
