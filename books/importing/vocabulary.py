"""What other catalogues call formats, roles, languages, dates and people, in the words of ours."""

import re
from calendar import monthrange
from collections.abc import Iterable
from functools import lru_cache

from django.conf.locale import LANG_INFO

from books.languages import alpha_2, canonical_language
from books.models import Format, Role

from .rows import Body

FORMATS = {
    # The more special words first.
    "mass market": Format.MASS_MARKET,
    "massmarket": Format.MASS_MARKET,
    "mass_market": Format.MASS_MARKET,
    "audio": Format.AUDIOBOOK,
    "audible": Format.AUDIOBOOK,
    "mp3": Format.AUDIOBOOK,
    "cassette": Format.AUDIOBOOK,
    "sound": Format.AUDIOBOOK,
    "kindle": Format.EBOOK,
    "ebook": Format.EBOOK,
    "e-book": Format.EBOOK,
    "epub": Format.EBOOK,
    "digital": Format.EBOOK,
    "electronic": Format.EBOOK,
    "online resource": Format.EBOOK,
    "hardcover": Format.HARDCOVER,
    "hardback": Format.HARDCOVER,
    "hard cover": Format.HARDCOVER,
    "library binding": Format.HARDCOVER,
    "school & library binding": Format.HARDCOVER,
    "cloth": Format.HARDCOVER,
    "hbk": Format.HARDCOVER,
    "gebunden": Format.HARDCOVER,
    "paperback": Format.PAPERBACK,
    "softcover": Format.PAPERBACK,
    "soft cover": Format.PAPERBACK,
    "pbk": Format.PAPERBACK,
    "broschiert": Format.PAPERBACK,
    "taschenbuch": Format.PAPERBACK,
    "broché": Format.PAPERBACK,
}
ROLES = {
    **{role.value: role.value for role in Role},
    "aut": "author",
    "creator": "author",
    "cre": "author",
    "writer": "author",
    "edt": "editor",
    "ed": "editor",
    "series editor": "editor",
    "trl": "translator",
    "trans": "translator",
    "tr": "translator",
    "ill": "illustrator",
    "illus": "illustrator",
    "art": "illustrator",
    "artist": "illustrator",
    "aui": "introduction",
    "intro": "introduction",
    "aft": "afterword",
    "preface": "foreword",
    "nrt": "narrator",
    "reader": "narrator",
    "ctb": "contributor",
    "pht": "photographer",
    "com": "compiler",
    "ann": "annotator",
    "cmm": "commentator",
}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
LANGUAGES = {
    **{info["name"].lower(): code for code, info in LANG_INFO.items() if "name" in info},
    "latin": "la",
    "greek": "el",
    "greek (ancient)": "grc",
    "ancient greek": "grc",
    "english (middle)": "enm",
    "english (old)": "ang",
    "chinese": "zh",
    "norwegian": "no",
    "yiddish": "yi",
    "sanskrit": "sa",
    "tagalog": "tl",
    "slovene": "sl",
    "farsi": "fa",
}
ISO_DATE = re.compile(r"\s*(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2})(?:[T ].*)?)?)?\s*", re.ASCII)
# The dash of “Nov-2005” is no sign.
YEAR = re.compile(r"(?<!\d)(?:(?<!\w)-)?[0-9]{4}(?!\d)")
DAY = re.compile(r"\b([0-9]{1,2})(?:st|nd|rd|th)?\b(?![/.-]?\d)")
BCE = re.compile(r"(?<!\w)b\.? ?c\.?( ?e\.?)?(?!\w)", re.IGNORECASE)
SUFFIX = re.compile(r"(jr|sr|ii|iii|iv|esq)\.?", re.IGNORECASE)


@lru_cache(1_000)
def format_of(text: str) -> str | None:
    """Our word for a binding or a medium; None where nothing is said, or that it is unknown."""
    words = text.strip().casefold()
    if not words or "unknown" in words:
        return None
    return next((ours.value for theirs, ours in FORMATS.items() if theirs in words), "other")


@lru_cache(1_000)
def role_of(text: str) -> str | None:
    """Our word for what somebody did, by a word or a code of MARC; None where there is none."""
    words = re.sub(r"[^a-z ]", "", text.strip().casefold())
    return ROLES.get(words) or ROLES.get(re.sub(r"^(by|written|with an?) | by$", "", words))


def contribution(name: str, role: str = "", **author: object) -> dict[str, object]:
    """What somebody did; in the words of the file where we have none."""
    body: dict[str, object] = {"author": {"name": name, **without_blanks(author)}}
    ours = role_of(role) if role else Role.AUTHOR.value
    if ours is None:
        return {**body, "role": Role.OTHER.value, "other_role": role}
    return body if ours == Role.AUTHOR else {**body, "role": ours}


def contribution_of_inverted(name: str, role: str = "", **author: object) -> dict[str, object]:
    """What “Surname, Given” did. The name as it is filed is kept as the sort name."""
    return contribution(upright(name), role, sort_name=name if "," in name else None, **author)


def upright(name: str) -> str:
    """“Frank Herbert” for “Herbert, Frank”, and “Kurt Vonnegut Jr.” for “Vonnegut, Kurt, Jr.”."""
    parts = [part.strip() for part in name.split(",")]
    if len(parts) == 3 and SUFFIX.fullmatch(parts[2]):
        return f"{parts[1]} {parts[0]} {parts[2]}"
    if len(parts) != 2 or not all(parts) or SUFFIX.fullmatch(parts[1]):
        return name
    return f"{parts[1]} {parts[0]}"


@lru_cache(1_000)
def language_of(text: str) -> str | None:
    """The BCP 47 tag for an ISO 639 code, a tag or an English name; None where it is none."""
    words = text.strip()
    named = LANGUAGES.get(words.lower())
    return named or canonical_language(alpha_2(words)) or canonical_language(words.lower())


@lru_cache(1_000)
def date_of(text: str) -> str | None:
    """A date as exact as it is known, of “1998/11/01”, “Nov. 1998”, “c1998”, “June 12, 2007”."""
    if match := ISO_DATE.fullmatch(text):
        return _date(*match.groups())
    found = [year for year in YEAR.findall(text) if int(year) > 0]
    if not found:
        return None
    words = text.casefold()
    month = next((n for n, word in enumerate(MONTHS, 1) if re.search(rf"\b{word}", words)), None)
    day = DAY.search(text.replace(found[0], " ")) if month else None
    return _date(found[0], month, day and day[1])


def _date(year: str, month: str | int | None, day: str | None) -> str | None:
    """The date in ISO 8601, up to what is not given or not in the calendar, as month 0."""
    if not int(year):
        return None
    if not 1 <= int(month or 0) <= 12:
        return year
    days = monthrange(int(year), int(month or 0))[1]
    return "-".join([year, f"{month:0>2}", *([f"{day:0>2}"] if 1 <= int(day or 0) <= days else [])])


def year_of(text: str) -> int | None:
    """The first year of four digits; negative, and of any length, before the Common Era."""
    if BCE.search(text) and (match := re.search(r"\d{1,4}\b", text)):
        return -int(match[0]) or None
    match = YEAR.search(text)
    return int(match[0]) or None if match else None


def without_blanks(parts: Body) -> Body:
    """What of these is said."""
    return {name: value for name, value in parts.items() if value not in (None, "", [], {})}


def editions(isbns: Iterable[str | None] = (), **parts: object) -> list[Body]:
    """One edition, of the first ISBN-13, else ISBN-10; none where nothing is said of it."""
    numbers = sorted(filter(None, isbns), key=lambda isbn: len(re.sub(r"\W", "", isbn)) != 13)
    if parts.get("publisher"):
        parts["publisher"] = {"name": parts["publisher"]}
    edition = without_blanks({"isbn13": numbers[0] if numbers else None, **parts})
    return [edition] if edition else []
