"""`search`: the words of a query among those of each object, the best match first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet, ValidationError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BigIntegerField,
    Case,
    Expression,
    Func,
    IntegerField,
    Lookup,
    Model,
    When,
)
from django.db.models.lookups import LessThanOrEqual
from django.db.models.sql.compiler import SQLCompiler

from ..lists.ranking import NUMBER, Part, Rank
from ..models import SQL, AnyQuerySet
from . import postgresql, sqlite
from .entries import WordsField, dialect
from .spelling import Vocabulary, correct
from .words import LONGEST, Word, parse

MAX_LENGTH = 200
MAX_WORDS = 20
# Checking one entry takes as long as reading this many keys of a word from the index, where a rarer
# word lets most of them be skipped. The keys of all the words with a common beginning take longer,
# since they are collected before anything else.
KEYS_PER_CHECK = 100
PREFIX_KEYS_PER_CHECK = 10
# The three ways to sort what was found. Few objects: fetch them and sort. A lot: walk through all
# objects in that order and check the entry of each, until the page is full. In between: walk, too,
# but look each object up in the set of those found, a plan that PostgreSQL does not consider by
# itself. The limits are found² / all, as measured.
FETCH_MAX, WALK_MIN = 0.5, 60
# Without an `ordering` a page of what many have is looked for among the first entries, where there
# are so many in all: from found² / all on. The first are NEAR times the root of all. What so many
# times that root have, as WALKED_FROM says and WALKED_JOINED in a join, is found by a walk, which
# PostgreSQL chooses then. In a join PAGE rows should be met on the way, and words that begin alike
# are walked for from JOINED_FROM on.
NEAR_MIN, NEAR_FROM, NEAR = 2, 500_000, 40
WALKED_FROM, WALKED_JOINED, PAGE, JOINED_FROM = 4, 8, 55, 2
# So many objects are fetched and ranked by one statement, where more are by one for each rank.
TOGETHER_MAX = 700
# What other filters leave is looked up for the words if so many times as much has the words.
RARER = 4
# The index answers the first. It cannot answer IS TRUE or IS NOT TRUE, so the other two are checked
# on each entry that it finds.
INDEXED = "{0} @@ %s::tsquery"
MATCHED = "({0} @@ %s::tsquery) IS TRUE"
EXCLUDED = "({0} @@ %s::tsquery) IS NOT TRUE"


# Words


class Term(NamedTuple):
    """What all words of one of the alternatives are asked for, and roughly what share of the
    entries has them."""

    alternatives: tuple[tuple[Word, ...], ...]
    share: float = 1

    @property
    def has_prefix(self) -> bool:
        return any(word.is_prefix for words in self.alternatives for word in words)


@dataclass(frozen=True)
class ParsedQuery:
    """What is asked for: terms, all of which are to be there, and all different."""

    terms: tuple[Term, ...]
    # How many words a title has at the least that has them all.
    number: int
    # How many entries there are, and how many objects other filters leave, if known.
    total: float = 0
    among: float = 0

    @property
    def lengths(self) -> range:
        """The possible lengths, in words, of a title that has them all."""
        return range(self.number, LONGEST + 1)

    @property
    def share(self) -> float:
        return prod(term.share for term in self.terms)

    @property
    def has_prefix(self) -> bool:
        return any(term.has_prefix for term in self.terms)

    @property
    def wants_hashed_subplan(self) -> bool:
        return FETCH_MAX < self.share**2 * self.total < WALK_MIN

    @property
    def wants_near(self) -> bool:
        return (
            len(self.terms) == 1
            and self.has_prefix
            and not self.has_few
            and self.total >= NEAR_FROM
            and self.share**2 * self.total >= NEAR_MIN
        )

    @property
    def has_few(self) -> bool:
        """Whether few objects are found, as far as PostgreSQL knows: SQLite knows nothing."""
        return 0 < min(self.among, self.share * self.total) <= TOGETHER_MAX

    @property
    def is_among_few(self) -> bool:
        """Whether what other filters leave is better looked up for the words than the reverse."""
        return self.among * RARER <= self.share * self.total

    def for_index(self) -> "ParsedQuery":
        """The terms worth reading from the index; the others are checked on what those find."""
        chosen, left = set(), 1.0
        for term in sorted(self.terms, key=lambda term: (term.has_prefix, term.share)):
            if term.share <= left * (PREFIX_KEYS_PER_CHECK if term.has_prefix else KEYS_PER_CHECK):
                chosen.add(term)
                left *= term.share
        return replace(self, terms=tuple(term for term in self.terms if term in chosen))

    def in_full(self) -> "ParsedQuery":
        """The same words, all of them whole."""
        terms = (
            term._replace(
                alternatives=tuple(
                    tuple(Word(word.text) for word in words) for words in term.alternatives
                )
            )
            for term in self.terms
        )
        return replace(self, terms=tuple(terms))

    def in_fts5(self, length: int | None = None) -> str:
        """All of them: in a title of this length, if one is given, or else anywhere."""
        return sqlite.expression((term.alternatives for term in self.terms), length)

    def in_tsquery(self, length: int | None = None) -> str:
        """The same."""
        return postgresql.tsquery((term.alternatives for term in self.terms), length)


@dataclass(frozen=True)
class Match:
    """Where the words are to be: all in a title of this length, if one is given, else anywhere.
    What has an `excluded` match is left out."""

    query: ParsedQuery
    length: int | None = None
    excluded: tuple["Match", ...] = ()

    def fts5(self) -> str:
        words = self.query.in_fts5(self.length)
        excluded = " OR ".join(each.fts5() for each in self.excluded)
        return f"{words} NOT ({excluded})" if excluded else words

    def tsqueries(self) -> dict[str, str]:
        """The tsquery of each condition."""
        words = self.query.in_tsquery(self.length)
        index = self.query.for_index().in_tsquery(self.length)
        excluded = " | ".join(each.query.in_tsquery(each.length) for each in self.excluded)
        if excluded and self.length and words == index:
            # One condition, as below, would have the planner count the same words' share twice: it
            # would expect next to nothing and fetch all of it, where a walk fills the page sooner.
            return {INDEXED: index, EXCLUDED: excluded}
        if excluded:
            words = f"{words} & !({excluded})"
        return {INDEXED: index} if words == index else {INDEXED: index, MATCHED: words}


class Matches(Lookup):
    """Whether an entry has a match."""

    lookup_name = "matches"
    prepare_rhs = False
    rhs: Match

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> SQL:
        column, _ = compiler.compile(self.lhs)
        queries = self.rhs.tsqueries()
        return " AND ".join(queries).format(column), tuple(queries.values())

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> SQL:
        quote = connection.ops.quote_name
        # The hidden column that stands for the whole row has the table's name.
        row = f"{quote(self.lhs.alias)}.{quote(self.lhs.target.model._meta.db_table)}"
        return f"{row} MATCH %s", (self.rhs.fts5(),)


WordsField.register_lookup(Matches)


# Queries


@dataclass(frozen=True)
class Near:
    """What is looked for first among the entries up to a key, and what so many have that a walk
    through all finds it."""

    until: int
    few: frozenset[Match]
    many: frozenset[Match]


class Place(Func):
    """The key of an entry, for which PostgreSQL has a second index: where the first entries are.

    It gives pages, all of whose entries are checked, which pays for a few pages alone. Where a key
    itself is compared, as with a cursor's, it is left aside.
    """

    template = "(%(expressions)s + 0)"
    output_field = BigIntegerField()


class MatchRank(Rank):
    """Ranks what a search has found: each part has one of its matches, which exclude each other."""

    def __init__(self, found: Match, matches: Sequence[Match], near: Near | None = None) -> None:
        super().__init__()
        self.found = found
        self.matches = tuple(matches)
        self.near = near

    def __len__(self) -> int:
        return len(self.matches)

    def parts(self, queryset: AnyQuerySet, *, keys_only: bool) -> list[Part]:
        queryset, is_filtered = self._without_match(queryset)
        entries = _entries(queryset.model)._default_manager.using(queryset.db)
        if is_filtered or not keys_only:
            return [self._among(queryset, entries, match) for match in self.matches]
        # Nothing else is asked, so that the objects themselves need not be looked up.
        return [self._pieces(entries.order_by("entry_of"), match) for match in self.matches]

    def together(self, queryset: AnyQuerySet) -> AnyQuerySet | None:
        if not self.found.query.has_few:
            return None
        rows, path = queryset.order_by("id"), "search__document__matches"
        if not self._without_match(queryset)[1]:
            entries = _entries(queryset.model)._default_manager.using(queryset.db)
            rows, path = entries.order_by("entry_of"), "document__matches"
            rows = rows.filter(**{path: self.found})
        *titles, _ = (replace(match, excluded=()) for match in self.matches)
        whens = (When(**{path: match}, then=number) for number, match in enumerate(titles))
        rank = Case(*whens, default=len(titles), output_field=IntegerField())
        narrowed: AnyQuerySet = rows.annotate(**{NUMBER: rank})
        return narrowed

    def _without_match(self, queryset: AnyQuerySet) -> tuple[AnyQuerySet, bool]:
        """The queryset by key without what each match implies, and whether more is asked of it."""
        queryset = queryset.order_by("id")
        conditions = queryset.query.where.children
        for condition in conditions:
            if isinstance(condition, Matches) and condition.rhs == self.found:
                # Both would be two conditions to check, and to plan for.
                conditions.remove(condition)
                queryset.query.unref_alias(condition.lhs.alias)
                break
        return queryset, bool(conditions)

    def _pieces(self, entries: AnyQuerySet, match: Match) -> Part:
        """The entries that have this match, the first of them alone where that is better."""
        found = entries.filter(document__matches=match)
        if self.near is None or match not in self.near.few:
            return [found]
        until = self.near.until
        return [found.filter(LessThanOrEqual(Place("pk"), until)), found.filter(pk__gt=until)]

    def _among(self, queryset: AnyQuerySet, entries: AnyQuerySet, match: Match) -> Part:
        """Those of the queryset that have this match."""
        if match.query.is_among_few or (self.near is not None and match in self.near.many):
            return [queryset.filter(search__document__matches=match)]
        # PostgreSQL sorts no side of a join that it only loops over, but it sorts for a DISTINCT:
        # so the objects of the first entries are looked up, and not those of all.
        pieces = (piece.distinct().values("pk") for piece in self._pieces(entries, match))
        return [queryset.filter(pk__in=keys) for keys in pieces]

    def number(self, queryset: AnyQuerySet) -> Expression:
        entries = _entries(queryset.model)._default_manager
        return Case(
            *(
                When(pk__in=entries.filter(document__matches=match).values("pk"), then=number)
                for number, match in enumerate(self.matches)
            ),
            output_field=IntegerField(),
        )


class Found(NamedTuple):
    queryset: AnyQuerySet
    # What was looked for instead, where a word gave way to another.
    used: str | None = None


@dataclass(frozen=True)
class Search:
    """What is looked for: keys, each the whole value of a field, and words."""

    words: tuple[str, ...]
    # Each with the lookup that finds it.
    keys: Mapping[str, dict[str, str]]
    # Whether a word that nobody has finds nothing.
    is_exact: bool = False

    @classmethod
    def of(
        cls, text: str, keys: Mapping[str, Callable[[str], str]], *, is_exact: bool = False
    ) -> "Search":
        """`keys` maps lookups to the function that gives a text, or a word, the form of a key, or
        raises ValidationError. What has the form is looked for nowhere else.

        Raises ValidationError where this is too long.
        """
        if "\0" in text or len(text) > MAX_LENGTH or len(text.split()) > MAX_WORDS:
            raise ValidationError(
                f"At most {MAX_LENGTH} characters and {MAX_WORDS} words, no NUL.", "invalid"
            )
        words = [text] if _key(text, keys) else text.split()
        found = {word: key for word in words if (key := _key(word, keys))}
        return cls(tuple(word for word in words if word not in found), found, is_exact)

    def find(self, queryset: AnyQuerySet, *, ranked: bool = False) -> Found:
        """All that has this, in the queryset's own order, or `ranked`: the best match first."""
        queryset = self._with_keys(queryset)
        if not self.words:
            return Found(queryset)
        query, used = self._parsed(queryset)
        if query is None:
            return Found(queryset.none())
        narrowed = self._ranked(queryset, query) if ranked else self._filtered(queryset, query)
        return Found(narrowed, used)

    def _filtered(self, queryset: AnyQuerySet, query: ParsedQuery) -> AnyQuerySet:
        match = Match(query)
        if query.wants_hashed_subplan and not queryset.query.has_filters():
            entries = _entries(queryset.model)._default_manager.filter(document__matches=match)
            is_found = When(pk__in=entries.values("pk"), then=True)
            return queryset.filter(Case(is_found, default=False))
        return queryset.filter(search__document__matches=match)

    def _ranked(self, queryset: AnyQuerySet, query: ParsedQuery) -> AnyQuerySet:
        """In parts one behind the other: titles that are just these words, titles of one more word
        and so on, and what has them elsewhere. Each goes by id, an order that a walk through a
        table keeps, however many rows match.
        """
        matches = [Match(query, length) for length in query.lengths]
        in_full = Match(query.in_full(), matches[0].length)
        if in_full != matches[0]:
            # “Dune” before “Dunes”.
            matches.insert(0, in_full)
        found = Match(query)
        matches.append(found)
        # A book has two titles, both of which may match.
        matches = [
            replace(each, excluded=tuple(matches[:place])) for place, each in enumerate(matches)
        ]
        near = _near(queryset, query, matches) if query.wants_near else None
        ranked = queryset.filter(search__document__matches=found)
        return ranked.order_by(MatchRank(found, matches, near), "id")

    def _with_keys(self, queryset: AnyQuerySet) -> AnyQuerySet:
        for key in self.keys.values():
            # A subquery, since a join gives a row once for each of its related rows.
            matching = queryset.model._default_manager.filter(**key).order_by()
            queryset = queryset.filter(pk__in=matching.values("pk"))
        return queryset

    def _parsed(self, queryset: AnyQuerySet) -> tuple[ParsedQuery | None, str | None]:
        """The words as entries have them, None where there is none; and how they are written, where
        they are not those of this search."""
        parsed, used = parse(" ".join(self.words)), None
        if not parsed.groups:
            return None, None
        connection = connections[queryset.db]
        table = _entries(queryset.model)._meta.db_table
        with connection.cursor() as cursor:
            vocabulary = Vocabulary(dialect(connection.vendor), cursor, table)
            if not self.is_exact and (instead := correct(parsed, vocabulary)):
                parsed = instead
                used = " ".join((*self.keys, *parsed.chunks))
            alternatives = [group.alternatives for group in parsed.groups]
            if connection.vendor == "sqlite":
                return ParsedQuery(tuple(map(Term, alternatives)), parsed.number), used
            try:
                rows = queryset.order_by().values("pk").query.get_compiler(queryset.db).as_sql()
            except EmptyResultSet:
                return None, used
            having = [postgresql.having(table, postgresql.tsquery([t])) for t in alternatives]
            every = f"SELECT 1 FROM {table}", ()
            total, among, *found = postgresql.estimate_rows(cursor, [every, rows, *having])
        shares = (min(1, rows / total) for rows in found)
        terms = tuple(map(Term, alternatives, shares))
        return ParsedQuery(terms, parsed.number, total, min(among, total)), used


def _near(queryset: AnyQuerySet, query: ParsedQuery, matches: Sequence[Match]) -> Near:
    """Which of these that so many entries have are looked for among the first ones."""
    table = _entries(queryset.model)._meta.db_table
    # How common whole words are, and so what is best, PostgreSQL knows itself; but not in a join.
    is_joined = bool(queryset.query.has_filters())
    matches = [match for match in matches if is_joined or match.query.has_prefix]
    having = [postgresql.having(table, each.query.in_tsquery(each.length)) for each in matches]
    with connections[queryset.db].cursor() as cursor:
        first, last = postgresql.key_range(cursor, table)
        numbers = postgresql.estimate_rows(cursor, having) if having else []
    root = query.among**0.5
    share = NEAR / root
    walked_from = (WALKED_JOINED if is_joined else WALKED_FROM) * query.total / root
    few, many = set(), set()
    for match, number in zip(matches, numbers, strict=True):
        if is_joined and match.query.has_prefix:
            if number >= JOINED_FROM * query.total**0.5:
                many.add(match)
        elif number <= walked_from and not (
            is_joined and number * query.among * share < PAGE * query.total
        ):
            few.add(match)
    return Near(ceil(first + (last - first) * share), frozenset(few), frozenset(many))


def _entries(model: type[Model]) -> Any:
    return model._meta.get_field("search").related_model


def _key(text: str, keys: Mapping[str, Callable[[str], str]]) -> dict[str, str] | None:
    for lookup, canonical in keys.items():
        try:
            return {lookup: canonical(text)}
        except ValidationError:
            continue
    return None
