"""CSV in columns of our own: a book a row, with an edition. It is imported and exported."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from rest_framework import serializers

from books.models import Role
from books.serializers import BookSerializer, IdentifierItem
from project.api.http.csv import original
from project.api.relations import RelatedSerializer, relations_of

from .rows import Body, FileRow, UnreadableFileError
from .tabular import Record, Table, number_of


def _properties_of(serializer: RelatedSerializer) -> dict[str, Any]:
    """What a body may say, each with its field; of a relation's twins the nested one."""
    others = {"id", *(relation.key for relation in relations_of(serializer))}
    return {
        name: field
        for name, field in serializer.fields.items()
        if not field.read_only and name not in others
    }


BOOK = _properties_of(BookSerializer())
# The column “authors” is for all of them.
EDITION = _properties_of(BOOK.pop("editions").child)
del BOOK["contributions"]
# A property that both have is the book's.
EDITION_COLUMNS = {f"edition_{name}" if name in BOOK else name: name for name in EDITION}
OUR_COLUMNS = {
    "/contributions": "authors",
    **{f"/editions/0/{name}": column for column, name in EDITION_COLUMNS.items()},
    **{f"/{name}": name for name in BOOK},
}
SEMICOLON = re.compile(r"(?<!;);(?!;)")
WITH_ROLE = re.compile(rf"(.*\S)\s*\(({'|'.join(Role.values)})\)", re.IGNORECASE)


def _check_our_header(header: list[str]) -> None:
    known = [*BOOK, *EDITION_COLUMNS]
    for name in header:
        if name not in known:
            raise UnreadableFileError(f"There is no column “{name}”; there are {', '.join(known)}.")


def our_body(record: Record, row: FileRow) -> dict[str, object]:
    given = {name: original(cell) for name, cell in record.items() if cell}
    body = {name: _value(field, given[name]) for name, field in BOOK.items() if name in given}
    if body.pop("authors", None):
        body["contributions"] = [_contribution(item) for item in _items(given["authors"])]
    edition = {
        name: _value(EDITION[name], given[column])
        for column, name in EDITION_COLUMNS.items()
        if column in given
    }
    return {**body, "editions": [edition]} if edition else body


def _value(field: object, cell: str) -> object:
    match field:
        case serializers.ListSerializer() if isinstance(field.child, IdentifierItem):
            pairs = (item.partition(":") for item in _items(cell))
            return [{"scheme": p[0].strip(), "value": p[2].strip()} for p in pairs]
        case serializers.ListSerializer():
            return [{"name": name} for name in _items(cell)]
        case serializers.Serializer():
            return {"name": cell}
        case serializers.IntegerField():
            return number_of(cell)
        case serializers.ChoiceField():
            # “Mass Market” is “mass_market”.
            word = re.sub(r"[\s-]+", "_", cell.casefold())
            return word if word in field.choices else cell
    return cell


def _items(cell: str) -> list[str]:
    """The parts between semicolons; a double one is a semicolon within a part."""
    parts = (part.strip().replace(";;", ";") for part in SEMICOLON.split(cell))
    return [part for part in parts if part]


def _contribution(item: str) -> dict[str, object]:
    if match := WITH_ROLE.fullmatch(item):
        return {"author": {"name": match[1]}, "role": match[2].lower()}
    return {"author": {"name": item}}


OUR_TABLE = Table(frozenset({"title"}), OUR_COLUMNS, our_body, refuse=_check_our_header)


# What an export writes, so that an import reads the same


def _written(field: object) -> Callable[[Any], object]:
    match field:
        case serializers.ListSerializer() if isinstance(field.child, IdentifierItem):
            return lambda items: _listed(f"{each['scheme']}:{each['value']}" for each in items)
        case serializers.ListSerializer():
            return lambda items: _listed(item["name"] for item in items)
        case serializers.Serializer():
            return lambda value: value and value["name"]
    return lambda value: value


def _listed(parts: Iterable[str]) -> str:
    text = ""
    for part in parts:
        # Three semicolons in a row would separate nothing.
        between = " ; " if text.endswith(";") else "; " if text else ""
        text += between + part.replace(";", ";;")
    return text


def _credits(contributions: list[Body]) -> str:
    return _listed(_credit(each["author"]["name"], each["role"]) for each in contributions)


def _credit(name: str, role: str) -> str:
    is_plain = role == Role.AUTHOR and not WITH_ROLE.fullmatch(name)
    return name if is_plain else f"{name} ({role})"


def _of_first(name: str) -> Callable[[list[Body]], object]:
    written = _written(EDITION[name])
    return lambda editions: written(editions[0][name]) if editions else None


# Of a book's editions the first one.
CSV_COLUMNS = {
    **{name: (name, _written(field)) for name, field in BOOK.items()},
    "authors": ("contributions", _credits),
    **{column: ("editions", _of_first(name)) for column, name in EDITION_COLUMNS.items()},
}
