"""Where a librarian keeps the books, and what they refer to."""

from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.contrib import admin
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Model, Prefetch, Q, QuerySet, TextChoices
from django.http import HttpRequest

from project.api.admin import AggregateRootAdmin, LoadedSelect, RecordForm, UniqueNameForm
from project.api.conflicts import FormSet
from project.api.models import AnyQuerySet, ForeignKey
from project.api.relations import MAX_ITEMS

from .covers import make_cover
from .identifiers import IdentifierFormField
from .isbn import ISBNFormField, normalize_isbn
from .models import (
    Book,
    Contribution,
    Edition,
    Format,
    Identifier,
    Publisher,
    Role,
    Series,
    Subject,
)


@admin.register(Publisher)
class PublisherAdmin(AggregateRootAdmin):
    form = UniqueNameForm
    list_display = ["name", "updated_at"]


@admin.register(Series)
class SeriesAdmin(AggregateRootAdmin):
    list_display = ["name", "updated_at"]


@admin.register(Subject)
class SubjectAdmin(AggregateRootAdmin):
    form = UniqueNameForm
    list_display = ["name", "slug", "updated_at"]


# What a book owns


class OwnedInline(admin.StackedInline):
    """Rows of a book, each in lines that fit a screen, which one of a table would not.

    What they refer to is read with them, however many they are.
    """

    form = RecordForm
    extra = 0
    max_num = MAX_ITEMS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        return super().get_queryset(request).select_related("book", *self.autocomplete_fields)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: object
    ) -> forms.ModelChoiceField | None:
        if db_field.name in self.autocomplete_fields:
            kwargs["widget"] = LoadedSelect(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ContributionForm(RecordForm):
    position = forms.IntegerField(
        required=False, min_value=0, help_text="0 is the first; left empty, it is the last."
    )

    @property
    def changed_data(self) -> list[str]:
        """Also `position` where another row pushed this one away."""
        changed = super().changed_data
        position = getattr(self, "cleaned_data", {}).get("position")
        if position not in (None, self.initial.get("position")) and "position" not in changed:
            changed.append("position")
        return changed

    @property
    def wanted_place(self) -> int:
        position: int | None = self.cleaned_data["position"]
        return MAX_ITEMS if position is None else position


class ContributionFormSet(forms.BaseInlineFormSet):
    def clean(self) -> None:
        """Number the rows 0…n−1: a row with a new position goes there, the others make room."""
        super().clean()
        if not self.is_valid():
            return
        remaining = [form for form in self.forms if form not in self.deleted_forms]
        order: list[Any] = []
        moved: list[Any] = []
        for form in remaining:
            if form.empty_permitted and not form.has_changed():
                continue
            stays = form.cleaned_data["position"] == form.initial.get("position")
            (order if stays else moved).append(form)
        for form in sorted(moved, key=lambda form: form.wanted_place):
            order.insert(form.wanted_place, form)
        for position, form in enumerate(order):
            form.cleaned_data["position"] = form.instance.position = position


class ContributionInline(OwnedInline):
    model = Contribution
    form = ContributionForm
    formset = ContributionFormSet
    fields = [("author", "role", "position"), ("credited_as", "other_role")]
    autocomplete_fields = ["author"]


class EditionForm(RecordForm):
    identifiers = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 20}),
        help_text="One a line, as oclc:1234567.",
    )

    class Meta:
        field_classes = {"isbn13": ISBNFormField}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["identifiers"] = "\n".join(map(str, self.instance.identifiers.all()))

    def clean_identifiers(self) -> str:
        """One a line, in their usual forms, of which no other edition has any."""
        texts = filter(str.strip, self.cleaned_data["identifiers"].splitlines())
        pairs = dict.fromkeys(map(IdentifierFormField(max_length=300).clean, texts))
        if len(pairs) > MAX_ITEMS:
            raise forms.ValidationError(f"Give at most {MAX_ITEMS} identifiers.", "max_length")
        lines = [f"{scheme}:{value}" for scheme, value in pairs]
        new = [Q(scheme=s, value=v) for s, v in pairs if f"{s}:{v}" not in self.stored_identifiers]
        if new and (taken := Identifier.objects.filter(reduce(or_, new)).first()):
            raise forms.ValidationError(f"Another edition has {taken}.", "unique")
        return "\n".join(lines)

    @property
    def stored_identifiers(self) -> dict[str, Identifier]:
        if self.instance.pk is None:
            return {}
        return {str(each): each for each in self.instance.identifiers.all()}

    def clean_cover(self) -> object:
        """The cover that is made of an upload; False takes it off, what is stored stays."""
        cover = self.cleaned_data["cover"]
        if isinstance(cover, UploadedFile):
            cover, self.instance.cover_thumbnail = make_cover(cover)
        elif not cover:
            self.instance.cover_thumbnail = ""
        return cover


class EditionFormSet(forms.BaseInlineFormSet):
    def clean(self) -> None:
        """No two editions on the page have one identifier."""
        super().clean()
        seen: set[str] = set()
        for form in self.forms:
            lines = set(getattr(form, "cleaned_data", {}).get("identifiers", "").splitlines())
            if repeated := sorted(lines & seen):
                form.add_error("identifiers", f"Another edition has {repeated[0]}.")
            seen |= lines


class EditionInline(OwnedInline):
    model = Edition
    form = EditionForm
    formset = EditionFormSet
    fields = [
        ("isbn13", "format", "pages"),
        ("publisher", "published_on", "language"),
        ("title", "volume"),
        ("identifiers", "cover"),
    ]
    autocomplete_fields = ["publisher"]

    def get_queryset(self, request: HttpRequest) -> AnyQuerySet:
        return super().get_queryset(request).prefetch_related("identifiers")


class OwnedRowFilter(admin.SimpleListFilter):
    """Books that own such a row: a subquery, since Django's own filter would join and compare."""

    parameter_name: str
    rows: type[Contribution | Edition]
    kinds: type[TextChoices]

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return self.kinds.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Book]) -> QuerySet[Book]:
        if self.value() is None:
            return queryset
        rows = self.rows.objects.filter(**{self.parameter_name: self.value()})
        return queryset.filter(pk__in=rows.values_list("book_id", flat=True))


class RoleFilter(OwnedRowFilter):
    title = parameter_name = "role"
    rows = Contribution
    kinds = Role


class FormatFilter(OwnedRowFilter):
    title = parameter_name = "format"
    rows = Edition
    kinds = Format


@admin.register(Book)
class BookAdmin(AggregateRootAdmin):
    list_display = [
        "title",
        "written_by",
        "first_published_year",
        "language",
        "series",
        "updated_at",
    ]
    list_select_related = ["series"]
    list_filter = [
        RoleFilter,
        FormatFilter,
        ("language", admin.EmptyFieldListFilter),
        ("series", admin.EmptyFieldListFilter),
        *AggregateRootAdmin.list_filter,
    ]
    search_keys = {"editions__isbn13": normalize_isbn}
    search_help_text = "Words of a title, an author's name, or an ISBN"
    autocomplete_fields = ["series", "subjects"]
    inlines = [ContributionInline, EditionInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Book]:
        written = Contribution.objects.filter(role=Role.AUTHOR).select_related("author")
        return (
            super()
            .get_queryset(request)
            .prefetch_related(Prefetch("contributions", written, to_attr="written"))
        )

    def save_formset(
        self, request: HttpRequest, form: RecordForm, formset: FormSet, change: bool
    ) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is not Edition:
            return
        edited = [
            (each, dict.fromkeys(each.cleaned_data["identifiers"].splitlines()))
            for each in formset.forms
            if "identifiers" in each.changed_data and each not in formset.deleted_forms
        ]
        gone = [
            row
            for each, lines in edited
            for s, row in each.stored_identifiers.items()
            if s not in lines
        ]
        if gone:
            Identifier.objects.filter(pk__in=[row.pk for row in gone]).delete()
            form.written.removed[Identifier] += gone
        new = [
            Identifier(edition=each.instance, scheme=pair[0], value=pair[2])
            for each, lines in edited
            for line in lines
            if line not in each.stored_identifiers
            for pair in [line.partition(":")]
        ]
        for row in new:
            row.save()
        if new:
            form.written.created[Identifier] = new

    @admin.display(description="authors")
    def written_by(self, book: Any) -> str:
        return ", ".join(str(contribution.author) for contribution in book.written)

    def note(self, obj: Book) -> str:
        return self.written_by(obj)
