"""The project's own serializer, answered by REST framework's own mixins.

https://www.django-rest-framework.org/api-guide/generic-views/, with the prefetching that its page
on relations asks for.
"""

from rest_framework import mixins

from books.models import Book
from books.views import BookViewSet


class PlainBookViewSet(BookViewSet):
    queryset = Book.objects.select_related("series").prefetch_related(
        "subjects", "contributions__author", "editions__publisher", "editions__identifiers"
    )
    list = mixins.ListModelMixin.list
    retrieve = mixins.RetrieveModelMixin.retrieve
