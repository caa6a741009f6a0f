"""The URLs of authors: what each lists, and in which order."""

from project.api.viewsets import ResourceViewSet

from .filters import AuthorFilter
from .models import Author
from .serializers import AuthorSerializer


class AuthorViewSet(ResourceViewSet):
    """Authors, with their profiles and the keys of their books."""

    queryset = Author.objects.all()
    serializer_class = AuthorSerializer
    filterset_class = AuthorFilter
    ordering_fields = [
        "sort_name",
        "name",
        "birth_year",
        "death_year",
        "created_at",
        "updated_at",
        "id",
    ]
