"""What the fields of a MARC 21 record say, however it is written.

https://www.loc.gov/marc/bibliographic/
"""

import re

from pymarc import Record

from .citations import series
from .identifiers import of_marc
from .rows import Body
from .vocabulary import (
    contribution,
    date_of,
    editions,
    format_of,
    language_of,
    without_blanks,
    year_of,
)

# ISBD's marks between the parts of a description.
MARKS = " /:;,=."


def body_of(record: Record) -> dict[str, object]:
    fixed = next((field.data or "" for field in record.get_fields("008")), "")
    isbns = [code for field in record.get_fields("020") for code in field.get_subfields("a")]
    imprint = [*record.get_fields("264"), *record.get_fields("260")]
    pages = re.search(r"(\d+)\s*(?:p|S|leaves|pages|Seiten)\b", _first(record, "300", "a"))
    dates = [date for field in imprint for date in field.get_subfields("c")]
    statement = next(iter(record.get_fields("490", "830", "440")), None)
    bindings = [word for f in record.get_fields("020") for word in f.get_subfields("q")]
    bindings += [part for code in isbns for part in re.findall(r"\(([^)]*)\)", code)]
    language = language_of(fixed[35:38]) if fixed[35:38].strip() else None
    originals = [code for f in record.get_fields("041") for code in f.get_subfields("h")]
    return without_blanks(
        {
            "title": _title(record),
            "subtitle": _trimmed(" ".join(_all(record, "245", "b"))),
            "original_title": _trimmed(_first(record, "240", "a")),
            "language": language_of(originals[0]) if len(originals) == 1 else None,
            "description": " ".join(_all(record, "520", "a")),
            **(series(*(_trimmed(statement.get(c) or "") for c in "av")) if statement else {}),
            "subjects": _subjects(record),
            "contributions": _credits(record),
            "editions": editions(
                [code.split()[0] for code in isbns if code.strip()],
                publisher=_trimmed(next((n for f in imprint for n in f.get_subfields("b")), "")),
                format=next(filter(None, map(format_of, bindings)), None),
                pages=int(pages[1]) or None if pages else None,
                published_on=date_of(dates[0] if dates else fixed[7:11]),
                language=language,
                identifiers=of_marc(record),
            ),
        }
    )


def _title(record: Record) -> str:
    field = next(iter(record.get_fields("245")), None)
    if field is None:
        return ""
    # `n` and `p` are the number and the name of a part.
    parts = [_trimmed(part) for part in field.get_subfields("a", "n", "p")]
    return ". ".join(filter(None, parts))


def _credits(record: Record) -> list[dict[str, object]]:
    found = []
    for field in record.get_fields("100", "110", "111", "700", "710", "711"):
        # Of another work, which this one contains or goes back to.
        if field.get_subfields("t"):
            continue
        is_person = field.tag in ("100", "700")
        heading = _trimmed(field.get("a") or "", keep_initials=True)
        numeration, titles = field.get("b") or "", [_trimmed(c) for c in field.get_subfields("c")]
        roles = [_trimmed(role) for role in field.get_subfields("4", "e")]
        if not heading:
            continue
        if not is_person:
            heading = ". ".join([heading, *map(_trimmed, field.get_subfields("b"))])
            name, sort_name = heading, None
        elif field.indicator1 == "1" and "," in heading:
            surname, _, forenames = heading.partition(",")
            name = " ".join([forenames.strip(), surname, *titles])
            sort_name = ", ".join([heading, *titles])
        else:
            name, sort_name = " ".join(filter(None, [heading, _trimmed(numeration), *titles])), None
        born, _, died = (field.get("d") or "").partition("-") if is_person else ("", "", "")
        default = "author" if field.tag.startswith("1") else "contributor"
        found.append(
            contribution(
                name,
                roles[0] if roles else default,
                sort_name=sort_name,
                kind=None if is_person else "body",
                birth_year=year_of(born),
                death_year=year_of(died),
            )
        )
    return found


def _subjects(record: Record) -> list[Body]:
    names = [
        " -- ".join(map(_trimmed, field.get_subfields("a", "x", "y", "z", "v")))
        for field in record.get_fields("600", "610", "650", "651", "655")
    ]
    return [{"name": name} for name in dict.fromkeys(names) if re.search(r"\w", name)]


def _all(record: Record, tag: str, code: str) -> list[str]:
    return [value for field in record.get_fields(tag) for value in field.get_subfields(code)]


def _first(record: Record, tag: str, code: str) -> str:
    return next(iter(_all(record, tag, code)), "")


def _trimmed(text: str, *, keep_initials: bool = False) -> str:
    """Without the punctuation that stands for the next part; the dot of an initial stays."""
    text = text.strip().strip("[]").rstrip(MARKS if not keep_initials else " /:;,=")
    if keep_initials and text.endswith(".") and not re.search(r"(^|[\s.])\w\.$|\b(Jr|Sr)\.$", text):
        text = text.rstrip(".")
    return text
