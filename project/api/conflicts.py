"""A form of the admin that somebody was faster with: what was done since the page was opened.

Such a form is refused and shown again, with what was entered and with the rows that there are now.
Whoever saves it then has seen what it overwrites.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from django import forms
from django.db import models
from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.text import Truncator, capfirst

from .changes.actors import Actors
from .changes.models import Change
from .models import AggregateRoot

Form: TypeAlias = "forms.ModelForm[Any]"
# Of an inline. The stubs let its model and its prefix be None.
FormSet: TypeAlias = Any
# What was sent of a row of a formset, by the name of the input.
Row = dict[str, list[Any]]
# The input that carries the version.
BASED_ON = "based_on_version"
# How much of a text is shown, in characters.
MAX_SHOWN = 80


class BasedOnVersionField(forms.IntegerField):
    """The version of the root that the page shows."""

    widget = forms.HiddenInput

    def __init__(self) -> None:
        super().__init__(required=False, min_value=1, max_value=2**31 - 1)

    def has_changed(self, initial: object, data: object) -> bool:
        return False


def is_stale(request: HttpRequest, root: AggregateRoot) -> bool:
    """Whether a page was opened before the root's last change. A script that says nothing asks for
    nothing."""
    return request.POST.get(BASED_ON, "") not in ("", str(root.version))


def describe(form: Form, based_on: int) -> Iterator[str]:
    """Who was faster and when, and how the fields of the root's form differ from what is stored."""
    root = form.instance
    yield last_change(root, based_on)
    yield "Nothing is saved. Save again to overwrite what is stored."
    yield from _differences(form, form.changed_data, root)


def last_change(root: AggregateRoot, based_on: int) -> str:
    """Who has changed it after this version, and when."""
    kind = root._meta.label_lower
    change = (
        Change.objects.filter(kind=kind, object_id=root.pk, version__gt=based_on)
        .order_by("-id")
        .first()
    )
    at = f"{change.at if change else root.updated_at:%Y-%m-%d at %H:%M:%S} UTC"
    if change is None or change.actor is None:
        return f"Since you opened this page it was changed, on {at}."
    actor = Actors.of([change.actor], "default").actor(change.actor)
    return f"Since you opened this page {actor['name']} has changed it, on {at}."


def _differences(form: Form, names: Iterable[str], stored: models.Model) -> Iterator[str]:
    for name in names:
        if name not in form.cleaned_data:
            continue
        before = getattr(stored, name, form.initial.get(name))
        yours, theirs = _shown(form.cleaned_data[name]), _shown(before)
        if yours != theirs:
            label = capfirst(form.fields[name].label or name.replace("_", " "))
            yield f"{label}: you have {yours}, stored is {theirs}."


def _shown(value: object) -> str:
    if isinstance(value, models.Manager):
        value = value.all()
    if isinstance(value, models.QuerySet | list | tuple):
        value = ", ".join(sorted(str(each) for each in value))
    if value is None or value == "":
        return "nothing"
    return f"“{Truncator(str(value)).chars(MAX_SHOWN)}”"


# The rows of a formset


def add_rows_of_now(data: QueryDict, files: MultiValueDict[str, Any], stored: FormSet) -> None:
    """Leave out of what was sent the rows that are gone, and add those that are new.

    `stored` is the formset of what is stored. A form that names a row that is gone could never be
    saved, nor could one with two rows where there may be one: there, what was entered for a new row
    is an edit of the one that somebody else has made.
    """
    rows, sent_files = _rows(data, stored.prefix), _rows(files, stored.prefix)
    count = data.get(f"{stored.prefix}-INITIAL_FORMS", "")
    if not re.fullmatch("[0-9]{1,4}", count):
        return
    key = stored.model._meta.pk.name
    forms_of_now = {str(form.instance.pk): form for form in stored.initial_forms}
    old = {number: "".join(row.get(key, [])) for number, row in rows.items() if number < int(count)}
    order: list[tuple[Row, Row]] = [
        (rows[number], sent_files.get(number, {}))
        for number, pk in sorted(old.items())
        if pk in forms_of_now
    ]
    new = [
        (row, sent_files.get(number, {}))
        for number, row in sorted(rows.items())
        if number not in old
    ]
    for pk, form in forms_of_now.items():
        if pk not in old.values():
            mine, my_files = new.pop() if stored.fk.unique and new else ({}, {})
            entered = {name: values for name, values in mine.items() if any(values)}
            order.append((_as_sent(form) | entered, my_files))
    initial = len(order)
    order += new
    for target, part in ((data, 0), (files, 1)):
        for name in [*target]:
            if _row_of(name, stored.prefix):
                del target[name]
        for number, row in enumerate(order):
            for name, values in row[part].items():
                target.setlist(f"{stored.prefix}-{number}-{name}", values)
    data[f"{stored.prefix}-INITIAL_FORMS"] = str(initial)
    data[f"{stored.prefix}-TOTAL_FORMS"] = str(len(order))


def _rows(data: MultiValueDict[str, Any], prefix: str) -> dict[int, Row]:
    rows: dict[int, Row] = defaultdict(dict)
    for name, values in data.lists():
        if row := _row_of(name, prefix):
            rows[int(row[1])][row[2]] = values
    return rows


def _row_of(name: str, prefix: str) -> re.Match[str] | None:
    """The number and the name of an input of a row."""
    return re.fullmatch(rf"{re.escape(prefix)}-([0-9]{{1,4}})-(.+)", name)


def _as_sent(form: Form) -> dict[str, list[str]]:
    """What a browser sends of a row that nobody touches."""
    sent = {}
    for bound in form:
        value, widget = bound.value(), bound.field.widget
        if value in (None, False, "") or isinstance(widget, forms.FileInput):
            continue
        text = "on" if value is True else widget.format_value(value)
        sent[bound.name] = [str(each) for each in text] if isinstance(text, list) else [str(text)]
    return sent


def describe_rows(sent: QueryDict, formset: FormSet) -> Iterator[str]:
    """How the rows that were sent differ from those that are stored."""
    kind = capfirst(formset.model._meta.verbose_name)
    key = formset.model._meta.pk.name
    keys = {value for row in _rows(sent, formset.prefix).values() for value in row.get(key, [])}
    stored = {str(pk): row for pk, row in formset.get_queryset().in_bulk().items()}
    for pk in sorted(keys - stored.keys() - {""}):
        yield f"{kind} {pk} is gone."
    for pk, row in stored.items():
        if pk not in keys:
            yield f"{kind} “{row}” is new."
    for form in formset.initial_forms:
        row = stored.get(str(form.instance.pk))
        if row is not None and form.is_valid():
            for difference in _differences(form, form.changed_data, row):
                yield f"{kind} “{row}”: {difference}"
