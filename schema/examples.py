"""Requests that work on the demo catalogue when their button is pressed, by operation."""

from drf_spectacular.utils import OpenApiExample

EXAMPLES: dict[str, list[OpenApiExample]] = {}
