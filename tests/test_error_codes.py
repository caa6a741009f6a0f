"""Does docs/errors.md name every code that an answer may have, and no other?"""

import ast
import inspect
import re
from pathlib import Path
from textwrap import dedent

import pytest
from rest_framework import exceptions
from rest_framework.serializers import ModelSerializer, Serializer
from rest_framework_simplejwt.authentication import JWTAuthentication

from project.api.filters import ListFilterSet
from project.api.http.handlers import REFUSALS
from project.api.http.problems import Fault, Refused
from project.urls import urlpatterns

pytestmark = pytest.mark.engineless
ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "errors.md").read_text("utf-8")
PACKAGES = ("project", "auth_api", "books", "authors", "schema")
# These answer nobody who calls the API, or their codes become others: what is wrong with a cover is
# told by books.views.REFUSALS.
ELSEWHERE = re.compile(
    r"/(migrations|management|importing|settings)/|/(admin|site|checks|dump|covers)\.py$"
)
# What carries the code of a fault, and which argument that is
FAULTS = {"Fault": 0, "fault": 0, "fail": 0, "ErrorDetail": 1, "ValidationError": 1}
# No request brings these about: no field that is written is a time, an object of any names or a
# number in a text, none has a least length, no file comes without a name, and lone surrogates are
# refused with the body.
UNHEARD = {
    *("date", "make_aware", "overflow", "not_a_dict", "max_string_length", "min_length"),
    *("no_name", "surrogate_characters_not_allowed"),
}
# Whoever raises this gives it a code of its own.
NEVER_BARE = (401, "authentication_failed")


def sources():
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            if not ELSEWHERE.search(file.as_posix()):
                yield file.read_text("utf-8")
    # Of simplejwt, what is not overridden.
    for method in (JWTAuthentication.get_raw_token, JWTAuthentication.get_validated_token):
        yield dedent(inspect.getsource(method))


def calls():
    """Of every call in the source: the name of what is called, and the literals it is given."""
    for source in sources():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", None))
                arguments = [getattr(each, "value", None) for each in node.args]
                named = {each.arg: getattr(each.value, "value", None) for each in node.keywords}
                yield name, arguments, named


def descendants(cls):
    assert urlpatterns  # All views are imported, and so is all that refuses.
    for each in cls.__subclasses__():
        yield each
        yield from descendants(each)


def problems():
    """Every status that a problem may have, and its code."""
    known = {each.__name__: each for each in descendants(exceptions.APIException)}
    for each in known.values():
        is_ours = each.__module__.startswith((*PACKAGES, "rest_framework"))
        # It has a code by its faults.
        if is_ours and not issubclass(each, Refused):
            yield each.status_code, each.default_code
    for code in ("invalid", "unique"):
        refused = Refused([Fault(code, "")])
        yield refused.status_code, refused.detail.code
    for status, (_, code) in REFUSALS.items():
        yield status, code
    for name, arguments, named in calls():
        match name, arguments:
            case "problem_response", [_, int(status), _, str(code), *_]:
                yield status, code
            case _ if name in known and name != "ValidationError":
                code = named.get("code", dict(enumerate(arguments)).get(1))
                if isinstance(code, str) and code.isidentifier():
                    yield known[name].status_code, code


def fields():
    """All that read what is sent: of bodies and of queries."""
    for each in descendants(Serializer):
        is_abstract = issubclass(each, ModelSerializer) and not hasattr(
            getattr(each, "Meta", None), "model"
        )
        if each.__module__.startswith(PACKAGES) and not is_abstract:
            yield from (field for field in each().fields.values() if not field.read_only)
    for each in descendants(ListFilterSet):
        if (model := each._meta.model) is not None:
            yield from each({}, model.objects.none()).form.fields.values()


def faults():
    yield from Fault.CONFLICTS
    for name, arguments, named in calls():
        if name in FAULTS:
            code = named.get("code", dict(enumerate(arguments)).get(FAULTS[name]))
            if isinstance(code, str):
                yield code
    for field in fields():
        yield from field.error_messages
        yield from (each.code for each in field.validators if hasattr(each, "code"))


def table():
    rows = re.findall(r"^\| `(\w+)` \| (\d{3})(, a fault)? \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == PAGE.count("\n| `")
    return [(int(status), code, bool(is_fault)) for code, status, is_fault, *_ in rows]


def test_the_page_has_every_code_and_no_other():
    found = {(*each, False) for each in problems()} - {(*NEVER_BARE, False)}
    found |= {
        (409 if code in Fault.CONFLICTS else 400, code, True) for code in {*faults()} - UNHEARD
    }
    rows = table()
    assert {*rows} - found == set()
    assert found - {*rows} == set()
    assert len({*rows}) == len(rows)


def test_what_is_left_out_is_what_fields_have():
    assert {*faults()} >= UNHEARD
    assert NEVER_BARE in problems()


def test_guides_name_no_other_code():
    known = {code for _, code, _ in table()}
    said = {
        (file.name, code)
        for file in [*ROOT.glob("docs/*.md"), ROOT / "README.md"]
        for code in re.findall(r"\b[45]\d\d `([a-z_]+)`", file.read_text("utf-8"))
    }
    assert len(said) > 30
    assert {(name, code) for name, code in said if code not in known} == set()
