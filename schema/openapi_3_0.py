"""The contract for programs that do not know OpenAPI 3.1, derived from it."""

from typing import Any

from project.api.lists.parameters import Schema

VERSION = "3.0.3"
NULL = {"type": "null"}


def as_openapi_3_0(contract: Schema) -> Schema:
    """The same contract in OpenAPI 3.0.3, which has `nullable` where 3.1 has the type `null`.

    A reference that may be null becomes `allOf` with `nullable`, the form that generators know.
    Strictly read it admits no null (the Proposal “Clarify Semantics of `nullable`”, OpenAPI 3.0.3),
    so whatever validates answers needs 3.1. What is 3.0 already stays as it is.
    """
    return {**_rewritten(contract), "openapi": VERSION}


def _rewritten(node: object) -> Any:
    if isinstance(node, list):
        return [_rewritten(each) for each in node]
    if not isinstance(node, dict):
        return node
    for name in ("oneOf", "anyOf"):
        options = node.get(name)
        if isinstance(options, list) and NULL in options and options != [NULL]:
            others = [each for each in options if each != NULL]
            rest = {word: value for word, value in node.items() if word != name}
            node = {"allOf" if len(others) == 1 else name: others, "nullable": True, **rest}
    types = [node["type"]] if node.get("type") == "null" else node.get("type")
    if isinstance(types, list):
        others = [each for each in types if each != "null"]
        node = {**node, "type": others[0]} if len(others) == 1 else {**node}
        # Of several it can say none.
        if len(others) != 1:
            del node["type"]
        if "null" in types:
            node["nullable"] = True
    return {name: _rewritten(value) for name, value in node.items()}
