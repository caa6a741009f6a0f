"""The numbers of editions that files carry, under our schemes."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from xml.etree.ElementTree import Element

from django.core.exceptions import ValidationError
from pymarc import Record

from books.identifiers import MAX_SCHEME, MAX_VALUE, SCHEME, normalize_identifier
from project.api.relations import MAX_ITEMS

from .markup import text

# What others call them.
SCHEMES = {"amazon": "asin", "mobi-asin": "asin", "oclc_numbers": "oclc"}
# List 5 of ONIX
ONIX_SCHEMES = {"03": "ean", "06": "doi", "13": "lccn", "23": "oclc"}


def identifiers(*said: object) -> list[dict[str, str]]:
    """Those that these objects say, by scheme one or several, each once; without what is none."""
    found: dict[tuple[str, str], None] = {}
    pairs: Any = (pair for each in said if isinstance(each, dict) for pair in each.items())
    for theirs, values in pairs:
        scheme: str = SCHEMES.get(theirs.lower(), theirs)
        for value in values if isinstance(values, list) else [values]:
            words = " ".join(str(value).split()) if isinstance(value, str | int) else ""
            if words and len(words) <= MAX_VALUE and len(scheme) <= MAX_SCHEME:
                with suppress(ValidationError):
                    if re.match(SCHEME, scheme):
                        found[normalize_identifier(scheme, words)] = None
    return [{"scheme": scheme, "value": value} for scheme, value in list(found)[:MAX_ITEMS]]


def of_open_library(record: dict[str, object], key: str) -> list[dict[str, str]]:
    """Those of an edition in the Open Library's dumps."""
    names = ("oclc_numbers", "lccn")
    own = {"openlibrary": key, **{name: record.get(name) for name in names}}
    return identifiers(own, record.get("identifiers"))


def of_marc(record: Record) -> list[dict[str, str]]:
    """Those in the fields 010, 024 and 035 of MARC 21."""
    return identifiers(*_of_marc(record))


def _of_marc(record: Record) -> Iterator[dict[str, str]]:
    for field in record.get_fields("010", "024", "035"):
        number = field.get("a") or ""
        if field.tag == "010":
            yield {"lccn": number}
        elif field.tag == "035" and number.startswith("(OCoLC)"):
            yield {"oclc": number}
        elif field.tag == "024" and field.indicator1 in "37":
            # An EAN, or of the source in subfield 2.
            yield {"ean" if field.indicator1 == "3" else field.get("2") or "": number}


def of_onix(product: Element) -> list[dict[str, str]]:
    """Those of a product in ONIX, whose tags are spelt out."""
    numbers = product.findall("ProductIdentifier")
    schemes = (ONIX_SCHEMES.get(text(each, "ProductIDType"), "") for each in numbers)
    values = (text(each, "IDValue") for each in numbers)
    return identifiers(*({s: value} for s, value in zip(schemes, values, strict=True)))
