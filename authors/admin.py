"""Where a librarian keeps the authors."""

from django.contrib import admin

from project.api.admin import FORM_FIELDS, AggregateRootAdmin, RecordForm

from .models import Author, AuthorProfile


class ProfileInline(admin.StackedInline):
    model = AuthorProfile
    form = RecordForm
    formfield_overrides = FORM_FIELDS
    verbose_name_plural = "profile"


@admin.register(Author)
class AuthorAdmin(AggregateRootAdmin):
    list_display = [
        "name",
        "sort_name",
        "kind",
        "birth_year",
        "death_year",
        "openlibrary_key",
        "updated_at",
    ]
    list_filter = [
        ("birth_year", admin.EmptyFieldListFilter),
        ("openlibrary_key", admin.EmptyFieldListFilter),
        *AggregateRootAdmin.list_filter,
    ]
    inlines = [ProfileInline]
