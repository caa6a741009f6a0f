"""What a change of the contract does to the clients that there are."""

import re
from pathlib import Path

from schema.openapi_3_0 import as_openapi_3_0

CONTRACT = Path(__file__).parent.parent / "schema" / "openapi.yaml"

# Keywords that hold a value down: a smaller one is tighter, or a larger one is.
UPPER = ("maximum", "maxLength", "maxItems")
LOWER = ("minimum", "minLength", "minItems")
# Classes of ASCII's characters to ECMA-262, and of any script's to Python: nobody can rely on what
# a pattern with one of them says of an answer.
AMBIGUOUS = re.compile(r"\\[bBdDsSwW]")
# How a parameter is written unless it says otherwise, by where it stands (OpenAPI, Parameter
# Object).
STYLES = {"query": "form", "cookie": "form", "path": "simple", "header": "simple"}


def breaking_changes(old, new):
    """Sentences on what a client made from the old contract can't do, or rely on, with the new.

    Each may be in OpenAPI 3.0 or 3.1: they are compared in what both can say.
    """
    return list(_Comparison(as_openapi_3_0(old), as_openapi_3_0(new)).breaks())


class _Comparison:
    def __init__(self, old, new):
        self.old, self.new = old, new

    def breaks(self):
        for name, scheme in self.old["components"].get("securitySchemes", {}).items():
            other = self.new["components"].get("securitySchemes", {}).get(name, {})
            if {**other, "description": ""} != {**scheme, "description": ""}:
                yield f"who calls proves who they are otherwise than by {name}"
        for path, methods in self.old["paths"].items():
            for method, old in methods.items():
                new = self.new["paths"].get(path, {}).get(method)
                here = f"{method.upper()} {path}"
                if new is None:
                    yield f"{here} is gone"
                else:
                    yield from self.operation(old, new, here)

    def operation(self, old, new, here):
        if new["operationId"] != old["operationId"]:
            yield f"{here} has another operationId"
        if new["tags"] != old["tags"]:
            yield f"{here} has other tags, which generated classes are named after"
        if any(not self.allows(each, new["security"]) for each in old["security"] or [{}]):
            yield f"{here} demands more of who calls it"
        yield from self.parameters(old, new, here)
        yield from self.body(old.get("requestBody"), new.get("requestBody"), here)
        for status, answer in old["responses"].items():
            if status not in new["responses"]:
                yield f"{here} does not answer {status} any more"
                continue
            other = self.resolved(new["responses"][status], self.new)
            for name in self.resolved(answer, self.old).get("headers", {}):
                if name not in other.get("headers", {}):
                    yield f"{here} {status} has no header {name} any more"
            for media, content in self.resolved(answer, self.old).get("content", {}).items():
                if media not in other.get("content", {}):
                    yield f"{here} does not answer {status} as {media} any more"
                else:
                    schema = other["content"][media]["schema"]
                    yield from self.schema(content["schema"], schema, f"{here} {status}", False)

    @staticmethod
    def allows(scheme, others):
        """Whether who sends what this scheme demands is let in by one of the others."""
        return not others or any(other.keys() <= scheme.keys() for other in others)

    def parameters(self, old, new, here):
        before = {(p["in"], p["name"]): p for p in self.all_resolved(old, self.old)}
        after = {(p["in"], p["name"]): p for p in self.all_resolved(new, self.new)}
        for key, parameter in before.items():
            at = f"{here} ?{key[1]}"
            if key not in after:
                yield f"{at} is gone"
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield f"{at} is required now"
            if self.style(parameter) != self.style(after[key]):
                yield f"{at} is written in another way"
            yield from self.schema(parameter["schema"], after[key]["schema"], at, True)
        for key in after.keys() - before.keys():
            if after[key].get("required"):
                yield f"{here} ?{key[1]} is new and required"
        known = [key for key in before if key in after]
        if list(after)[: len(known)] != known:
            yield f"{here} has its parameters in another order, or a new one in front of them"

    @staticmethod
    def style(parameter):
        style = parameter.get("style", STYLES[parameter["in"]])
        # Of what is not an array or an object, it says nothing.
        is_scalar = parameter["schema"].get("type") not in ("array", "object")
        return style, is_scalar or parameter.get("explode", style == "form")

    def all_resolved(self, operation, document):
        return [self.resolved(each, document) for each in operation.get("parameters", [])]

    def body(self, old, new, here):
        if new is None:
            if old is not None:
                yield f"{here} takes no body any more"
            return
        if old is None:
            if new.get("required"):
                yield f"{here} demands a body"
            return
        for media, content in old["content"].items():
            if media not in new["content"]:
                yield f"{here} does not take {media} any more"
            else:
                schema = new["content"][media]["schema"]
                yield from self.schema(content["schema"], schema, f"{here} body", True)

    def schema(self, old, new, at, is_sent, above=()):
        """`is_sent`: by the client, which then minds what is tighter; else what is looser."""
        names = (old.get("$ref"), new.get("$ref"))
        if names[0] and names in above:
            return
        if names[0] != names[1]:
            yield f"{at} is another component, {names[1]} for {names[0]}"
            return
        above = (*above, names)
        old, new = self.resolved(old, self.old), self.resolved(new, self.new)
        for keyword in ("type", "format", "additionalProperties"):
            if old.get(keyword) != new.get(keyword):
                yield f"{at} has another {keyword}"
        tight, loose = (old, new) if is_sent else (new, old)
        yield from self.limits(tight, loose, at)
        pattern = loose.get("pattern", tight.get("pattern"))
        if pattern != tight.get("pattern") and (is_sent or not AMBIGUOUS.search(pattern)):
            yield f"{at} has another pattern"
        if bool(tight.get("nullable")) and not loose.get("nullable"):
            yield f"{at} {'may not' if is_sent else 'may'} be null now"
        yield from self.values(old, new, at, is_sent)
        yield from self.properties(old, new, at, is_sent, above)
        if "items" in old and "items" in new:
            yield from self.schema(old["items"], new["items"], f"{at}/items", is_sent, above)
        for before, after in zip(old.get("allOf", ()), new.get("allOf", ()), strict=False):
            yield from self.schema(before, after, f"{at}/allOf", is_sent, above)

    @staticmethod
    def limits(tight, loose, at):
        """Faults where `loose`, in the direction that matters, is not as loose as `tight`."""
        for keyword in UPPER:
            if keyword in loose and tight.get(keyword, float("inf")) > loose[keyword]:
                yield f"{at} has another {keyword}"
        for keyword in LOWER:
            if keyword in loose and tight.get(keyword, float("-inf")) < loose[keyword]:
                yield f"{at} has another {keyword}"

    @staticmethod
    def values(old, new, at, is_sent):
        """A list of choices that clients send may grow; one that they are sent may shrink."""
        before, after = set(old.get("enum", ())), set(new.get("enum", ()))
        if is_sent and (gone := before - after):
            yield f"{at} has no {', '.join(sorted(gone))} any more"
        names = [
            dict(zip(each.get("enum", ()), each.get("x-enum-varnames", ()), strict=False))
            for each in (old, new)
        ]
        if any(names[1].get(value, name) != name for value, name in names[0].items()):
            yield f"{at} has other names for its values"
        if "enum" in new and "enum" not in old and is_sent:
            yield f"{at} takes certain values only"
        if not is_sent and before and (more := after - before):
            yield f"{at} may be {', '.join(sorted(more))}, which clients don't know"
        if not is_sent and before and not after:
            yield f"{at} may be anything now"

    def properties(self, old, new, at, is_sent, above):
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, given = set(new.get("required", ())), set(old.get("required", ()))
        for name, schema in before.items():
            if name not in after:
                yield f"{at}/{name} is gone"
            else:
                yield from self.schema(schema, after[name], f"{at}/{name}", is_sent, above)
        for name in sorted(needed - given if is_sent else (given - needed) & after.keys()):
            yield f"{at}/{name} is {'required' if is_sent else 'not always there'} now"

    @staticmethod
    def resolved(node, document):
        while "$ref" in node:
            target = document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node
