#!/usr/bin/env bash
# Django 5.2.19, limits of an IntegerField that are no whole numbers, as those of an average of pages.
# Expected: `pages__gte=Decimal("200.5")` leaves out a book of 200 pages, as `pages__gte=200.5` does;
# Django has a class that rounds for this lookup. Seen: only a float is rounded up. Of a Decimal the
# fraction is cut off, so a book of 200 pages is found, and `pages__lt=Decimal("200.5")` does not
# find it. So it is by django-filter 26.2, whose filters of numbers make Decimals: `?pages__gte=200.5`
# finds what `?pages__lt=200.5` should.
#
# Needs python3 with venv. Exits with 1 when this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check django==5.2.19 django-filter==26.2
venv/bin/python - <<'PYTHON'
from decimal import Decimal

import django
from django.conf import settings

engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
settings.configure(INSTALLED_APPS=["django_filters"], DATABASES={"default": engine})
django.setup()

from django.db import connection, models
from django.http import QueryDict
from django_filters import FilterSet


class Edition(models.Model):
    pages = models.IntegerField()

    class Meta:
        app_label = "books"


class EditionFilter(FilterSet):
    class Meta:
        model = Edition
        fields = {"pages": ["gte", "lt"]}


with connection.schema_editor() as editor:
    editor.create_model(Edition)
Edition.objects.create(pages=200)


def as_expected(lookup, number, found):
    if Edition.objects.filter(**{lookup: number}).exists() is not found:
        raise SystemExit(f"No longer: {lookup}={number!r}")


as_expected("pages__gte", 200.5, False)
as_expected("pages__lt", 200.5, True)
as_expected("pages__gte", Decimal("200.5"), True)
as_expected("pages__lt", Decimal("200.5"), False)
for query, found in (("pages__gte=200.5", True), ("pages__lt=200.5", False)):
    if EditionFilter(QueryDict(query), Edition.objects.all()).qs.exists() is not found:
        raise SystemExit(f"No longer: {query}")
PYTHON
echo "As described: of a Decimal the fraction does not count."
