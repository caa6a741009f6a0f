from project.api.viewsets import ItemViewSet, NestedViewSet, ResourceViewSet

from .filters import (
    BookFilter,
    ContributionFilter,
    EditionFilter,
    PublisherFilter,
    SeriesFilter,
    SubjectFilter,
)
from .isbn import normalize_isbn
from .models import Book, Contribution, Edition, Publisher, Series, Subject
from .serializers import (
    BookSerializer,
    ContributionSerializer,
    EditionSerializer,
    PublisherSerializer,
    SeriesSerializer,
    SubjectSerializer,
)


class PublisherViewSet(ResourceViewSet):
    """Publishers. A name is unique, whatever the case of its letters."""

    queryset = Publisher.objects.all()
    serializer_class = PublisherSerializer
    filterset_class = PublisherFilter
    ordering_fields = ["name", "created_at", "updated_at", "id"]
    ordering = ["name"]


class SeriesViewSet(ResourceViewSet):
    """Series of books."""

    queryset = Series.objects.all()
    serializer_class = SeriesSerializer
    filterset_class = SeriesFilter
    ordering_fields = ["name", "created_at", "updated_at", "id"]
    ordering = ["name"]


class SubjectViewSet(ResourceViewSet):
    """Subjects that books are about. A name is unique, whatever the case of its letters."""

    queryset = Subject.objects.all()
    serializer_class = SubjectSerializer
    filterset_class = SubjectFilter
    ordering_fields = ["name", "created_at", "updated_at", "id"]
    ordering = ["name"]


class BookViewSet(ResourceViewSet):
    """Books, with their series, subjects, contributors and editions."""

    queryset = Book.objects.all()
    serializer_class = BookSerializer
    filterset_class = BookFilter
    search_keys = {"editions__isbn13": normalize_isbn}
    ordering_fields = [
        "sort_title",
        "title",
        "first_published_year",
        "created_at",
        "updated_at",
        "id",
    ]
    ordering = ["sort_title"]


class AuthorBookViewSet(NestedViewSet, BookViewSet):
    """The books that an author contributed to, in whatever role."""

    parent_lookup = "contributions__author"


class SeriesBookViewSet(NestedViewSet, BookViewSet):
    """The books of a series."""

    parent_lookup = "series"


class SubjectBookViewSet(NestedViewSet, BookViewSet):
    """The books about a subject."""

    parent_lookup = "subjects"


class BookContributionViewSet(ItemViewSet):
    """Who did what for a book, in order."""

    queryset = Contribution.objects.all()
    serializer_class = ContributionSerializer
    owner_serializer_class = BookSerializer
    filterset_class = ContributionFilter
    ordering_fields = ["position"]
    ordering = ["position"]


class BookEditionViewSet(ItemViewSet):
    """The editions of a book."""

    queryset = Edition.objects.all()
    serializer_class = EditionSerializer
    owner_serializer_class = BookSerializer
    filterset_class = EditionFilter
    ordering_fields = ["id", "published_on", "pages"]
    ordering = ["id"]


class PublisherEditionViewSet(BookEditionViewSet):
    """The editions that a publisher has brought out."""

    parent_lookup = "publisher"
