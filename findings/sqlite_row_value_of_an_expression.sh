#!/usr/bin/env bash
# SQLite 3.54.1: pages that go on from a position, in the order of an indexed expression. Its page on
# the planner lets an indexed expression stand wherever it speaks of a column. Expected: the row
# value `(lower(title), number) > (?, ?)` is looked up in the index on `(lower(title), number)`, as
# `(title, number) > (?, ?)` is in one on these columns. Seen: of the columns it is a SEARCH, of the
# expression a SCAN from the beginning of the index, so the last page costs as much as all of them.
# `lower(title) >= ?` beside it, which says nothing new, makes it a SEARCH.
#
# Needs python3 with venv; SQLite comes with the package. Exits with 1 when this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check apsw==3.54.1.0
venv/bin/python - <<'PYTHON'
import apsw

database = apsw.Connection(":memory:")
database.execute("""
    CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, number INTEGER);
    CREATE INDEX by_title ON books (title, number);
    CREATE INDEX by_folded_title ON books (lower(title), number);
""")


def plan(where, order):
    sql = f"EXPLAIN QUERY PLAN SELECT id FROM books WHERE {where} ORDER BY {order} LIMIT 20"
    return [row[3] for row in database.execute(sql, ("mort", 1, "mort")[: where.count("?")])]


def as_expected(where, order, start):
    [line] = plan(where, order)
    print(f"{where}: {line}")
    if not line.startswith(start):
        raise SystemExit(f"No longer: {start}")


as_expected("(title, number) > (?, ?)", "title, number", "SEARCH ")
row = "(lower(title), number) > (?, ?)"
as_expected(row, "lower(title), number", "SCAN books USING COVERING INDEX by_folded_title")
as_expected(f"{row} AND lower(title) >= ?", "lower(title), number", "SEARCH ")
PYTHON
echo "As described: the row value of an expression does not find its place in the index."
