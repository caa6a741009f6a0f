"""Below /api/: the contract itself, and two pages to read it and to try it on."""

from django.urls import path

from . import views

urlpatterns = [
    path("schema/", views.Contract.as_view(), name="schema"),
    path("docs/", views.SwaggerUI.as_view(), name="docs"),
    path("redoc/", views.Redoc.as_view(), name="redoc"),
]
