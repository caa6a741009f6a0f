"""Fields that are made from other fields."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import regex
from django.db import models

from .aliases import HandedOn
from .names import NameField, normalized, normalized_name


class Made:
    """For a field whose value other fields decide, where it is not given itself."""

    name: str
    attname: str

    def value_of(self, instance: object, stored: object = None) -> Any:
        """What this instance's value will be once it is saved.

        `stored` is the instance as it is stored, if it is. To say what is stored gives nothing.
        """
        raise NotImplementedError


class MadeFrom(Made, NameField):
    """Text that is made from the field `source`, and from those in `also`, when it is left empty.

    What was made follows its sources, what was given stays: a stored value that its stored sources
    make was made.
    """

    make: Callable[..., str]

    def __init__(
        self, *args: HandedOn, source: str, also: Sequence[str] = (), **kwargs: HandedOn
    ) -> None:
        self.source = source
        self.also = tuple(also)
        kwargs.setdefault("blank", True)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[object], dict[str, object]]:
        name, path, args, kwargs = super().deconstruct()
        also = {"also": self.also} if self.also else {}
        return name, path, args, {**kwargs, "source": self.source, **also}

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source, *self.also)

    def made(self, instance: object) -> str:
        """What is made of this instance's sources; the first one itself if that is too long."""
        values = [getattr(instance, name) for name in self.sources]
        text = self.make(*values)
        return text if len(text) <= (self.max_length or 0) else values[0][: self.max_length]

    def value_of(self, instance: object, stored: object | None = None) -> str:
        value: str = getattr(instance, self.attname)
        if value and (stored is None or value != getattr(stored, self.attname)):
            return value
        if value and not self._follows(instance, stored):
            return value
        return self.made(instance)

    def _follows(self, instance: object, stored: object) -> bool:
        """Whether the sources change, and the stored value was made from them."""
        return any(
            getattr(instance, name) != getattr(stored, name) for name in self.sources
        ) and self.made(stored) == getattr(stored, self.attname)

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        setattr(model_instance, self.attname, self.value_of(model_instance))
        return super().pre_save(model_instance, add)


class SlugMadeFrom(MadeFrom):
    """The slug of `source`, unless one is given; with a number where another has it already."""

    # Django's `slugify` takes away the vowel signs of India's scripts, too.
    _without = regex.compile(r"(?V1)[^\p{L}\p{M}\p{N}_\s-]|[\p{M}&&\p{sc=Inherited}]")
    # To look for a pattern by its text takes `regex` 50 µs, more than all else that a slug does.
    _between = regex.compile(r"[-\s]+")

    @classmethod
    def make(cls, text: str) -> str:
        text = cls._without.sub("", unicodedata.normalize("NFKC", text).lower())
        return cls._between.sub("-", text).strip("-_")

    def made(self, instance: object) -> str:
        return self.make(getattr(instance, self.source))[: self.max_length]

    def _follows(self, instance: object, stored: object) -> bool:
        before = self.made(stored)
        return before != self.made(instance) and self.is_made(getattr(stored, self.attname), before)

    def is_made(self, slug: str, plain: str) -> bool:
        """Whether it is the `plain` slug, or that with a number."""
        number = slug.rpartition("-")[2]
        return slug == plain or (number.isdecimal() and slug == self._numbered(plain, number))

    def _numbered(self, slug: str, number: int | str) -> str:
        behind = f"-{number}"
        return slug[: (self.max_length or 0) - len(behind)] + behind

    def taken(self, slugs: set[str], own: Sequence[int | None] = ()) -> set[str]:
        """Those of these slugs that others have than the rows `own`.

        Whoever has the plain one is locked, so that of many at once each sees the others'.
        """
        others = self.model._default_manager.exclude(pk__in=own).select_for_update(no_key=True)
        rows = others.filter(**{f"{self.attname}__in": slugs}).order_by("pk")
        return set(rows.values_list(self.attname, flat=True))

    def distinct(self, slugs: Sequence[str], taken: Callable[[set[str]], set[str]]) -> list[str]:
        """Each of these slugs, with the first free number where it is taken or stands here twice.

        `taken` tells which of some slugs others have; it is asked once more where one is, rarely
        oftener.
        """
        used = taken(set(slugs))
        chosen: list[str | None] = []
        for slug in slugs:
            chosen.append(None if slug in used else slug)
            used.add(slug)
        numbers = 10 + len(slugs)
        while None in chosen:
            wanted = {slug for slug, found in zip(slugs, chosen, strict=True) if found is None}
            candidates = {
                slug: [self._numbered(slug, n) for n in range(2, numbers // len(wanted) + 12)]
                for slug in wanted
            }
            used |= taken({each for among in candidates.values() for each in among})
            for place, slug in enumerate(slugs):
                if chosen[place] is None:
                    chosen[place] = next((c for c in candidates[slug] if c not in used), None)
                    used.add(chosen[place] or slug)
            numbers *= 10
        return [slug for slug in chosen if slug is not None]


class ComputedFrom(MadeFrom):
    """What is always made of `source`: a column of its own, where an index needs one."""

    def __init__(self, *args: HandedOn, **kwargs: HandedOn) -> None:
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def value_of(self, instance: object, stored: object | None = None) -> str:
        return self.made(instance)


class FoldedFrom(ComputedFrom):
    """The case-folded form of `source`: what makes a unique name case-insensitive.

    A column rather than an index on LOWER(), which on SQLite knows only ASCII.
    """

    @staticmethod
    def make(text: str) -> str:
        # Up to three times as long; NFKC's compatibility forms could be eighteen times.
        return normalized(normalized_name(text).casefold())


class StartOf(ComputedFrom):
    """The first characters of `source`, as many as an index surely takes: PostgreSQL's rows of one
    have 2,704 bytes, and a character up to 4."""

    length = 500

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"max_length": self.length, **kwargs})

    @classmethod
    def make(cls, text: str) -> str:
        return normalized_name(text)[: cls.length]


@models.CharField.register_lookup
class Start(models.Transform):
    """The first characters of a text: few enough for an index of PostgreSQL to hold a second text
    behind them, and as many as hardly two texts share that are not the same."""

    lookup_name = "start"
    length = 100
    template = f"substr(%(expressions)s, 1, {length})"
    output_field = models.CharField()

    @classmethod
    def of(cls, text: str) -> str:
        return text[: cls.length]


class NumberedFrom(ComputedFrom):
    """`source` in a form that sorts numbers as numbers, before other texts, and the blank last: 2,
    2-3, 2.5, 10, III."""

    @staticmethod
    def make(text: str) -> str:
        # Not what follows a point: those are tenths and hundredths.
        numbered = re.sub(
            r"(?<![0-9.])[0-9]+", lambda number: number[0].zfill(10), text.lstrip("# ").casefold()
        )
        return f"0{numbered}" if text else "1"
