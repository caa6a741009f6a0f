"""JSON as the API takes it."""

from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    pass
