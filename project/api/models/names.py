"""Names and titles, of which each has one spelling."""

import unicodedata
from collections.abc import Sequence

import regex
from django import forms
from django.db import models

from .aliases import CharField, HandedOn


def normalized(text: str) -> str:
    """Text that people read, in Unicode's NFC: é is one character, however it was typed."""
    return unicodedata.normalize("NFC", text)


# What no font shows (Unicode Standard, section 5.21); and what is none of that, no blank and no
# control character but NUL, which is refused as what it is.
INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
_VISIBLE = regex.compile(r"[^\p{Default_Ignorable_Code_Point}\x01-\x1f\x7f-\x9f\s]")
# What pasted text has at its ends, unseen: soft hyphens, blanks without width, directions.
_UNSEEN = " \u00ad\u200b\u200e\u200f\u2060\ufeff"


def normalized_name(text: str) -> str:
    """A name or a title, which has single blanks as well, and nothing unseen around it.

    It is empty where nothing in it can be seen.
    """
    name = " ".join(normalized(text).split()).strip(_UNSEEN)
    return name if _VISIBLE.search(name) else ""


class NameFormField(forms.CharField):
    """A name or a title in a form, and in a filter."""

    def to_python(self, value: object) -> str | None:
        text = super().to_python(value)
        return text and normalized_name(text)


class NameField(CharField):
    """A name or a title: one name has one spelling, so that whoever looks for it finds it."""

    def deconstruct(self) -> tuple[str, str, Sequence[object], dict[str, object]]:
        name, path, args, kwargs = super().deconstruct()
        # The database knows no difference, nor need a migration.
        return name, "django.db.models.CharField" if type(self) is NameField else path, args, kwargs

    def formfield(self, **kwargs: HandedOn) -> forms.Field | None:
        return super().formfield(**{"form_class": NameFormField, **kwargs})

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        value = normalized_name(getattr(model_instance, self.attname))
        setattr(model_instance, self.attname, value)
        return value


def not_blank(*fields: str, model: str) -> list[models.BaseConstraint]:
    """One constraint a field: the text has at least one character."""
    return [
        models.CheckConstraint(
            condition=~models.Q(**{field: ""}),
            name=f"{model}_{field}_not_blank",
            violation_error_message="This field may not be blank.",
        )
        for field in fields
    ]
