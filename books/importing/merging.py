"""What one sight of a thing adds to another: what it knows, and where the two disagree."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from copy import copy
from functools import lru_cache
from types import SimpleNamespace
from typing import Literal, NamedTuple

from django.core.exceptions import ValidationError
from django.db import connection, models

from project.api.files import OwnedFileField
from project.api.http.problems import Fault
from project.api.models import (
    AggregateRoot,
    AnyRow,
    ComputedFrom,
    MadeFrom,
    ModelField,
    PartialDateField,
)
from project.api.writes.signals import WrittenRows

from .drafts import Columns, columns_of, defaults_of

# What a file may change of a stored book: what the book does not say yet; whatever the file says;
# nothing, so that it gets new editions at most.
Update = Literal["fill", "overwrite", "skip"]
UPDATES: tuple[Update, ...] = ("fill", "overwrite", "skip")
# By what of it an author may be found.
NAMES = ("uid", "openlibrary_key", "name")


class Disagreement(NamedTuple):
    """What a row says, and what stands instead of it."""

    pointer: str
    given: object
    kept: object

    def as_fault(self) -> Fault:
        reason = "another one has it" if self.kept is None else f"“{self.kept}” stands"
        return Fault("left_out", f"“{self.given}” is left out: {reason}.", self.pointer)


@lru_cache
def facts_of(model: type[models.Model]) -> Columns:
    """The columns that say something of a thing, each with its default.

    Not what the database keeps for itself, nor what refers to another thing.
    """
    own = {field.name for field in AggregateRoot._meta.local_fields}
    defaults = defaults_of(model)
    return {
        field.attname: defaults[field.attname]
        for field in columns_of(model)
        if field.name not in own
        and not field.is_relation
        and not isinstance(field, OwnedFileField | ComputedFrom)
    }


@lru_cache
def made_columns(model: type[models.Model]) -> dict[str, MadeFrom]:
    return {field.attname: field for field in columns_of(model) if isinstance(field, MadeFrom)}


def agree(one: object, other: object) -> bool:
    """Whether two values are the same, as far as they are given."""
    return one in (None, "") or other in (None, "") or one == other


def unknown(model: type[models.Model], known: Columns, given: Columns) -> tuple[Columns, Columns]:
    """What is given and not known; and what is given where something else is known."""
    if "name" in given and given["name"] == given.get("openlibrary_key"):
        given = {**given, "name": None}
    new: Columns = {}
    other: Columns = {}
    for name, default in facts_of(model).items():
        value = given[name]
        if value is None or value == "" or value == default:
            continue
        had = known[name]
        # Who is known by key alone is called so until a name comes.
        if name == "name" and had == known.get("openlibrary_key"):
            had = ""
        if had is None or had == "" or had == default:
            new[name] = value
        elif had != value and not _is_part(model, name, value, had):
            says_more = _is_part(model, name, had, value) or _was_made(model, name, known)
            (new if says_more else other)[name] = value
    return new, other


def _is_part(model: type[models.Model], name: str, less: str, more: str) -> bool:
    """Whether these are one date, of which `less` knows less."""
    is_date = isinstance(model._meta.get_field(name), PartialDateField)
    return is_date and more.startswith(less)


def _was_made(model: type[models.Model], name: str, known: Columns) -> bool:
    made = made_columns(model).get(name)
    return made is not None and made.made(SimpleNamespace(**known)) == known[name]


def fitting(model: type[models.Model], known: Columns, new: Columns) -> Columns:
    """What is new, or as much of it as the model takes together with what is known."""
    if not new or model.clean is models.Model.clean or _fits(model, known, new):
        return new
    fits: Columns = {}
    for name, value in new.items():
        if _fits(model, known, {**fits, name: value}):
            fits[name] = value
    return fits


def _fits(model: type[models.Model], known: Columns, new: Columns) -> bool:
    facts = {name: new.get(name, known[name]) for name in facts_of(model)}
    try:
        model(**facts).clean()
    except ValidationError:
        return False
    return True


class Keys:
    """A set of keys that takes a bit for each, so that a long file does not fill the memory."""

    def __init__(self) -> None:
        self._pages: dict[int, int] = defaultdict(int)

    def add(self, key: int) -> None:
        self._pages[key >> 10] |= 1 << (key & 1023)

    def __contains__(self, key: int) -> bool:
        return bool(self._pages.get(key >> 10, 0) >> (key & 1023) & 1)

    def __len__(self) -> int:
        return sum(page.bit_count() for page in self._pages.values())


class Ours:
    """What an import has made and said so far.

    Its rows are all on a par: what one may change of a thing does not depend on the batch in which
    another has made it, or said something of it.
    """

    def __init__(self, update: Update) -> None:
        self._update = update
        self._made: dict[type[models.Model], Keys] = defaultdict(Keys)
        self._said: dict[tuple[type[models.Model], str], Keys] = defaultdict(Keys)
        self._said_by_batch: set[tuple[type[models.Model], int, str]] = set()
        # Authors whom the file has named and no book has got, by each of their NAMES.
        self._unused: dict[tuple[str, object], list[Columns]] = {}

    def begin(self) -> None:
        """Forget what a batch has said that was not written."""
        self._said_by_batch.clear()

    def unused(self, given: Iterable[Columns]) -> list[Columns]:
        """The authors that no book has got yet and that these may mean.

        A second run finds who got a book later when it comes to the first that names them. So the
        first run has to, or what it has left out would change them then.
        """
        if not self._unused:
            return []
        names = dict.fromkeys((name, each[name]) for each in given for name in NAMES)
        found = (each for name in names for each in self._unused.get(name, ()))
        return list({id(each): each for each in found}.values())

    def keep(
        self,
        made: Mapping[type[models.Model], Iterable[Columns]],
        unused: Iterable[Columns],
        no_longer_unused: Iterable[Columns],
    ) -> None:
        """Remember what a batch has said, and made of each model, when it is written.

        Authors that it has taken of the unused ones, and has not used either, are in both lists.
        """
        for author in no_longer_unused:
            for at in self._names(author):
                self._unused[at] = [each for each in self._unused[at] if each is not author]
                if not self._unused[at]:
                    del self._unused[at]
        for author in unused:
            for at in self._names(author):
                self._unused.setdefault(at, []).append(author)
        for model, key, name in self._said_by_batch:
            self._said[model, name].add(key)
        for model, things in made.items():
            for thing in things:
                self._made[model].add(thing["id"])

    @staticmethod
    def _names(author: Columns) -> list[tuple[str, object]]:
        return [(name, author[name]) for name in NAMES if author[name] is not None]

    def has_made(self, model: type[models.Model], thing: Columns) -> bool:
        return "id" not in thing or thing["id"] in self._made[model]

    def may_extend(self, model: type[models.Model], thing: Columns) -> bool:
        return self._update != "skip" or self.has_made(model, thing)

    def settle(
        self,
        model: type[models.Model],
        thing: Columns,
        given: Columns,
        new: Columns,
        other: Columns,
    ) -> tuple[Columns, Columns]:
        """Of what a row gives, what the thing gets, and what is left out for what stands."""
        if not self.may_extend(model, thing):
            return {}, {}
        replaced = self._replaced(model, thing, other)
        self.say(model, thing, given)
        return new | replaced, {
            name: value for name, value in other.items() if name not in replaced
        }

    def would_change(self, model: type[models.Model], thing: Columns, given: Columns) -> bool:
        """Whether the thing would get something of what a row gives."""
        new, other = unknown(model, thing, given)
        return bool(fitting(model, thing, new | self._replaced(model, thing, other)))

    def say(self, model: type[models.Model], thing: Columns, given: Columns) -> None:
        """From now on no row replaces what is given."""
        if self._update != "overwrite" or self.has_made(model, thing):
            return
        defaults = facts_of(model)
        self._said_by_batch |= {
            (model, thing["id"], name)
            for name, value in given.items()
            if value not in (None, "", defaults.get(name))
        }

    def _replaced(self, model: type[models.Model], thing: Columns, other: Columns) -> Columns:
        """What of this takes the place of something else: what no row has said yet."""
        if self._update != "overwrite" or self.has_made(model, thing):
            return {}
        key = thing["id"]
        return {
            name: value
            for name, value in other.items()
            if (model, key, name) not in self._said_by_batch and key not in self._said[model, name]
        }


class Changes:
    """New values of stored rows of one model, each with the one that was read before."""

    def __init__(self, model: type[models.Model]) -> None:
        self.model = model
        self._of: dict[int, dict[str, tuple[object, object]]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def __contains__(self, key: int) -> bool:
        return key in self._of

    @property
    def keys(self) -> set[int]:
        return set(self._of)

    def change(self, stored: Columns, values: Mapping[str, object]) -> None:
        """Have these values from now on, in memory and, once it is written, in the database."""
        if not values:
            return
        of_row = self._of.setdefault(stored["id"], {})
        for name, value in values.items():
            before, _ = of_row.get(name, (stored[name], None))
            of_row[name] = before, value
            stored[name] = value

    def write(self, written: WrittenRows, also: Collection[int] = ()) -> list[AnyRow]:
        """The locked rows, those of the keys `also` included, with their values written.

        What somebody else has changed meanwhile stays.
        """
        keys = {*self._of, *also}
        if not keys:
            return []
        locked = self.model._base_manager.select_for_update(no_key=True).order_by("pk")
        rows = list(locked.filter(pk__in=keys))
        fields = {field.attname: field for field in columns_of(self.model)}
        written_to = [name for name, field in fields.items() if self._may_change(field)]
        values = []
        for row in rows:
            if row.pk not in self._of:
                continue
            new = {
                name: fields[name].to_python(after)
                for name, (before, after) in self._of[row.pk].items()
                if getattr(row, name) == before
            }
            if follows := self._made(row, new):
                new |= follows
            written.change(row, new)
            given = [
                fields[name].get_db_prep_save(getattr(row, name), connection) for name in written_to
            ]
            values.append([*given, row.pk])
        if values:
            quote = connection.ops.quote_name
            columns = ", ".join(f"{quote(str(fields[name].column))} = %s" for name in written_to)
            with connection.cursor() as cursor:
                cursor.executemany(
                    f"UPDATE {quote(self.model._meta.db_table)} SET {columns} WHERE id = %s",  # noqa: S608
                    values,
                )
        return rows

    def _may_change(self, field: ModelField) -> bool:
        names = {name for of_row in self._of.values() for name in of_row}
        return field.attname in names or (
            isinstance(field, MadeFrom) and not names.isdisjoint(field.sources)
        )

    def _made(self, row: object, new: Columns) -> Columns:
        """What follows from new sources of what was made."""
        after = copy(row)
        for name, value in new.items():
            setattr(after, name, value)
        return {
            name: field.value_of(after, row)
            for name, field in made_columns(self.model).items()
            if name not in new and not new.keys().isdisjoint(field.sources)
        }
