"""What the list of accounts can be asked."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django_filters import BooleanFilter

from project.api.filters import ChoiceFilter, ListFilterSet, TextFilter
from project.api.models import AnyQuerySet

from .models import User, normalise
from .usernames import folded


class StrictBooleanField(forms.Field):
    """`true` or `false`, or 1 or 0, in any case."""

    VALUES = {"true": True, "1": True, "false": False, "0": False}

    def to_python(self, value: object) -> bool | None:
        if not value:
            return None
        if (text := str(value).lower()) not in self.VALUES:
            raise ValidationError("Enter true or false.", "invalid")
        return self.VALUES[text]


class StrictBooleanFilter(BooleanFilter):
    field_class: Any = StrictBooleanField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.TextInput, **kwargs)


class UserFilter(ListFilterSet):
    search = TextFilter(
        method="find",
        max_length=254,
        help_text="A part of the username or of the e-mail address, in any case.",
    )
    role = ChoiceFilter(choices=User.Role.choices, help_text="Those with this role.")
    is_active = StrictBooleanFilter(help_text="Those that are switched on, or off.")

    def find(self, queryset: AnyQuerySet, name: str, value: str) -> AnyQuerySet:
        # Both are stored without their case.
        return queryset.filter(
            Q(username_key__contains=folded(value)) | Q(email__contains=normalise(value).lower())
        )
