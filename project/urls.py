"""What is mounted where."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from project.api.http import handlers
from project.api.observability import health
from schema.views import GuideView, StartView

urlpatterns = [
    # First, since most requests are for these, and one line is tried after the other.
    path("api/", include("project.router")),
    path("", StartView.as_view(), name="start"),
    path("guides/<slug:name>/", GuideView.as_view(), name="guide"),
    path("livez", health.LiveView.as_view(), name="livez"),
    path("readyz", health.ReadyView.as_view(), name="readyz"),
    path("api/", include("auth_api.urls")),
    path("api/", include("schema.urls")),
    path("admin/", admin.site.urls),
    # Where the browsable API logs in and out.
    path("session/", include("rest_framework.urls")),
    # In development alone.
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
    # Last: what no other line knows. Without it, Django shows a page of its own under DEBUG.
    re_path("^api/", csrf_exempt(handlers.not_found)),
]

handler400 = handlers.bad_request
handler403 = handlers.permission_denied
handler404 = handlers.not_found
handler500 = handlers.server_error
