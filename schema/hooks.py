"""What is set right once the document is whole."""

import re
from collections.abc import Iterator

from project.api.lists.parameters import Schema

from .openapi_3_0 import NULL

INT32 = 2**31
INT64 = 2**63
# Classes of ASCII's characters to ECMA-262, whose patterns OpenAPI has, and of any script's to
# Python: a client in JavaScript would refuse a name that the server takes.
ASCII_ONLY_IN_CLIENTS = re.compile(r"\\[bBdDsSwW]")
# Words of OpenAPI that hold a value, not a schema
VALUES = frozenset({"example", "value"})
# Words of JSON Schema that may refuse null where no `type` stands
REFUSING_NULL = frozenset({"$ref", "allOf", "anyOf", "oneOf", "not", "enum", "const"})


def enums_that_may_be_null(result: Schema, **kwargs: object) -> Schema:
    """Mark them for `exact_types`: drf-spectacular's hook, which comes between, drops the null."""
    for schema in _objects(result):
        match schema:
            case {"enum": _, "type": [str(only), "null"] | ["null", str(only)]}:
                schema["type"] = only
                schema["nullable"] = True
    return result


def exact_types(result: Schema, **kwargs: object) -> Schema:
    """Give integers their width, enums one name each, requests no defaults, and null one way in.

    A pattern that clients would read in another way than the server is left out.

    A default in a request is the server's business: some generated clients would send it with
    every PATCH, and so overwrite what is stored.
    """
    schemas = result.get("components", {}).get("schemas", {})
    for schema in _objects(result):
        if schema.pop("nullable", False):
            _let_be_null(schema)
        if schema.get("oneOf") == [{}, NULL]:
            # Null is both of them, and one alone may hold. What has no type may be null.
            del schema["oneOf"]
        if schema.get("type") in ("integer", ["integer", "null"]):
            _set_width(schema)
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and ASCII_ONLY_IN_CLIENTS.search(pattern):
            del schema["pattern"]
    names = {str(each["enum"]): name for name, each in schemas.items() if "enum" in each}
    for schema in _objects(result["paths"]):
        name = names.get(str(schema.get("enum")))
        if name is not None:
            schema.clear()
            schema["$ref"] = f"#/components/schemas/{name}"
    for name, each in schemas.items():
        if name.endswith("Request"):
            for schema in _objects(each):
                schema.pop("default", None)
    return result


def _objects(node: object, name: str = "") -> Iterator[Schema]:
    """The objects of OpenAPI in this one; no map of properties, which may have any names."""
    if isinstance(node, list):
        for each in node:
            yield from _objects(each)
    elif isinstance(node, dict):
        is_map = name == "properties"
        if not is_map:
            yield node
        for key, each in list(node.items()):
            if is_map or key not in VALUES:
                yield from _objects(each, "" if is_map else key)


def _let_be_null(schema: Schema) -> None:
    """What `nullable` meant in OpenAPI 3.0, which REST framework's paginators say it in."""
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*(each for each in types if each != "null"), "null"]
        if "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        return
    whole = {name: schema.pop(name) for name in [*schema] if name in REFUSING_NULL}
    match whole:
        case {"allOf": [only], **others} if not others:
            schema["oneOf"] = [only, NULL]
        case _ if whole:
            schema["anyOf"] = [whole, NULL]


def _set_width(schema: Schema) -> None:
    """`int32` if its limits fit into that, else `int64`, whose own limits say nothing."""
    low, high = schema.get("minimum", -INT64), schema.get("maximum", INT64)
    if low <= -INT64:
        schema.pop("minimum", None)
    if high >= INT64 - 1:
        schema.pop("maximum", None)
    schema["format"] = "int32" if low >= -INT32 and high < INT32 else "int64"


MENDED_SEARCH = {
    "type": "object",
    "description": (
        "Present if a word of `search` occurs nowhere and another one, used instead, has found"
        " something; `exact=true` prevents it."
    ),
    "required": ["asked", "used"],
    "properties": {
        "asked": {"type": "string", "description": "The search as it was asked for."},
        "used": {"type": "string", "description": "The search whose results these are."},
    },
}


def searched(result: Schema, **kwargs: object) -> Schema:
    """Say what a page of a list that can be searched has more."""
    schemas = result.get("components", {}).get("schemas", {})
    lists = [
        operations["get"]
        for operations in result["paths"].values()
        if any(
            each.get("name") == "search" for each in operations.get("get", {}).get("parameters", ())
        )
    ]
    for schema in _objects([each.get("responses", {}).get("200") for each in lists]):
        properties = schemas.get(schema.get("$ref", "").rpartition("/")[2], {}).get(
            "properties", {}
        )
        if "results" in properties:
            schemas["MendedSearch"] = MENDED_SEARCH
            properties["search"] = {"$ref": "#/components/schemas/MendedSearch"}
    return result


# What these properties are, wherever they stand without words of their own
PROPERTIES = {
    "id": "The id, which never changes.",
    "version": "Increases with every change of the object and of what it owns.",
    "created_at": "When it was created, in UTC.",
    "updated_at": "When it was last changed, in UTC.",
    "access": "The token to send with each request, as `Authorization: Bearer …`.",
    "refresh": "The token to exchange for a new pair; it can be used once.",
}


# What these components are, by the pattern of their names, the first that matches
COMPONENTS = [
    (r"PartialPaginated(.+)List", "A page of a list of `Partial{}`."),
    (r"Paginated(.+)List", "A page of a list of `{}`."),
    (r"(.+)BulkUpdateRequest", "What changes of a `{}`, which its `id` or its `uid` names."),
    (r"(.+)BulkRequest", "Every `{}` to delete, to update and to create, in this order."),
    (r"(.+)Bulk", "What has become of every `{}` of the request."),
    (r"(.+)Property", "A property of a `{}`."),
    (r"(.+)Expandable", "A property of a `{}` that is there if `expand` names it."),
    (r"(.+)Ordering", "What a list of `{}` is ordered by; with `-` in front, the other way round."),
    (r"Patched(.+)Request", "What changes of a `{}`: each property may be left out."),
    (r"(.+)Request", "What a `{}` is made from."),
]


def described(result: Schema, **kwargs: object) -> Schema:
    """Say of components, of keys and of common properties what they are.

    What has words of its own keeps them.
    """
    schemas = result.get("components", {}).get("schemas", {})
    for name, schema in schemas.items():
        if "description" not in schema:
            for pattern, template in COMPONENTS:
                if match := re.fullmatch(pattern, name):
                    schema["description"] = template.format(match[1])
                    break
    for schema in schemas.values():
        properties = schema.get("properties", {})
        for name, each in properties.items():
            # Beside a reference nothing may stand (OpenAPI 3.0, Reference Object).
            is_silent = isinstance(each, dict) and each.keys().isdisjoint({"description", "$ref"})
            if is_silent and (words := _words(name, properties)):
                each["description"] = words
    return result


def _words(name: str, properties: Schema) -> str | None:
    if name.endswith("_id"):
        one = name.removesuffix("_id")
        return f"The id of `{one}`." if one in properties else f"The id of its {one}."
    if name.endswith("_ids"):
        many = f"{name.removesuffix('_ids')}s"
        return f"The ids of `{many}`." if many in properties else f"The ids of its {many}."
    return PROPERTIES.get(name)


METHODS = ["get", "post", "put", "patch", "delete"]


def in_order_of_work(result: Schema, **kwargs: object) -> Schema:
    """Order paths as `TAGS` orders their tags, and what can be done there from get to delete.

    A tag that is not there comes after those, and means what its first operation says.
    """
    paths: dict[str, Schema] = {
        path: dict(sorted(operations.items(), key=_place_of_method))
        for path, operations in result["paths"].items()
    }
    tags = {tag["name"]: tag for tag in result.get("tags", [])}
    for operation in (each for operations in paths.values() for each in operations.values()):
        for name in operation.get("tags", []):
            first, *_ = operation.get("description", name).split("\n\n")
            tags.setdefault(name, {"name": name, "description": first})
    if tags:
        result["tags"] = list(tags.values())
    order = list(tags)

    def place(path: tuple[str, Schema]) -> tuple[int, bool]:
        names = next(iter(path[1].values())).get("tags")
        tag = order.index(names[0]) if names else len(order)
        # One's own account, and then all of them.
        return tag, not path[0].startswith("/api/me/")

    result["paths"] = dict(sorted(paths.items(), key=place))
    return result


def _place_of_method(operation: tuple[str, object]) -> int:
    return METHODS.index(operation[0]) if operation[0] in METHODS else len(METHODS)
