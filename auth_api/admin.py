from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.http import HttpRequest

from .models import User


class UserForm(UserChangeForm):
    class Meta(UserChangeForm.Meta):
        model = User


class NewUserForm(AdminUserCreationForm):
    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "email", "role")


@admin.register(User)
class AccountAdmin(UserAdmin):
    """Accounts, which only admins see."""

    form = UserForm
    add_form = NewUserForm
    list_display = ["username", "email", "role", "is_active", "date_joined"]
    list_filter = ["role", "is_active"]
    search_fields = ["username", "email"]
    filter_horizontal = ()
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["username", "email", "password", "role", "is_active"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (
            None,
            {"fields": ["username", "email", "role", "usable_password", "password1", "password2"]},
        ),
    ]

    # As in the API, so that there is always an admin left.

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        own = ["role", "is_active"] if obj == request.user else []
        return [*self.readonly_fields, *own]

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return obj != request.user and super().has_delete_permission(request, obj)
