"""Language tags as BCP 47 has them (RFC 5646), by IANA's registry of subtags.

The registry is a file with its date, `make languages` renews it. CLDR, which langcodes follows, has
opinions beyond it: that `tl` had better be `fil`, which is another name, and `sh` `sr-Latn`, which
is another language. Here a tag is canonical as section 4.5 says.
"""

import json
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Transform
from django.db.models.sql.compiler import SQLCompiler
from langcodes.data_dicts import LANGUAGE_ALPHA3, LANGUAGE_ALPHA3_BIBLIOGRAPHIC
from langcodes.tag_parser import LanguageTagError, parse_tag

from project.api.models import SQL, HandedOn

REGISTRY = Path(__file__).parent / "language_subtags.json"
# The two-letter code, which the registry has, for one of three letters of ISO 639-2: `en` for
# `eng`, `de` for `ger`.
ALPHA_2 = {
    long: short
    for names in (LANGUAGE_ALPHA3, LANGUAGE_ALPHA3_BIBLIOGRAPHIC)
    for short, long in names.items()
    if len(short) == 2
}


def alpha_2(tag: str) -> str:
    """The tag with a language of two letters instead of three."""
    language, hyphen, rest = tag.partition("-")
    return ALPHA_2.get(language.lower(), language) + hyphen + rest


class Part(NamedTuple):
    """A subtag; an extension is one part, and so is what is private."""

    type_: str
    subtag: str

    @classmethod
    def of(cls, type_: str, subtag: str) -> "Part":
        if subtag.startswith("x-"):
            return cls("private", subtag)
        # What langcodes calls otherwise than the registry.
        return cls("region" if type_ == "territory" else type_, subtag.lower())


class Registry(NamedTuple):
    date: str
    # By the subtag's type; subtags and whole tags in small letters.
    subtags: dict[str, frozenset[str]]
    preferred: dict[str, dict[str, str]]


@cache
def registry() -> Registry:
    stored = json.loads(REGISTRY.read_text("utf-8"))
    return Registry(
        stored["date"],
        {type_: frozenset(_expanded(lines)) for type_, lines in stored["subtags"].items()},
        {
            type_: {name.lower(): value for name, value in names.items()}
            for type_, names in stored["preferred"].items()
        },
    )


def _expanded(lines: list[str]) -> Iterator[str]:
    """Each subtag; `qaa..qtz` stands for all from the first to the last."""
    for name in " ".join(lines).lower().split():
        first, _, last = name.partition("..")
        yield first
        while last and first != last:
            stem = first.rstrip("z")
            first = stem[:-1] + chr(ord(stem[-1]) + 1) + "a" * (len(first) - len(stem))
            yield first


@lru_cache(1_000)
def canonical_language(tag: str) -> str | None:
    """The tag in canonical form; None if it is not valid (RFC 5646, sections 2.2.9 and 4.5)."""
    known = registry()
    whole = tag.lower()
    for type_ in ("grandfathered", "redundant"):
        if whole in known.preferred[type_]:
            return known.preferred[type_][whole]
    if whole in known.subtags["grandfathered"]:
        return whole
    try:
        parts = [Part.of(*part) for part in parse_tag(whole)]  # type: ignore[no-untyped-call]
    except LanguageTagError:
        return None
    singletons = [subtag[0] for type_, subtag in parts if type_ == "extension"]
    variants = [subtag for type_, subtag in parts if type_ == "variant"]
    repeats = len({*singletons}) < len(singletons) or len({*variants}) < len(variants)
    if "_" in tag or repeats or not all(map(_is_registered, parts)):
        return None
    parts.sort(key=_place)
    return "-".join(_canonical_parts(parts))


def _is_registered(part: Part) -> bool:
    known = registry().subtags
    return part.type_ not in known or part.subtag in known[part.type_]


def _place(part: Part) -> tuple[int, str]:
    """Extensions stand behind all else in the order of their singletons, then what is private."""
    match part.type_:
        case "extension":
            return 1, part.subtag
        case "private":
            return 2, ""
    return 0, ""


def _canonical_parts(parts: list[Part]) -> Iterator[str]:
    preferred = registry().preferred
    types = {part.type_ for part in parts}
    for type_, subtag in parts:
        value = preferred.get(type_, {}).get(subtag, subtag)
        match type_:
            case "language" if "extlang" in types:
                continue
            case "script":
                yield value.title()
            case "region":
                yield value.upper()
            case _:
                yield value


@CharField.register_lookup
class PrimarySubtag(Transform):
    """The language of a tag, without its region and all else; an empty text where there is no tag.

    PostgreSQL reads the rest of an index in order behind an equality, which IS NULL is not.
    """

    lookup_name = "primary_subtag"
    template = "COALESCE(split_part(%(expressions)s, '-', 1), '')"
    output_field = CharField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: HandedOn
    ) -> SQL:
        template = (
            "COALESCE(substr(%(expressions)s, 1, instr(%(expressions)s || '-', '-') - 1), '')"
        )
        return self.as_sql(compiler, connection, template=template, **extra_context)


def validate_language(tag: str) -> None:
    """Refuse what is no BCP 47 tag of registered subtags in its canonical form."""
    canonical = canonical_language(tag)
    if canonical is None:
        canonical = canonical_language(alpha_2(tag))
    if canonical is None:
        raise ValidationError("“%(tag)s” is no BCP 47 language tag.", "language", {"tag": tag})
    if tag != canonical:
        raise ValidationError(
            "Write “%(canonical)s” for “%(tag)s”.", "language", {"tag": tag, "canonical": canonical}
        )
