"""The admin site: it begins with what there is, and limits guesses where it asks for a password."""

from functools import partial

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth import authenticate
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from project.api.admin import AggregateRootAdmin
from project.api.models import HandedOn


class OwnPasswordForm(AdminPasswordChangeForm):
    """Asks for the old password by the login's own way, where failures are counted."""

    def __init__(self, request: HttpRequest, *args: HandedOn, **kwargs: HandedOn) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        if authenticate(self.request, username=self.user.get_username(), password=password) is None:
            raise ValidationError(
                self.error_messages["password_incorrect"], code="password_incorrect"
            )
        return password


class AdminSite(admin.AdminSite):
    site_title = site_header = settings.CATALOGUE_NAME
    index_title = "Administration"

    def index(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> TemplateResponse:
        """With the number of each root, and what `?q=` finds of them as the API finds it."""
        roots = [
            root
            for root in self._registry.values()
            if isinstance(root, AggregateRootAdmin) and root.has_view_permission(request)
        ]
        term = request.GET.get("q", "").strip()
        context: dict[str, object] = {"roots": roots, "term": term}
        if term:
            try:
                context["matches"] = [
                    match for root in roots if (match := root.best_matches(request, term)).rows
                ]
            except ValidationError as error:
                [context["refusal"]] = error.messages
        return super().index(request, {**context, **(extra_context or {})})

    def password_change(  # type: ignore[override]  # a response of any kind
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        view = PasswordChangeView.as_view(
            form_class=partial(OwnPasswordForm, request),
            success_url=reverse("admin:password_change_done"),
            template_name="registration/password_change_form.html",
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)  # type: ignore[return-value]
