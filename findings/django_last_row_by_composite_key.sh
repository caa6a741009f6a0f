#!/usr/bin/env bash
# Django 5.2.19 on SQLite, the row with the highest number of each order, in a table whose primary key
# is both (CompositePrimaryKey): `filter(pk__in=...)` of `values("order")` with Max("number").
# Expected: the last line of each order, as `pk__in` gives the lines that a queryset of two columns
# without an aggregate names. Seen: OperationalError, no such column. In the place of IN stands an
# EXISTS that groups by a column of the outer query, which SQLite does not know there. The same
# queryset inside of Subquery() gives the lines: it stays an IN of pairs.
#
# Needs python3 with venv. Exits with 1 when this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check django==5.2.19
venv/bin/python - <<'PYTHON'
import django
from django.conf import settings

engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
settings.configure(DATABASES={"default": engine})
django.setup()

from django.db import OperationalError, connection, models


class Line(models.Model):
    pk = models.CompositePrimaryKey("order", "number")
    order = models.IntegerField()
    number = models.IntegerField()

    class Meta:
        app_label = "shop"


with connection.schema_editor() as editor:
    editor.create_model(Line)
for order, number in ((1, 1), (1, 2), (2, 1)):
    Line.objects.create(order=order, number=number)


def found(pairs):
    lines = Line.objects.filter(pk__in=pairs).order_by("order", "number")
    return list(lines.values_list("order", "number"))


plain = Line.objects.filter(number=1).values("order", "number")
if found(plain) != [(1, 1), (2, 1)]:
    raise SystemExit("No longer: a queryset without an aggregate names lines.")
last = Line.objects.values("order").annotate(last=models.Max("number")).values("order", "last")
if found(models.Subquery(last)) != [(1, 2), (2, 1)]:
    raise SystemExit("No longer: within Subquery() an aggregate names lines.")
try:
    found(last)
except OperationalError as error:
    if not str(error).startswith("no such column"):
        raise
else:
    raise SystemExit("No longer: by itself an aggregate is refused.")
PYTHON
echo "As described: the last line of each order takes a Subquery()."
