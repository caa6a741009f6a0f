"""A book with what belongs to it, written by drf-writable-nested.

https://github.com/beda-software/drf-writable-nested#usage
"""

from drf_writable_nested.serializers import WritableNestedModelSerializer
from rest_framework import serializers
from rest_framework.viewsets import ModelViewSet

from books.models import Book, Contribution, Edition


class ContributionSerializer(serializers.ModelSerializer):
    class Meta:
        model = Contribution
        fields = ["id", "author", "role", "position", "credited_as"]


class BookSerializer(WritableNestedModelSerializer):
    contributions = ContributionSerializer(many=True, required=False)

    class Meta:
        model = Book
        fields = ["id", "title", "language", "first_published_year", "contributions"]


class EditionSerializer(serializers.ModelSerializer):
    class Meta:
        model = Edition
        fields = ["id", "format", "pages", "publisher"]


class WholeBookSerializer(BookSerializer):
    editions = EditionSerializer(many=True, required=False)

    class Meta(BookSerializer.Meta):
        fields = [*BookSerializer.Meta.fields, "editions", "subjects"]


class WritableNestedBookViewSet(ModelViewSet):
    queryset = Book.objects.prefetch_related("contributions")
    serializer_class = BookSerializer


class WholeBookViewSet(ModelViewSet):
    queryset = Book.objects.prefetch_related("contributions", "editions", "subjects")
    serializer_class = WholeBookSerializer
