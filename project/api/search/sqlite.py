"""Entries on SQLite: a table of FTS5, whose words are cut already."""

import json
from collections.abc import Collection, Iterable, Sequence

from django.db.backends.utils import CursorWrapper

from .words import PLAIN, Entry, Terms, Word, plain_parts

# What is made here. Raise it with every change, so that `migrate` makes the tables anew.
LAYOUT = 1
# So many entries make a word common.
ENOUGH = 1000


def any_of(column: str, values: Collection[int]) -> tuple[str, str]:
    """A condition with one parameter, however many values there are."""
    return f"{column} IN (SELECT value FROM json_each(%s))", json.dumps(list(values))


def write(cursor: CursorWrapper, table: str, entries: Sequence[Entry]) -> None:
    """Write these entries and keep their words."""
    cursor.executemany(
        f"INSERT OR REPLACE INTO {table} (rowid, title, document) VALUES (%s, %s, %s)",
        [
            (entry.key, " ".join(sorted(entry.title_words)), " ".join(sorted(entry.words)))
            for entry in entries
        ],
    )
    _add_words(cursor, set[str]().union(*(entry.words for entry in entries)))


def _add_words(cursor: CursorWrapper, words: Iterable[str]) -> None:
    cursor.execute(
        "INSERT OR IGNORE INTO search_word (word) SELECT value FROM json_each(%s)",
        [json.dumps(sorted(words), ensure_ascii=False)],
    )


def replace(
    cursor: CursorWrapper,
    table: str,
    keys: Collection[int],
    gone: Collection[str],
    came: Collection[str],
) -> None:
    """In these entries, which have no such titles, put words in the place of others."""
    document, words = "' ' || document || ' '", [*gone, *came]
    for _ in words:
        document = f"replace({document}, %s, ' ')"
    condition, parameter = any_of("rowid", keys)
    cursor.execute(
        f"UPDATE {table} SET document = trim({document} || %s) WHERE {condition}",
        [*(f" {word} " for word in words), " ".join(sorted(came)), parameter],
    )
    _add_words(cursor, came)


def may_have(columns: Iterable[str], words: Iterable[str]) -> tuple[str, list[str]]:
    """A condition without which none of these texts has one of these words, and its parameters."""
    if (parts := plain_parts(words)) is None:
        return "TRUE", []
    conditions, parameters = [], []
    for column in columns:
        conditions.append(f"{column} GLOB '*[^{PLAIN}]*'")
        conditions += [f"{column} LIKE %s" for _ in parts]
        parameters += [f"%{part}%" for part in parts]
    return " OR ".join(conditions), parameters


def read_entries(cursor: CursorWrapper, table: str, keys: Collection[int]) -> dict[int, Entry]:
    """The entries of these objects as they are stored."""
    condition, parameter = any_of("rowid", keys)
    cursor.execute(f"SELECT rowid, title, document FROM {table} WHERE {condition}", [parameter])
    return {
        key: Entry(key, set(title.split()), set(document.split()))
        for key, title, document in cursor.fetchall()
    }


# Queries


def expression(terms: Terms, length: int | None = None) -> str:
    """All of these terms, of each all words of one of its alternatives: in a title of this many
    words, if a length is given."""
    lead = length or ""

    def all_of(words: Iterable[Word]) -> str:
        return " AND ".join(f'"{lead}{text}"{"*" * is_prefix}' for text, is_prefix in words)

    found = " AND ".join(
        f"({' OR '.join(f'({all_of(words)})' for words in term)})" for term in terms
    )
    return f"{'title' if length else 'document'} : ({found})"


def find_words(cursor: CursorWrapper, words: Iterable[Word]) -> set[Word]:
    """Those of these words that something has, or had."""
    asked = [(word.text, word.last) for word in words]
    cursor.execute(
        "SELECT low, low <> high FROM (SELECT json_extract(value, '$[0]') AS low,"
        " json_extract(value, '$[1]') AS high FROM json_each(%s))"
        " WHERE EXISTS (SELECT 1 FROM search_word WHERE word BETWEEN low AND high)",
        [json.dumps(asked, ensure_ascii=False)],
    )
    return {Word(text, bool(is_prefix)) for text, is_prefix in cursor.fetchall()}


def find_whole_words(cursor: CursorWrapper, texts: Iterable[str]) -> set[str]:
    """Those of these whole words that something has, or had."""
    cursor.execute(
        "SELECT word FROM search_word WHERE word IN (SELECT value FROM json_each(%s))",
        [json.dumps([*texts], ensure_ascii=False)],
    )
    return {word for (word,) in cursor.fetchall()}


def count_entries(cursor: CursorWrapper, table: str, queries: Iterable[Terms]) -> list[int]:
    """How many entries have all terms of each of these; ENOUGH where there are more."""
    found = [expression(terms) for terms in queries]
    count = f"(SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {table} MATCH %s LIMIT {ENOUGH}))"
    cursor.execute(f"SELECT {', '.join(count for _ in found)}", found)
    [row] = cursor.fetchall()
    return [*row]


# Tables


def create_words(cursor: CursorWrapper) -> None:
    cursor.execute("DROP TABLE IF EXISTS search_word")
    cursor.execute("CREATE TABLE search_word (word text PRIMARY KEY NOT NULL) WITHOUT ROWID")


def create(cursor: CursorWrapper, table: str) -> None:
    # To the tokenizer `ascii` every character beyond ASCII is part of a word, so that no table of
    # Unicode has a say; and no phrases are asked for, which would need the places of words.
    cursor.execute(
        f"CREATE VIRTUAL TABLE {table} USING fts5"
        "(title, document, tokenize = 'ascii', detail = column, prefix = '2 3')"
    )


def finish(cursor: CursorWrapper, table: str) -> None:
    """What is made once the entries are in."""
    cursor.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")


def complete(cursor: CursorWrapper, table: str) -> None:
    """Nothing else."""


def lock(cursor: CursorWrapper, tables: Iterable[str]) -> None:
    """Nobody does: SQLite has one writer."""


def drop_former(cursor: CursorWrapper, tables: Iterable[str]) -> None:
    """Drop what kept entries before 1.0.0: triggers."""
    for table in tables:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND instr(sql, %s)", [table]
        )
        for (trigger,) in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER {trigger}")
