"""`search`: the words of a query among those of each object, the best match first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import Case, Expression, IntegerField, Lookup, QuerySet, When

from ..lists.ranking import Rank
from .entries import LONGEST, WordsField, words_of

MAX_LENGTH = 200
MAX_WORDS = 20
# The words to look for, the share of all entries that has each, and how many entries there are.
SHARES = (
    "SELECT word, is_beginning, least(1, estimate / total), total FROM search_asked(%s, %s),"
    " (SELECT greatest(1, reltuples) AS total FROM pg_class WHERE oid = %s::regclass) AS entries"
)
# Checking one entry takes as long as reading this many keys of a word from the index. Those of all
# the words with a common beginning take longer, since they are collected before anything else.
READ_AT_ONCE = 30
COLLECTED_AT_ONCE = 10
# The three ways to sort what was found. Few objects: fetch them and sort. A lot: walk through all
# objects in that order and check the entry of each, until the page is full. In between: walk, too,
# but look each object up in the set of those found, a plan that PostgreSQL does not consider by
# itself. The limits are found² / all, as measured.
FEW, A_LOT = 0.5, 60
# The index answers the first. It cannot answer IS TRUE or IS NOT TRUE, so the other two are checked
# on each entry that it finds.
INDEXED = "{0} @@ %s::tsquery"
LOOKED_FOR = "({0} @@ %s::tsquery) IS TRUE"
LEFT_OUT = "({0} @@ %s::tsquery) IS NOT TRUE"


# Words


class Word(NamedTuple):
    """A word, or all that begin with it, and roughly what share of the entries has it."""

    text: str
    is_beginning: bool
    share: float = 1


@dataclass(frozen=True)
class Asked:
    """The words that are asked for, all different."""

    words: tuple[Word, ...]
    # How many entries there are, if known.
    total: float = 0

    @classmethod
    def of(cls, words: Sequence[Word], total: float = 0) -> "Asked":
        whole = {word.text: word for word in words if not word.is_beginning}
        last = words[-1]
        if last.is_beginning and not any(text.startswith(last.text) for text in whole):
            return cls((*whole.values(), last), total)
        return cls(tuple(whole.values()), total)

    @property
    def lengths(self) -> range:
        """The possible lengths, in words, of a title that has them all."""
        return range(min(len(self.words), LONGEST), LONGEST + 1)

    @property
    def finds_neither_few_nor_a_lot(self) -> bool:
        share = prod(word.share for word in self.words)
        return FEW < share**2 * self.total < A_LOT

    def for_index(self) -> "Asked":
        """The words worth reading from the index; the others are checked on what those find."""
        chosen, left = set(), 1.0
        for word in sorted(self.words, key=lambda word: word.share):
            if word.share <= left * (COLLECTED_AT_ONCE if word.is_beginning else READ_AT_ONCE):
                chosen.add(word)
                left *= word.share
        return Asked(tuple(word for word in self.words if word in chosen))

    def in_full(self) -> "Asked":
        """The same words, all of them whole."""
        return Asked(tuple(word._replace(is_beginning=False) for word in self.words))

    def in_fts5(self, length: int | None) -> str:
        """All of them: in a title of this length, if one is given, or else anywhere."""
        lead = length or ""
        words = (f'"{lead}{text}"{"*" * is_beginning}' for text, is_beginning, _ in self.words)
        return f"({' AND '.join(words)})"

    def in_tsquery(self, length: int | None) -> str:
        """The same."""
        lead = f" {length}" if length else ""
        words = (f"'{lead}{text}'{':*' * is_beginning}" for text, is_beginning, _ in self.words)
        return f"({' & '.join(words)})"


@dataclass(frozen=True)
class Match:
    """Where the words are to be: all in a title of this length, if one is given, else anywhere.
    What has a match that is `passed` over is left out."""

    asked: Asked
    length: int | None = None
    passed: tuple["Match", ...] = ()

    def fts5(self) -> str:
        words = f"{'title' if self.length else 'document'} : {self.asked.in_fts5(self.length)}"
        passed = " OR ".join(each.fts5() for each in self.passed)
        return f"{words} NOT ({passed})" if passed else words

    def tsqueries(self) -> dict[str, str]:
        """The tsquery of each condition."""
        words = self.asked.in_tsquery(self.length)
        index = self.asked.for_index().in_tsquery(self.length)
        passed = " | ".join(each.asked.in_tsquery(each.length) for each in self.passed)
        if passed and self.length and words == index:
            # One condition, as below, would have the planner count the same words' share twice: it
            # would expect next to nothing and fetch all of it, where a walk fills the page sooner.
            return {INDEXED: index, LEFT_OUT: passed}
        if passed:
            words = f"{words} & !({passed})"
        return {INDEXED: index} if words == index else {INDEXED: index, LOOKED_FOR: words}


class Has(Lookup):
    """Whether an entry has a match."""

    lookup_name = "has"
    prepare_rhs = False
    rhs: Match

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        column, _ = compiler.compile(self.lhs)
        queries = self.rhs.tsqueries()
        return " AND ".join(queries).format(column), [*queries.values()]

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        quote = connection.ops.quote_name
        # The hidden column that stands for the whole row has the table's name.
        row = f"{quote(self.lhs.alias)}.{quote(self.lhs.target.model._meta.db_table)}"
        return f"{row} MATCH %s", [self.rhs.fts5()]


WordsField.register_lookup(Has)


# Queries


class MatchRank(Rank):
    """Ranks what a search has found: each part has one of its matches, which exclude each other."""

    def __init__(self, found: Match, matches: Sequence[Match]) -> None:
        super().__init__()
        self.found = found
        self.matches = tuple(matches)

    def parts(self, queryset: QuerySet[Any], *, keys_only: bool) -> list[QuerySet[Any]]:
        queryset = queryset.order_by("id")
        conditions = queryset.query.where.children
        for condition in conditions:
            if isinstance(condition, Has) and condition.rhs == self.found:
                # Each match implies it: both would be two conditions to check, and to plan for.
                conditions.remove(condition)
                break
        if conditions or not keys_only:
            return [queryset.filter(search__document__has=match) for match in self.matches]
        # Nothing else is asked, so that the objects themselves need not be looked up.
        entries = _entries(queryset.model)._default_manager.using(queryset.db)
        return [entries.filter(document__has=match).order_by("entry_of") for match in self.matches]

    def number(self, queryset: QuerySet[Any]) -> Expression:
        entries = _entries(queryset.model)._default_manager
        return Case(
            *(
                When(pk__in=entries.filter(document__has=match).values("pk"), then=number)
                for number, match in enumerate(self.matches)
            ),
            output_field=IntegerField(),
        )


@dataclass(frozen=True)
class Search:
    """What is looked for: keys, each the whole value of a field, and words."""

    text: str
    keys: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, text: str, keys: Mapping[str, Callable[[str], str]]) -> "Search":
        """`keys` maps lookups to the function that gives a text, or a word, the form of a key, or
        raises ValidationError. What has the form is looked for nowhere else.

        Raises ValidationError where this is too long.
        """
        if "\0" in text or len(text) > MAX_LENGTH or len(text.split()) > MAX_WORDS:
            raise ValidationError(
                f"At most {MAX_LENGTH} characters and {MAX_WORDS} words, no NUL.", "invalid"
            )
        words: list[Any] = []
        found: list[Any] = []
        for word in [text] if _key(text, keys) else text.split():
            key = _key(word, keys)
            (found if key else words).append(key or word)
        return cls(" ".join(words), found)

    def find(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """All that has this, in the queryset's own order."""
        queryset = self._with_keys(queryset)
        if not self.text:
            return queryset
        if not (asked := self._asked(queryset)):
            return queryset.none()
        if asked.finds_neither_few_nor_a_lot and not queryset.query.has_filters():
            entries = _entries(queryset.model)._default_manager.filter(document__has=Match(asked))
            is_found = When(pk__in=entries.values("pk"), then=True)
            return queryset.filter(Case(is_found, default=False))
        return queryset.filter(search__document__has=Match(asked))

    def rank(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The same with the best match first, in parts one behind the other: titles that are just
        these words, titles of one more word and so on, and what has them elsewhere. Each goes by
        id, an order that a walk through a table keeps, however many rows match.
        """
        queryset = self._with_keys(queryset)
        if not self.text:
            return queryset
        if not (asked := self._asked(queryset)):
            return queryset.none()
        matches = [Match(asked, length) for length in asked.lengths]
        in_full = Match(asked.in_full(), matches[0].length)
        if in_full != matches[0]:
            # “Dune” before “Dunes”.
            matches.insert(0, in_full)
        matches.append(Match(asked))
        # A book has two titles, both of which may match.
        matches = [
            replace(each, passed=tuple(matches[:place])) for place, each in enumerate(matches)
        ]
        found = Match(asked)
        return queryset.filter(search__document__has=found).order_by(
            MatchRank(found, matches), "id"
        )

    def _with_keys(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for key in self.keys:
            # A subquery, since a join gives a row once for each of its related rows.
            matching = queryset.model._default_manager.filter(**key).order_by()
            queryset = queryset.filter(pk__in=matching.values("pk"))
        return queryset

    def _asked(self, queryset: QuerySet[Any]) -> Asked | None:
        """The words as entries have them; None where there is none."""
        connection = connections[queryset.db]
        if connection.vendor == "postgresql":
            table = _entries(queryset.model)._meta.db_table
            with connection.cursor() as cursor:
                cursor.execute(SHARES, [table, self.text, table])
                rows = cursor.fetchall()
            return Asked.of([Word(*row[:3]) for row in rows], rows[0][3]) if rows else None
        texts = words_of(self.text)
        words = [Word(text, place == len(texts)) for place, text in enumerate(texts, 1)]
        return Asked.of(words) if words else None


def _entries(model: Any) -> Any:
    return model._meta.get_field("search").related_model


def _key(text: str, keys: Mapping[str, Callable[[str], str]]) -> dict[str, str] | None:
    for lookup, canonical in keys.items():
        try:
            return {lookup: canonical(text)}
        except ValidationError:
            continue
    return None
