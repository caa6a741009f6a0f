"""An example of every answer in JSON: what the demo catalogue answers, in the schemas of now."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from project.api.lists.parameters import Schema

# The server's own answers, by the component or the operation. `make answers` writes them.
RECORDED = Path(__file__).with_name("answers.json")
MEDIA_TYPE = "application/json"
REFERENCE = "#/components/{}/{}".format
# What became of one object, which was created
BULK = {"create": [{"status": 201, "document": {}}], "update": [], "delete": []}
BULKS = re.compile(r".+Bulk")
NOTHING: Any = object()


@cache
def recorded() -> dict[str, object]:
    answers: dict[str, object] = json.loads(RECORDED.read_text("utf-8"))
    return answers


def answers(result: Schema, **kwargs: object) -> Schema:
    """Give each answer in JSON an example, which operations with the same answer share, and each
    problem that a request can bring about."""
    sampler = _Sampler(result.get("components", {}).get("schemas", {}))
    examples = {}
    for operation in (each for methods in result["paths"].values() for each in methods.values()):
        for status, response in operation["responses"].items():
            content = response.get("content", {}).get(MEDIA_TYPE)
            if content is None or not status.startswith("2"):
                continue
            component = _component(content["schema"])
            own = operation["operationId"]
            name = own if own in recorded() or not component else component
            examples[name] = {
                "value": sampler.sample(content["schema"], recorded().get(own, NOTHING))
            }
            content["examples"] = {"Answer": {"$ref": REFERENCE("examples", name)}}
    for name, response in result.get("components", {}).get("responses", {}).items():
        if name in recorded():
            [content] = response["content"].values()
            examples[name] = {"value": sampler.sample(content["schema"], recorded()[name])}
            content["examples"] = {"Problem": {"$ref": REFERENCE("examples", name)}}
    if examples:
        result.setdefault("components", {})["examples"] = dict(sorted(examples.items()))
    return result


class _Sampler:
    """Values that schemas admit: the recorded ones, and others where nothing is recorded.

    So a property that is new is in the examples, and one that is gone is not, before they are
    recorded again.
    """

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self.schemas = schemas
        # The components around the value that is made now.
        self.around: list[str] = []

    def sample(self, schema: Schema | bool, value: Any = NOTHING) -> object:
        if isinstance(schema, bool):
            # What JSON Schema has for any value, and for none.
            return None if value is NOTHING else value
        if name := _component(schema):
            known = recorded().get(name, BULK if BULKS.fullmatch(name) else NOTHING)
            if value is NOTHING:
                value = known
            elif isinstance(value, dict) and isinstance(known, dict):
                value = {**known, **value}
            self.around.append(name)
            sample = self.sample(self.schemas.get(name, {}), value)
            self.around.pop()
            return sample
        if value is None or (value is NOTHING and _may_be_null(schema)):
            return None
        if options := schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf"):
            return self.sample(options[0], value)
        if "properties" in schema:
            value = {} if value is NOTHING else value
            required = schema["required" if "required" in schema else "properties"]
            return {
                name: self.sample(each, value.get(name, NOTHING))
                for name, each in schema["properties"].items()
                if name in value or name in required
            }
        if "items" in schema:
            # A tree ends here.
            is_nested = _component(schema["items"]) in self.around
            items = ([] if is_nested else [NOTHING]) if value is NOTHING else value
            return [self.sample(schema["items"], each) for each in items]
        return _plain(schema) if value is NOTHING else value


def _component(schema: Schema | bool) -> str:
    """The component that this refers to; "" of what is no reference."""
    return "" if isinstance(schema, bool) else str(schema.get("$ref", "")).rpartition("/")[2]


def _may_be_null(schema: Schema) -> bool:
    options = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    return {"type": "null"} in options or "null" in schema.get("type", ())


def _plain(schema: Schema) -> object:
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"), schema.get("format"):
        case "integer" | "number", _:
            return max(schema.get("minimum", 0), 0)
        case "boolean", _:
            return False
        case "string", "date-time":
            return "2026-01-31T09:30:00.000000Z"
        case "string", "date":
            return "2026-01-31"
        case "string", "uuid":
            return "01890a5d-ac96-774b-bcce-b302099a8057"
        case "string", "uri":
            return "https://example.org/"
        case "string", "email":
            return "member@example.org"
        case "string", _:
            return "…" * int(schema.get("minLength", 0))
    return {}
