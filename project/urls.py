"""What is mounted where."""

from django.contrib import admin
from django.urls import include, path

from project.api import health

urlpatterns = [
    path("livez", health.Live.as_view()),
    path("readyz", health.Ready.as_view()),
    path("api/", include("auth_api.urls")),
    path("api/", include("project.router")),
    path("admin/", admin.site.urls),
]
