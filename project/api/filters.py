from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import filters


class StrictFilterBackend(DjangoFilterBackend):
    pass


class SearchFilter(filters.SearchFilter):
    pass


class OrderingFilter(filters.OrderingFilter):
    pass
