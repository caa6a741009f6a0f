#!/usr/bin/env bash
# pymarc 5.4.0, a record with two fields 020: the first has a cancelled ISBN alone ($z), as MARC 21
# provides, the second the ISBN of the book ($a). Expected: `Record.isbn`, which is documented as the
# first ISBN in the record, is that of the second field. Seen: it is None, as of a record without
# any, since the first 020 alone is looked at. In the other order it is the ISBN.
#
# Needs python3 with venv. Exits with 1 when this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pymarc==5.4.0
venv/bin/python - <<'PYTHON'
from pymarc import Field, Indicators, Record, Subfield

CANCELLED = Subfield("z", "0306406153")
VALID = Subfield("a", "9780306406157 (hardback)")


def isbn(*subfields):
    record = Record()
    for each in subfields:
        record.add_field(Field("020", Indicators(" ", " "), [each]))
    # As it comes out of a file.
    return Record(data=record.as_marc()).isbn


def as_expected(found, expected):
    if found != expected:
        raise SystemExit(f"No longer: {expected}, but {found}")


as_expected(isbn(VALID, CANCELLED), "9780306406157")
as_expected(isbn(CANCELLED, VALID), None)
PYTHON
echo "As described: behind a cancelled ISBN the book's own is not found."
