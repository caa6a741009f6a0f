"""The bodies of books and of what goes with them.

A `…Item` is an object inside of another's body, a `…Serializer` one at its own URL.
`Meta.relations` says how each relation is read and written; docs/relations.md shows it.
"""

from rest_framework import serializers

from authors.serializers import AuthorItem
from project.api.fields import KeyField, StoredFileField, StoredFiles, StrictCharField
from project.api.models import HandedOn
from project.api.relations import Owned, Shared, Via
from project.api.serializers import ItemSerializer, ResourceSerializer, StrictSerializer

from .isbn import MAX_ISBN_LENGTH, normalize_isbn
from .models import Book, Contribution, Edition, Identifier, Publisher, Role, Series, Subject


class ISBNField(StrictCharField):
    """An ISBN: 13 digits going out; ISBN-10 and hyphens are taken too."""

    def __init__(self, **kwargs: HandedOn) -> None:
        help_text = Edition._meta.get_field("isbn13").help_text
        super().__init__(max_length=MAX_ISBN_LENGTH, help_text=help_text, **kwargs)

    def to_internal_value(self, data: object) -> str:
        return normalize_isbn(super().to_internal_value(data))


# Shared: linked by id, or created


class PublisherItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = Publisher
        fields = ["id", "uid", "name"]


class SeriesItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = Series
        fields = ["id", "uid", "name"]


class SubjectItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = Subject
        fields = ["id", "uid", "name", "slug"]


# Owned by a book


class ContributionItem(ItemSerializer):
    author = AuthorItem(required=False)

    class Meta(ItemSerializer.Meta):
        model = Contribution
        fields = ["id", "author", "author_id", "role", "other_role", "position", "credited_as"]
        read_only_fields = ["position"]
        relations = [Shared("author", key="author_id")]


class CoverSerializer(StoredFiles):
    """Paths of the cover and of a thumbnail of it."""

    url = StoredFileField(source="cover")
    thumbnail = StoredFileField(source="cover_thumbnail")


class IdentifierItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = Identifier
        fields = ["id", "scheme", "value"]


class EditionItem(ItemSerializer):
    isbn13 = ISBNField(required=False, allow_null=True)
    identifiers = IdentifierItem(many=True, required=False)
    publisher = PublisherItem(required=False, allow_null=True)
    cover = CoverSerializer(help_text=Edition._meta.get_field("cover").help_text)

    class Meta(ItemSerializer.Meta):
        model = Edition
        fields = [
            "id",
            "isbn13",
            "identifiers",
            "title",
            "volume",
            "publisher",
            "publisher_id",
            "format",
            "pages",
            "published_on",
            "language",
            "cover",
        ]
        relations = [Shared("publisher", key="publisher_id"), Owned("identifiers")]


# Resources


class ContributionSerializer(ResourceSerializer, ContributionItem):
    id = KeyField(read_only=True)
    book_id = KeyField(required=False)

    class Meta(ContributionItem.Meta):
        fields = ["id", "book_id", *ContributionItem.Meta.fields[1:]]


class EditionSerializer(ResourceSerializer, EditionItem):
    id = KeyField(read_only=True)
    book_id = KeyField(required=False)

    class Meta(EditionItem.Meta):
        fields = ["id", "book_id", *EditionItem.Meta.fields[1:]]


class IdentifierSerializer(ResourceSerializer, IdentifierItem):
    id = KeyField(read_only=True)
    edition_id = KeyField(required=False)

    class Meta(IdentifierItem.Meta):
        fields = ["id", "edition_id", *IdentifierItem.Meta.fields[1:]]


class CoverUploadSerializer(StrictSerializer):
    """The picture of an edition to upload."""

    file = serializers.FileField(help_text="A picture in JPEG, PNG or WebP.")


class PublisherSerializer(ResourceSerializer):
    class Meta:
        model = Publisher
        fields = ["id", "uid", "name", "version", "created_at", "updated_at"]


class SeriesSerializer(ResourceSerializer):
    class Meta:
        model = Series
        fields = ["id", "uid", "name", "version", "created_at", "updated_at"]


class SubjectSerializer(ResourceSerializer):
    class Meta:
        model = Subject
        fields = ["id", "uid", "name", "slug", "version", "created_at", "updated_at"]


class BookSerializer(ResourceSerializer):
    series = SeriesItem(required=False, allow_null=True)
    subjects = SubjectItem(many=True, required=False)
    authors = AuthorItem(many=True, required=False)
    contributions = ContributionItem(many=True, required=False)
    editions = EditionItem(many=True, required=False)

    class Meta:
        model = Book
        fields = [
            "id",
            "uid",
            "title",
            "subtitle",
            "sort_title",
            "original_title",
            "language",
            "first_published",
            "first_published_year",
            "description",
            "series",
            "series_id",
            "series_position",
            "subjects",
            "subject_ids",
            "authors",
            "author_ids",
            "contributions",
            "editions",
            "openlibrary_key",
            "version",
            "created_at",
            "updated_at",
        ]
        relations = [
            Shared("series", key="series_id"),
            Shared("subjects", key="subject_ids"),
            Owned("contributions", position="position"),
            Via(
                "authors",
                key="author_ids",
                through="contributions",
                to="author",
                where=(("role", Role.AUTHOR),),
            ),
            Owned("editions"),
        ]


# Inside of a new author: two levels, so an author by key alone


class ContributionKeyItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = Contribution
        fields = ["id", "author_id", "role", "other_role", "position", "credited_as"]
        read_only_fields = ["position"]
        relations = [Shared("author", key="author_id")]


LEFT_OUT = {"author_ids", "version", "created_at", "updated_at"}


class BookOfAuthorItem(ItemSerializer):
    contributions = ContributionKeyItem(many=True, required=False)

    class Meta(ItemSerializer.Meta):
        model = Book
        # As a book's own, but for what is nested deeper or computed, and what says when it changed.
        fields = [
            name
            for name in BookSerializer.Meta.fields
            if name == "contributions" or name not in {*BookSerializer._declared_fields, *LEFT_OUT}
        ]
        relations = [
            Shared("series", key="series_id"),
            Shared("subjects", key="subject_ids"),
            Owned("contributions", position="position"),
        ]
