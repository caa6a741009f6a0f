"""Where a librarian keeps the authors."""

from django.contrib import admin

from project.api.admin import FORM_FIELDS, AggregateRootAdmin, RecordForm
from project.api.relations import MAX_ITEMS

from .models import Author, AuthorProfile, OtherName


class OtherNameInline(admin.StackedInline):
    model = OtherName
    form = RecordForm
    fields = [("name", "sort_name")]
    extra = 0
    max_num = MAX_ITEMS


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
    inlines = [OtherNameInline, ProfileInline]
