"""Below /api/: the contract itself, and two pages to read it and to try it on."""

from django.urls import path

from . import views

urlpatterns = [
    path("schema/", views.ContractView.as_view(), name="schema"),
    path("docs/", views.SwaggerUIView.as_view(), name="docs"),
    path("redoc/", views.RedocView.as_view(), name="redoc"),
]
