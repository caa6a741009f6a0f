"""Answers that are JSON already."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request

from ..documents.statements import Document
from ..models import Attrs
from .views import AnyView

if TYPE_CHECKING:
    # REST framework's views import this.
    from drf_spectacular.utils import OpenApiExample
    from rest_framework.views import APIView

# JSON that lacks properties of its type, as the request has chosen
PARTIAL_MEDIA_TYPE = "application/vnd.catalogue.partial+json"


class DocumentRenderer(JSONRenderer):
    """JSON, of which a Document is sent as it is: alone, or as a member of the answer's object."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, object] | None = None,
    ) -> bytes:
        finished = isinstance(data, Document)
        if not finished and not _has_documents(data):
            return super().render(data, accepted_media_type, renderer_context)
        if self.get_indent(accepted_media_type or "", renderer_context or {}) is not None:
            # For people to read.
            parsed = _parsed(data) if finished else {k: _parsed(data[k]) for k in data}
            return super().render(parsed, accepted_media_type, renderer_context)
        if finished:
            return bytes(data)
        parts: list[bytes] = []
        for name, value in data.items():
            parts += [b"," if parts else b"{", self._bytes(name), b":", self._bytes(value)]
        # Put together once: a page is 75 kB.
        return b"".join([*parts, b"}"])

    def _bytes(self, value: object) -> bytes:
        if isinstance(value, Document):
            return value
        return json.dumps(value, cls=self.encoder_class, ensure_ascii=self.ensure_ascii).encode()


class ExportRenderer(BaseRenderer):
    """A form that lists alone have, whose bytes are no page's."""

    charset = None

    def render(self, data: object, *args: object, **kwargs: object) -> bytes:
        raise NotImplementedError("An export is streamed, not rendered.")


class LinesRenderer(ExportRenderer):
    """JSON Lines: each the document of an object, as a page has it."""

    media_type = "application/x-ndjson"
    format = "ndjson"


class CSVRenderer(ExportRenderer):
    """A header, and a row for each object."""

    media_type = "text/csv"
    format = "csv"


EXPORTS = (LinesRenderer, CSVRenderer)


def is_export(request: Request) -> bool:
    return isinstance(getattr(request, "accepted_renderer", None), ExportRenderer)


def catalogue(request: HttpRequest) -> dict[str, object]:
    """What every template knows."""
    return {"CATALOGUE_NAME": settings.CATALOGUE_NAME}


def as_html(text: str) -> SafeString:
    """Words that the contract has in Markdown, for a page: `en` in a <code>."""
    return mark_safe(re.sub("`([^`]+)`", r"<code>\1</code>", conditional_escape(text)))  # noqa: S308


class PageRenderer(BrowsableAPIRenderer):
    """The browsable API, with bodies that work: examples, and in each form one to edit.

    A form holds what is stored, or the first example of what can be created, or else what must be
    given. REST framework's own has every property, empty, which no nested object may be.
    """

    def get_context(self, *args: Any) -> Attrs:
        context: Attrs = super().get_context(*args)
        view = context["view"]
        detail = getattr(view, "detail", False)
        method, action = ("PATCH", "partial_update") if detail else ("POST", "create")
        context["examples"] = [
            (each.summary, method, json.dumps(each.value, indent=4, ensure_ascii=False))
            for each in _examples(view, action)
        ]
        return context

    def get_description(self, view: "APIView", status_code: int) -> SafeString:
        return as_html(super().get_description(view, status_code))

    def get_raw_data_form(
        self, data: object, view: "APIView", method: str, request: Request
    ) -> Any:
        form = super().get_raw_data_form(data, view, method, request)
        if form is None or not hasattr(view, "get_serializer"):
            return form
        if isinstance(data, Document) and method != "POST":
            body = _parsed(data)
        elif examples := _examples(view, "create"):
            body = examples[0].value
        else:
            fields = view.get_serializer().fields
            body = {name: "" for name, field in fields.items() if field.required}
        form.fields["_content"].initial = json.dumps(body, indent=4, ensure_ascii=False)
        return form


def _examples(view: AnyView, action: str) -> "list[OpenApiExample]":
    """The contract's examples, of a resource that may be written."""
    examples: list[OpenApiExample] = (
        view.schema.examples_of(action) if hasattr(view, action) else []
    )
    return examples


def _has_documents(data: object) -> bool:
    return isinstance(data, dict) and any(isinstance(each, Document) for each in data.values())


def _parsed(value: object) -> object:
    return json.loads(value) if isinstance(value, Document) else value
