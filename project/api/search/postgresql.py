"""Entries on PostgreSQL: a tsvector without places, which knows bytes and no locale."""

from collections.abc import Collection, Iterable, Sequence

from django.db.backends.utils import CursorWrapper

from ..models import SQL
from .words import PLAIN, Entry, Terms, Word, plain_parts

# What is made here. Raise it with every change, so that `migrate` makes the tables anew.
LAYOUT = 1
# So many entries make a word common.
ENOUGH = 1000
# What the planner knows of how common each of ten times as many words is; more would take it longer
# to plan than they save.
STATISTICS = 300

# Of as many values as PostgreSQL takes an array for whose length it does not know.
FEW = 10

ADD_WORDS = (
    "INSERT INTO search_word (word) SELECT word FROM unnest(%s::text[]) AS found (word)"
    " WHERE NOT EXISTS (SELECT FROM search_word known WHERE known.word = found.word)"
)


def any_of(column: str, values: Collection[int]) -> tuple[str, list[int]]:
    """A condition with one parameter, however many values there are.

    For few, which are in a subquery, the plan is kept that is made for any.
    """
    array = "%s::bigint[]" if len(values) > FEW else "(SELECT %s::bigint[])::bigint[]"
    return f"{column} = ANY ({array})", list(values)


def _document(entry: Entry) -> str:
    """As PostgreSQL reads it; no word has a quote or a backslash.

    The blank keeps words of titles apart from every word, and from every beginning of one.
    """
    words = "' '".join((*entry.words, *(f" {word}" for word in entry.title_words)))
    return f"'{words}'" if words else ""


def _lexeme(word: Word, length: int | None) -> str:
    lead = f" {length}" if length else ""
    return f"'{lead}{word.text}'{':*' * word.is_prefix}"


def write(cursor: CursorWrapper, table: str, entries: Sequence[Entry]) -> None:
    """Write these entries and keep their words, in one statement."""
    words = set[str]().union(*(entry.words for entry in entries))
    cursor.execute(
        f"WITH written AS ("
        f"INSERT INTO {table} AS entry (rowid, document)"
        f" SELECT key, document::tsvector"
        f" FROM unnest(%s::bigint[], %s::text[]) AS new (key, document)"
        f" ON CONFLICT (rowid) DO UPDATE SET document = excluded.document"
        f" WHERE entry.document IS DISTINCT FROM excluded.document)"
        f" {ADD_WORDS}",
        [[entry.key for entry in entries], [*map(_document, entries)], sorted(words)],
    )


def replace(
    cursor: CursorWrapper,
    table: str,
    keys: Collection[int],
    gone: Iterable[str],
    came: Iterable[str],
) -> None:
    """In these entries, which have no such titles, put words in the place of others."""
    cursor.execute(
        f"WITH changed AS ("
        f"UPDATE {table} AS entry SET document = ts_delete(document, %s::text[]) || %s::tsvector"
        f" FROM (SELECT rowid AS key FROM {table} WHERE rowid = ANY (%s::bigint[])"
        f" ORDER BY rowid FOR UPDATE) AS locked WHERE entry.rowid = key)"
        f" {ADD_WORDS}",
        [[*gone], _document(Entry(0, set(), set(came))), [*keys], sorted(came)],
    )


def may_have(columns: Iterable[str], words: Iterable[str]) -> tuple[str, list[str]]:
    """A condition without which none of these texts has one of these words, and its parameters."""
    if (parts := plain_parts(words)) is None:
        return "TRUE", []
    conditions, parameters = [], []
    for column in columns:
        conditions.append(f"""{column} COLLATE "C" ~ '[^{PLAIN}]'""")
        conditions += [f"""{column} COLLATE "C" ILIKE %s""" for _ in parts]
        parameters += [f"%{part}%" for part in parts]
    return " OR ".join(conditions), parameters


def read_entries(cursor: CursorWrapper, table: str, keys: Collection[int]) -> dict[int, Entry]:
    """The entries of these objects as they are stored."""
    condition, parameter = any_of("rowid", keys)
    cursor.execute(
        f"SELECT rowid, tsvector_to_array(document) FROM {table} WHERE {condition}", [parameter]
    )
    return {
        key: Entry(
            key,
            {word[1:] for word in lexemes if word[0] == " "},
            {word for word in lexemes if word[0] != " "},
        )
        for key, lexemes in cursor.fetchall()
    }


# Queries


def tsquery(terms: Terms, length: int | None = None) -> str:
    """All of these terms, of each all words of one of its alternatives: in a title of this many
    words, if a length is given."""

    def all_of(words: Iterable[Word]) -> str:
        return " & ".join(_lexeme(word, length) for word in words)

    return " & ".join(f"({' | '.join(f'({all_of(words)})' for words in term)})" for term in terms)


def estimate_rows(cursor: CursorWrapper, selects: Sequence[SQL]) -> list[float]:
    """How many rows each of these statements gives, as far as the planner knows; at least one."""
    arrays = ", ".join(f"ARRAY({sql})" for sql, _ in selects)
    params = [param for _, params in selects for param in params]
    cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT {arrays}", params)
    [(plan,)] = cursor.fetchall()
    return [max(1, node["Plan Rows"]) for node in plan[0]["Plan"]["Plans"]]


def having(table: str, query: str) -> SQL:
    """A statement that gives a row for each entry that has this tsquery."""
    return f"SELECT 1 FROM {table} WHERE document @@ %s::tsquery", (query,)


def key_range(cursor: CursorWrapper, table: str) -> tuple[int, int]:
    """The first key and the last."""
    cursor.execute(f"SELECT min(rowid), max(rowid) FROM {table}")
    [(first, last)] = cursor.fetchall()
    return int(first or 0), int(last or 0)


def find_words(cursor: CursorWrapper, words: Iterable[Word]) -> set[Word]:
    """Those of these words that something has, or had."""
    asked = [*words]
    cursor.execute(
        "SELECT low, low <> high FROM unnest(%s::text[], %s::text[]) AS asked (low, high)"
        " WHERE EXISTS (SELECT FROM search_word WHERE word >= low AND word <= high)",
        [[word.text for word in asked], [word.last for word in asked]],
    )
    return set(map(Word._make, cursor.fetchall()))


def find_whole_words(cursor: CursorWrapper, texts: Iterable[str]) -> set[str]:
    """Those of these whole words that something has, or had."""
    cursor.execute("SELECT word FROM search_word WHERE word = ANY (%s::text[])", [[*texts]])
    return {word for (word,) in cursor.fetchall()}


def count_entries(cursor: CursorWrapper, table: str, queries: Iterable[Terms]) -> list[int]:
    """How many entries have all terms of each of these; ENOUGH where there are more."""
    found = [tsquery(terms) for terms in queries]
    count = (
        f"(SELECT count(*) FROM (SELECT FROM {table} WHERE document @@ %s::tsquery"
        f" LIMIT {ENOUGH}) AS found)"
    )
    cursor.execute(f"SELECT {', '.join(count for _ in found)}", found)
    [row] = cursor.fetchall()
    return [*row]


# Tables


def create_words(cursor: CursorWrapper) -> None:
    # Every word that has ever been found. One that is gone does no harm; two of the same neither,
    # and so nobody waits for another who is about to add it.
    cursor.execute("DROP TABLE IF EXISTS search_word")
    cursor.execute("""CREATE TABLE search_word (word text COLLATE "C" NOT NULL)""")
    cursor.execute("CREATE INDEX search_word_word ON search_word (word)")


def create(cursor: CursorWrapper, table: str) -> None:
    cursor.execute(f"CREATE TABLE {table} (rowid bigint PRIMARY KEY, document tsvector NOT NULL)")
    cursor.execute(f"ALTER TABLE {table} ALTER document SET STATISTICS {STATISTICS}")


def finish(cursor: CursorWrapper, table: str) -> None:
    """What is made once the entries are in."""
    cursor.execute(f"CREATE INDEX {table}_by_word ON {table} USING gin (document)")
    complete(cursor, table)


def complete(cursor: CursorWrapper, table: str) -> None:
    """What a version without it can do with as well: in which pages the first entries are."""
    cursor.execute("SELECT to_regclass(%s) IS NULL", [f"{table}_by_place"])
    [(is_missing,)] = cursor.fetchall()
    if is_missing:
        cursor.execute(
            f"CREATE INDEX {table}_by_place ON {table} USING brin ((rowid + 0))"
            " WITH (pages_per_range = 16, autosummarize = on)"
        )
        cursor.execute(f"ANALYZE {table}")


def lock(cursor: CursorWrapper, tables: Iterable[str]) -> None:
    """Until the end of this transaction, nobody else writes to these."""
    cursor.execute(f"LOCK TABLE {', '.join(sorted(tables))} IN SHARE MODE")


def drop_former(cursor: CursorWrapper, tables: Iterable[str]) -> None:
    """Drop what kept entries before 1.0.0: functions, with the triggers that call them."""
    cursor.execute(
        "SELECT oid::regprocedure FROM pg_proc"
        " WHERE pronamespace = current_schema::regnamespace AND proname ~ %s",
        [f"^({'|'.join(tables)})_|^search_(words|title_words|initials|estimate|meant|asked)$"],
    )
    for (function,) in cursor.fetchall():
        cursor.execute(f"DROP FUNCTION {function} CASCADE")
