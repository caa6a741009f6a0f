"""What the list of accounts can be asked."""

from django.db.models import Q

from project.api.filters import BooleanFilter, ChoiceFilter, ListFilterSet, TextFilter
from project.api.models import AnyQuerySet

from .models import User, normalise
from .usernames import folded


class UserFilter(ListFilterSet):
    search = TextFilter(
        method="find",
        max_length=254,
        help_text="A part of the username or of the e-mail address, in any case.",
    )
    role = ChoiceFilter(choices=User.Role.choices, help_text="Those with this role.")
    is_active = BooleanFilter(help_text="Those that are switched on, or off.")

    def find(self, queryset: AnyQuerySet, name: str, value: str) -> AnyQuerySet:
        # Both are stored without their case.
        return queryset.filter(
            Q(username_key__contains=folded(value)) | Q(email__contains=normalise(value).lower())
        )
