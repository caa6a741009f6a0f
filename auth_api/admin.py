"""Accounts and their sessions in the admin site, for admins alone."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth import authenticate
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

# Imported for its registrations, which are undone: a session whose row is deleted, or not ended any
# more, would come back to life.
from rest_framework_simplejwt.token_blacklist import admin as _  # noqa: F401
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from .models import LastAdmin, LoginRecord, Session, User, end_sessions

admin.site.unregister([BlacklistedToken, OutstandingToken])
# Nobody is in one: the role is all there is.
admin.site.unregister(Group)


class UserForm(UserChangeForm):
    # Who asks; the class is made anew for each request.
    request: HttpRequest

    current_password = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="To change the e-mail address of your own account.",
    )

    class Meta(UserChangeForm.Meta):
        model = User

    def clean(self) -> dict[str, object]:
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        own = self.instance == self.request.user
        if own and cleaned.get("email", self.instance.email) != self.initial.get("email"):
            name, password = self.request.user.get_username(), cleaned.get("current_password")
            if authenticate(self.request, username=name, password=password or "") is None:
                self.add_error("current_password", "This is not the current password.")
        return cleaned


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

    # As in the API

    def get_form(
        self, request: HttpRequest, obj: object = None, change: bool = False, **kwargs: object
    ) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        return form

    def get_fieldsets(self, request: HttpRequest, obj: object = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj != request.user:
            return fieldsets
        return [*fieldsets, ("Confirm it", {"fields": ["current_password"]})]

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002  (Django's name)
        form_url: str = "",
    ) -> HttpResponse:
        """One's own is changed where the current one is asked for."""
        if unquote(id) == str(request.user.pk):
            return HttpResponseRedirect(reverse("admin:password_change"))
        return super().user_change_password(request, id, form_url)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        own = ["role", "is_active"] if obj == request.user else []
        return [*self.readonly_fields, *own]

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return obj != request.user and super().has_delete_permission(request, obj)

    # The model keeps the last admin. Here that is a message on the page that was left.

    def changeform_view(
        self, request: HttpRequest, *args: object, **kwargs: object
    ) -> HttpResponse:
        return self._unless_last(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return self._unless_last(request, super().delete_view, *args, **kwargs)

    def changelist_view(
        self, request: HttpRequest, *args: object, **kwargs: object
    ) -> HttpResponse:
        return self._unless_last(request, super().changelist_view, *args, **kwargs)

    def _unless_last(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],
        *args: object,
        **kwargs: object,
    ) -> HttpResponse:
        try:
            # With the log of what would have been done.
            with transaction.atomic():
                return view(request, *args, **kwargs)
        except LastAdmin as error:
            self.message_user(request, str(error.detail), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows to look at."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(LoginRecord)
class LoginRecordAdmin(ReadOnlyAdmin):
    """The log of logins."""

    list_display = ["at", "user", "succeeded", "address", "request_id"]
    list_filter = ["succeeded", "at"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email", "address", "request_id"]


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    """Who is logged in where. There is nothing to change, but a session can be ended."""

    list_display = [
        "user",
        "device_name",
        "user_agent",
        "started",
        "last_used_at",
        "ends",
        "goes_on",
    ]
    list_select_related = ["token__user", "token__blacklistedtoken"]
    search_fields = ["token__user__username", "token__user__email", "device_name", "user_agent"]
    ordering = ["-token"]
    fields = ["user", "device_name", "user_agent", "started", "last_used_at", "ends", "goes_on"]
    actions = ["end"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        # Those of deleted accounts are nobody's.
        return super().get_queryset(request).filter(token__user__isnull=False)

    @admin.display(ordering="token__user__username")
    def user(self, session: Session) -> User | None:
        return session.token.user

    @admin.display(ordering="token__created_at")
    def started(self, session: Session) -> object:
        return session.token.created_at

    @admin.display(ordering="token__expires_at", description="ends without a refresh")
    def ends(self, session: Session) -> object:
        return session.token.expires_at

    @admin.display(boolean=True)
    def goes_on(self, session: Session) -> bool:
        ended = hasattr(session.token, "blacklistedtoken")
        return not ended and session.token.expires_at > timezone.now()

    @admin.action(description="End the selected sessions")
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        with transaction.atomic():
            for session in queryset.select_related("token__user"):
                self.log_change(request, session, "Ended.")
            end_sessions(OutstandingToken.objects.filter(session__in=queryset))
        self.message_user(request, "The sessions are ended.", messages.SUCCESS)
