"""The URLs of books, and of what goes with them: what each lists, and in which order."""

from collections.abc import Callable

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from project.api.files import new_files
from project.api.problems import Fault, PayloadTooLarge, Refused
from project.api.viewsets import (
    ActionViewSet,
    Columns,
    ItemViewSet,
    NestedViewSet,
    ResourceViewSet,
    UploadParser,
)

from .covers import MAX_BYTES, make_cover
from .filters import (
    BookFilter,
    ContributionFilter,
    EditionFilter,
    IdentifierFilterSet,
    PublisherFilter,
    SeriesFilter,
    SubjectFilter,
)
from .importing.columns import CSV_COLUMNS
from .isbn import normalize_isbn
from .models import Book, Contribution, Edition, Identifier, Publisher, Series, Subject
from .serializers import (
    BookSerializer,
    ContributionSerializer,
    CoverSerializer,
    CoverUploadSerializer,
    EditionSerializer,
    IdentifierSerializer,
    PublisherSerializer,
    SeriesSerializer,
    SubjectSerializer,
)

# What answers a file of which no cover can be made, by the code of the reason
REFUSALS: dict[str | None, Callable[[str], APIException]] = {
    "too_large": PayloadTooLarge,
    "not_a_picture": lambda detail: UnsupportedMediaType("", detail),
    "broken": lambda detail: Refused([Fault("broken", detail, pointer="/file")]),
}


class PublisherViewSet(ResourceViewSet):
    """Publishers. A name is unique, whatever the case of its letters."""

    queryset = Publisher.objects.all()
    serializer_class = PublisherSerializer
    filterset_class = PublisherFilter
    ordering_fields = ["name", "created_at", "updated_at", "id"]


class SeriesViewSet(ResourceViewSet):
    """Series of books."""

    queryset = Series.objects.all()
    serializer_class = SeriesSerializer
    filterset_class = SeriesFilter
    ordering_fields = ["name", "created_at", "updated_at", "id"]


class SubjectViewSet(ResourceViewSet):
    """Subjects that books are about. A name is unique, whatever the case of its letters."""

    queryset = Subject.objects.all()
    serializer_class = SubjectSerializer
    filterset_class = SubjectFilter
    ordering_fields = ["name", "created_at", "updated_at", "id"]


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
        "series_position",
    ]
    ordering_columns = {"title": "title_start", "series_position": "series_order"}

    def get_csv_columns(self) -> Columns:
        """Those that an import reads."""
        return CSV_COLUMNS


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


class BookEditionViewSet(ItemViewSet):
    """The editions of a book."""

    queryset = Edition.objects.all()
    serializer_class = EditionSerializer
    owner_serializer_class = BookSerializer
    filterset_class = EditionFilter
    ordering_fields = ["id", "published_on", "pages"]


class CoverViewSet(ActionViewSet):
    """The covers of editions."""

    queryset = Edition.objects.select_related("book").order_by("pk")
    serializer_class = CoverUploadSerializer
    root_path = "book"

    @extend_schema(
        operation_id="putEditionCover",
        summary="Put a cover on an edition",
        tags=["books"],
        responses=CoverSerializer,
    )
    @action(detail=True, methods=["put"], parser_classes=[UploadParser.of(MAX_BYTES)])
    def cover(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Takes a picture in JPEG, PNG or WebP, of 5 MB and 25 megapixels at most.

        Its content counts, whatever its name and type say. It is encoded anew, upright and without
        what a camera noted, and a thumbnail is made of it. It replaces the cover that the edition
        has. The version of the book rises.

        A larger file is refused with 413, another type of content with 415, a broken picture with
        400.
        """
        edition = self.get_object()
        upload = self.get_serializer(data=request.data)
        upload.is_valid(raise_exception=True)
        try:
            cover = make_cover(upload.validated_data["file"])
        except ValidationError as error:
            raise REFUSALS[error.code](str(error.message)) from error
        with new_files():
            for name, content in cover._asdict().items():
                getattr(edition, name).save(content.name, content, save=False)
            names = {name: getattr(edition, name).name for name in cover._fields}
            written = self._write(edition, **names)
        return Response(CoverSerializer(written).data)

    @extend_schema(
        operation_id="deleteEditionCover",
        summary="Take the cover off an edition",
        tags=["books"],
    )
    @cover.mapping.delete
    def delete_cover(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Removes the cover and its thumbnail. The version of the book rises.

        Where the edition has no cover, nothing changes.
        """
        self._write(self.get_object(), cover="", cover_thumbnail="")
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _write(self, edition: Edition, **names: str) -> object:
        serializer = BookSerializer(edition.book, context=self.get_serializer_context())
        return serializer.save_item("editions", edition.pk, **names)


class EditionIdentifierViewSet(ItemViewSet):
    """What others call an edition."""

    queryset = Identifier.objects.all()
    serializer_class = IdentifierSerializer
    owner_serializer_class = BookSerializer
    filterset_class = IdentifierFilterSet
    ordering_fields = ["id", "scheme"]
    ordering = ["id"]


class PublisherEditionViewSet(BookEditionViewSet):
    """The editions that a publisher has brought out."""

    parent_lookup = "publisher"
