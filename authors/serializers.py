"""The body of an author, at its own URL and inside of a book."""

from project.api.relations import Owned, ReverseVia
from project.api.serializers import ItemSerializer, ResourceSerializer

from .models import Author, AuthorProfile, OtherName


class AuthorProfileItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = AuthorProfile
        fields = ["id", "biography", "website"]


class OtherNameItem(ItemSerializer):
    class Meta(ItemSerializer.Meta):
        model = OtherName
        fields = ["id", "name", "sort_name"]


class AuthorItem(ItemSerializer):
    """An author inside of a book: linked by id, or created."""

    class Meta(ItemSerializer.Meta):
        model = Author
        fields = [
            "id",
            "uid",
            "name",
            "sort_name",
            "kind",
            "birth_year",
            "death_year",
            "openlibrary_key",
        ]


class AuthorSerializer(ResourceSerializer):
    other_names = OtherNameItem(many=True, required=False)
    profile = AuthorProfileItem(required=False, allow_null=True)

    class Meta:
        model = Author
        fields = [
            "id",
            "uid",
            "name",
            "sort_name",
            "other_names",
            "kind",
            "birth_year",
            "death_year",
            "openlibrary_key",
            "profile",
            "profile_id",
            "books",
            "book_ids",
            "version",
            "created_at",
            "updated_at",
        ]
        relations = [
            Owned("other_names"),
            Owned("profile", key="profile_id"),
            ReverseVia(
                "books",
                key="book_ids",
                serializer="books.serializers.BookOfAuthorItem",
                through="contributions",
                to="author",
                where=(("role", "author"),),
            ),
        ]
        # Read only on demand: an author may have thousands.
        expandable = ["books"]
