"""What the database keeps so that a search is fast, and keeps up to date by itself.

Each searchable model has a table of entries, one for each of its objects, that hold the words by
which it is found: columns of the type tsvector with GIN indexes on PostgreSQL, a virtual table of
FTS5 on SQLite. Triggers write the entries in the transaction that changes the catalogue, whether
the API, the admin, an import or a hand with SQL changes it.

All of it follows from the models' `searched`, and `migrate` makes it. PostgreSQL keeps what is
there until the definition changes. SQLite gets all anew each time, since Django alters a table
there by making another one, and the triggers go with the old.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate
from django.dispatch import receiver

# Letters that have no accent to lose and yet a plain form that people type. PostgreSQL's
# `unaccent` knows these and more.
PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
WORD = re.compile(r"[^\W_]+")
INITIALS = re.compile(r"(?:\b[^\W\d_]\.[\s-]*){2,}")
# Of this many characters a word counts, since an index of PostgreSQL takes 2,704 bytes.
MAX_WORD = 255
# A title of this many words is as long as one of more.
LONGEST = 5


def words_of(text: str) -> list[str]:
    """The words of a text, without case and accents."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return [word[:MAX_WORD] for word in WORD.findall(plain.translate(PLAIN))]


def title_words_of(text: str) -> list[str]:
    """The words of a title, each behind the number of different ones."""
    words = dict.fromkeys(words_of(text))
    return [f"{min(len(words), LONGEST)}{word}" for word in words]


def initials_of(text: str) -> list[str]:
    """“J. R. R. Tolkien” is a JRR as well, which is how people type him."""
    return words_of(" ".join("".join(WORD.findall(run)) for run in INITIALS.findall(text)))


@dataclass(frozen=True)
class Source:
    """Another table that an object's words are taken from."""

    table: str
    # Those that matter.
    columns: tuple[str, ...]
    # A query for the keys of the objects that take words from the rows `{changed}`.
    objects: str
    events: tuple[str, ...] = ("INSERT", "UPDATE", "DELETE")
    # A query for the rows that the objects `keys` take words from, if they may be renamed by
    # somebody else before the entries are there.
    rows: str = ""


@dataclass(frozen=True)
class Searched:
    """By which words an object is found. `titles` and `more` are SQL for the row `it`.

    What one of the titles is enough for is the better match, and of those the shorter title.
    """

    titles: tuple[str, ...]
    # The columns of the object's own table that it takes words from.
    columns: tuple[str, ...]
    more: str = "''"
    sources: tuple[Source, ...] = ()


class WordsField(models.TextField):  # type: ignore[type-arg]  # no generic at run time
    """Words by which an object is found; only the database reads and writes them."""


class SearchEntry(models.Model):
    """What a search knows of one object. The database itself writes it."""

    searched: Searched
    entry_of: Any

    # Those of the titles and all others. Those of a title are here once more with the number of its
    # words before them, on SQLite in a column `title`: so an index knows which titles are short.
    document = WordsField()

    class Meta:
        abstract = True
        managed = False

    @staticmethod
    def key(model: type[models.Model]) -> Any:
        """The field that ties the entry to the object, from which it is `search`."""
        return models.OneToOneField(
            model,
            models.DO_NOTHING,
            primary_key=True,
            db_column="rowid",
            db_constraint=False,
            related_name="search",
        )


def entry_models() -> list[type[Any]]:
    return [model for model in apps.get_models() if hasattr(model, "searched")]


# When it is made


@receiver(pre_migrate, dispatch_uid="search")
def unmake_before_migrations(sender: Any, using: str, plan: Any = (), **kwargs: Any) -> None:
    """On SQLite a trigger keeps the tables that it reads from being altered."""
    connection = connections[using]
    if sender.label == "api" and plan and connection.vendor == "sqlite":
        unmake(connection)


@receiver(post_migrate, dispatch_uid="search")
def make_after_migrations(sender: Any, using: str, plan: Any = (), **kwargs: Any) -> None:
    if sender.label == "api" and plan:
        make(connections[using])


def make(connection: BaseDatabaseWrapper) -> None:
    """Make and fill what is missing, or has another definition now."""
    existing = set(connection.introspection.table_names())
    known = [each for each in entry_models() if _table_of(each) in existing]
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            _make_in_sqlite(cursor, known)
        elif known:
            _make_in_postgresql(cursor, known)


def unmake(connection: BaseDatabaseWrapper) -> None:
    """Take everything away, to be made again. A bulk load is faster that way."""
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        for model in entry_models():
            if connection.vendor == "sqlite":
                for name, *_ in _sqlite_triggers(model):
                    cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
                cursor.execute(f"DROP TABLE IF EXISTS {model._meta.db_table}")
            else:
                _unmake_in_postgresql(cursor, model)


def _table_of(model: type[Any]) -> str:
    """The table whose rows are found."""
    table: str = model._meta.pk.related_model._meta.db_table
    return table


def _sources_of(model: type[Any]) -> list[Source]:
    searched: Searched = model.searched
    itself = Source(
        _table_of(model), searched.columns, "SELECT id FROM {changed}", ("INSERT", "UPDATE")
    )
    return [itself, *searched.sources]


# SQLite


@receiver(connection_created)
def add_search_words(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """SQLite's own tokenizer leaves some accents on, those of Greek for one."""
    if connection.vendor == "sqlite":
        for name, words in (
            ("search_words", words_of),
            ("search_title_words", title_words_of),
            ("search_initials", initials_of),
        ):
            connection.connection.create_function(
                name, 1, lambda text, words=words: " ".join(words(text)), deterministic=True
            )


def _make_in_sqlite(cursor: Any, entries: Iterable[type[Any]]) -> None:
    for model in entries:
        table = model._meta.db_table
        cursor.execute(f"DROP TABLE IF EXISTS {table}")
        cursor.execute(
            f"CREATE VIRTUAL TABLE {table} USING fts5(title, document,"
            """ tokenize = "unicode61 remove_diacritics 0", prefix = '2 3')"""
        )
        cursor.execute(_sqlite_entries(model, f"SELECT id FROM {_table_of(model)}"))
        for name, event, on, statements in _sqlite_triggers(model):
            body = "; ".join(statements)
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            cursor.execute(f"CREATE TRIGGER {name} AFTER {event} ON {on} BEGIN {body}; END")


def _sqlite_entries(model: type[Any], keys: str) -> str:
    searched: Searched = model.searched
    titles = " || ' ' || ".join(f"search_title_words({title})" for title in searched.titles)
    texts = " || ' ' || ".join([*searched.titles, searched.more.format(join="group_concat")])
    return (
        f"INSERT INTO {model._meta.db_table} (rowid, title, document)"
        f" SELECT id, {titles}, search_words(texts) || ' ' || search_initials(texts)"
        f" FROM (SELECT *, {texts} AS texts FROM {_table_of(model)} it WHERE id IN ({keys})) it"
    )


def _sqlite_triggers(model: type[Any]) -> Iterator[tuple[str, str, str, list[str]]]:
    """The name, the event, the table, and what is to be done."""
    entries, table = model._meta.db_table, _table_of(model)
    for source in _sources_of(model):
        for event in source.events:
            rows = {"INSERT": ["NEW"], "UPDATE": ["OLD", "NEW"], "DELETE": ["OLD"]}[event]
            keys = " UNION ".join(source.objects.format(changed=_row(source, r)) for r in rows)
            columns = f" OF {', '.join(source.columns)}" if event == "UPDATE" else ""
            yield (
                f"{entries}_{source.table}_{event.lower()}",
                event + columns,
                source.table,
                [
                    f"DELETE FROM {entries} WHERE rowid IN ({keys})",
                    _sqlite_entries(model, keys),
                ],
            )
    gone = f"DELETE FROM {entries} WHERE rowid = OLD.id"
    yield f"{entries}_{table}_delete", "DELETE", table, [gone]


def _row(source: Source, name: str) -> str:
    """The row that a trigger is told of, as a table."""
    columns = ", ".join(f"{name}.{each} AS {each}" for each in ("id", *source.columns))
    return f"(SELECT {columns})"


# PostgreSQL

WORDS = "search_word"
FUNCTIONS = (
    "CREATE EXTENSION IF NOT EXISTS unaccent",
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    # The words of a text, without case and accents.
    f"""
    CREATE OR REPLACE FUNCTION search_words(given text) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    DECLARE
        plain text := translate(lower(unaccent(normalize(given, NFKD))), 'ς', 'σ');
        words text[] := array_remove(regexp_split_to_array(plain, '[^[:alnum:]]+'), '');
    BEGIN
        IF char_length(plain) > {MAX_WORD} THEN
            RETURN ARRAY(SELECT left(word, {MAX_WORD}) FROM unnest(words) AS word);
        END IF;
        RETURN words;
    END $$
    """,
    # Those of a title, and each once more behind the number of different ones. That has a blank
    # before it, so that no word, and no beginning of one, is the beginning of these.
    f"""
    CREATE OR REPLACE FUNCTION search_title_words(given text) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    DECLARE
        words text[] := tsvector_to_array(array_to_tsvector(search_words(given)));
        number text := ' ' || least(cardinality(words), {LONGEST});
    BEGIN
        IF words = '{{}}' THEN RETURN words; END IF;
        RETURN words || string_to_array(
            number || array_to_string(words, chr(10) || number), chr(10)
        );
    END $$
    """,
    # The initials in a text, as words that are written without dots.
    r"""
    CREATE OR REPLACE FUNCTION search_initials(given text) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        IF position('.' IN given) = 0 THEN RETURN '{}'; END IF;
        RETURN search_words((
            SELECT string_agg(regexp_replace(run[1], '[^[:alpha:]]', '', 'g'), ' ')
            FROM regexp_matches(given, '(?:\y[[:alpha:]]\.[\s-]*){2,}', 'g') AS run
        ));
    END $$
    """,
    # Every word that has ever been found. One that is gone does no harm; two of the same neither,
    # and so nobody waits for another who is about to add it.
    f"""CREATE TABLE IF NOT EXISTS {WORDS} (word text COLLATE "C" NOT NULL)""",
    f"CREATE INDEX IF NOT EXISTS {WORDS}_word ON {WORDS} (word)",
    f"CREATE INDEX IF NOT EXISTS {WORDS}_similar ON {WORDS} USING gin (word gin_trgm_ops)",
    # A search reads from end to end what the index has not put in its place yet, by default up to
    # 4 MB (https://www.postgresql.org/docs/current/gin.html#GIN-FAST-UPDATE).
    f"ALTER INDEX {WORDS}_similar SET (gin_pending_list_limit = 256)",
)
# What a search calls. No entry depends on it.
SEARCH_FUNCTIONS = (
    # How many entries match, as far as the planner knows.
    """
    CREATE OR REPLACE FUNCTION search_estimate(entries regclass, asked tsquery) RETURNS float8
    LANGUAGE plpgsql AS $$
    DECLARE plan json;
    BEGIN
        EXECUTE format(
            'EXPLAIN (FORMAT JSON) SELECT FROM %s WHERE document @@ %L', entries, asked
        ) INTO plan;
        RETURN plan->0->'Plan'->>'Plan Rows';
    END $$
    """,
    # The word that was meant by one that nobody has ever written: one that differs by a single slip
    # of the finger, best of all by two letters swapped (https://norvig.com/spell-correct.html; of
    # the first 30 letters), or else the one that is written most alike.
    f"""
    CREATE OR REPLACE FUNCTION search_meant(given text) RETURNS text LANGUAGE sql STABLE AS $$
        WITH cut AS (
            SELECT left(given, place) AS head, substr(given, place + 1) AS tail
            FROM generate_series(0, least(char_length(given), 30)) AS place
        ), letters AS (
            SELECT chr(code) AS letter FROM generate_series(ascii('a'), ascii('z')) AS code
        ), mended AS (
            SELECT head || substr(tail, 2, 1) || left(tail, 1) || substr(tail, 3) AS word, 1 AS slip
            FROM cut WHERE char_length(tail) > 1
            UNION ALL SELECT head || substr(tail, 2), 2 FROM cut
            UNION ALL SELECT head || letter || tail, 2 FROM cut, letters
            UNION ALL SELECT head || letter || substr(tail, 2), 2 FROM cut, letters
        )
        SELECT coalesce(
            (
                SELECT known.word FROM {WORDS} known
                WHERE known.word = ANY (ARRAY(SELECT mended.word FROM mended))
                ORDER BY (SELECT min(slip) FROM mended WHERE mended.word = known.word),
                    similarity(known.word, given) DESC, known.word
                LIMIT 1
            ),
            (
                SELECT known.word FROM {WORDS} known WHERE known.word % given
                ORDER BY similarity(known.word, given) DESC, known.word LIMIT 1
            )
        )
    $$
    """,
    # The words that a search asks for, in their order, and about how many entries have each. The
    # last one may be the beginning of a word. One of four letters or more that nobody has ever
    # written gives way to the one that was meant.
    f"""
    CREATE OR REPLACE FUNCTION search_asked(entries regclass, given text)
    RETURNS TABLE (word text, is_beginning boolean, estimate float8) LANGUAGE sql AS $$
        WITH asked AS (
            SELECT word, place, place = count(*) OVER () AS is_last
            FROM unnest(search_words(given)) WITH ORDINALITY AS asked (word, place)
        ), meant AS (
            SELECT asked.*, CASE
                WHEN char_length(word) >= 4 AND NOT EXISTS (
                    SELECT FROM {WORDS} same WHERE same.word >= asked.word COLLATE "C"
                    AND same.word <= asked.word || CASE WHEN is_last THEN chr(1114111) ELSE '' END
                ) THEN search_meant(word) END AS other
            FROM asked
        ), known AS (
            SELECT coalesce(other, word) AS word, place, is_last AND other IS NULL AS is_beginning
            FROM meant
        )
        SELECT word, is_beginning, search_estimate(
            entries, (quote_literal(word) || CASE WHEN is_beginning THEN ':*' ELSE '' END)::tsquery
        )
        FROM known ORDER BY place
    $$
    """,
)
# The tables of rows that a trigger is told of.
TRANSITIONS = {
    "INSERT": "NEW TABLE AS after",
    "UPDATE": "OLD TABLE AS before NEW TABLE AS after",
    "DELETE": "OLD TABLE AS before",
}


def _make_in_postgresql(cursor: Any, entries: Iterable[type[Any]]) -> None:
    for statement in (*FUNCTIONS, *SEARCH_FUNCTIONS):
        cursor.execute(statement)
    for model in entries:
        table = model._meta.db_table
        statements = [*_postgresql_statements(model)]
        definition = hashlib.sha256("".join([*FUNCTIONS, *statements]).encode()).hexdigest()
        cursor.execute("SELECT obj_description(to_regclass(%s), 'pg_class')", [table])
        if cursor.fetchone() == (definition,):
            continue
        _unmake_in_postgresql(cursor, model)
        for statement in [*statements, f"COMMENT ON TABLE {table} IS '{definition}'"]:
            cursor.execute(statement)


def _unmake_in_postgresql(cursor: Any, model: type[Any]) -> None:
    table = model._meta.db_table
    cursor.execute(f"DROP TABLE IF EXISTS {table}")
    for name in (f"{table}_refresh", *(f"{table}_{s.table}" for s in _sources_of(model))):
        # And the triggers that call it.
        cursor.execute(f"DROP FUNCTION IF EXISTS {name} CASCADE")
    cursor.execute(f"DROP FUNCTION IF EXISTS {table}_gone CASCADE")


def _postgresql_statements(model: type[Any]) -> Iterator[str]:
    entries, table = model._meta.db_table, _table_of(model)
    yield f"""
        CREATE TABLE {entries} (
            rowid bigint PRIMARY KEY, document tsvector NOT NULL
        )
    """
    # The planner knows of ten times as many words how common they are; more would take it longer to
    # plan than they save.
    yield f"""
        ALTER TABLE {entries} ALTER document SET STATISTICS 300
    """
    yield from _postgresql_functions(model)
    for source in _sources_of(model):
        for event in source.events:
            yield f"""
                CREATE TRIGGER {entries}_{event.lower()} AFTER {event} ON {source.table}
                REFERENCING {TRANSITIONS[event]} EXECUTE FUNCTION {entries}_{source.table}()
            """
    yield f"""
        CREATE TRIGGER {entries}_delete AFTER DELETE ON {table}
        REFERENCING {TRANSITIONS["DELETE"]} EXECUTE FUNCTION {entries}_gone()
    """
    yield f"""
        CREATE TRIGGER {entries}_truncate AFTER TRUNCATE ON {table}
        EXECUTE FUNCTION {entries}_gone()
    """
    # The triggers' locks keep writers out until this is done.
    yield _postgresql_entries(model, "true")
    yield f"CREATE INDEX {entries}_by_word ON {entries} USING gin (document)"
    yield f"ANALYZE {entries}"


def _postgresql_functions(model: type[Any]) -> Iterator[str]:
    entries = model._meta.db_table
    # Whoever renames such a row waits, and then finds the new entries; and so the other way round.
    locks = "".join(
        f"PERFORM FROM {source.table} WHERE id IN ({source.rows}) ORDER BY id FOR SHARE; "
        for source in model.searched.sources
        if source.rows
    )
    yield f"""
        CREATE FUNCTION {entries}_refresh(keys bigint[]) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            IF cardinality(keys) = 0 THEN RETURN; END IF;
            {locks}
            PERFORM FROM {entries} WHERE rowid = ANY (keys) ORDER BY rowid FOR UPDATE;
            {_postgresql_entries(model, "it.id = ANY (keys)")};
        END $$
    """
    for source in _sources_of(model):
        columns = ", ".join(f"{{0}}.{each}" for each in source.columns)
        changed = " UNION ALL ".join(
            f"SELECT {row}.* FROM before JOIN after USING (id)"
            f" WHERE ({columns.format('before')}) IS DISTINCT FROM ({columns.format('after')})"
            for row in ("before", "after")
        )
        rows = {"INSERT": "after", "UPDATE": f"({changed}) AS changed", "DELETE": "before"}
        branches = "ELS".join(
            f"IF TG_OP = '{event}' THEN PERFORM {entries}_refresh("
            f"ARRAY({source.objects.format(changed=rows[event])})); "
            for event in source.events
        )
        yield f"""
            CREATE FUNCTION {entries}_{source.table}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN {branches} END IF; RETURN NULL; END $$
        """
    yield f"""
        CREATE FUNCTION {entries}_gone() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN TRUNCATE {entries};
            ELSE DELETE FROM {entries} USING before WHERE rowid = before.id; END IF;
            RETURN NULL;
        END $$
    """


def _postgresql_entries(model: type[Any], condition: str) -> str:
    """Write the entries of these objects, and keep their words."""
    searched: Searched = model.searched
    titles = " || ".join(f"search_title_words({title})" for title in searched.titles)
    more = searched.more.format(join="string_agg")
    names = " || ' ' || ".join([*searched.titles, "more"])
    return f"""
        WITH texts AS MATERIALIZED (
            SELECT it.id, {titles} || search_words(more) || search_initials({names}) AS words
            FROM {_table_of(model)} it CROSS JOIN LATERAL (SELECT {more} AS more) AS others
            WHERE {condition}
        ), written AS (
            INSERT INTO {model._meta.db_table} AS entry (rowid, document)
            SELECT id, array_to_tsvector(words) FROM texts
            ON CONFLICT (rowid) DO UPDATE SET document = excluded.document
            WHERE entry.document IS DISTINCT FROM excluded.document
        )
        INSERT INTO {WORDS} (word)
        SELECT DISTINCT word FROM texts, unnest(words) AS found (word)
        WHERE word NOT LIKE ' %'
        AND NOT EXISTS (SELECT FROM {WORDS} known WHERE known.word = found.word)
    """
