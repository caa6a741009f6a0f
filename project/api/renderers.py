"""Answers that are JSON already."""

import json
from typing import Any

from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer

from .documents import Document


class DocumentRenderer(JSONRenderer):
    """JSON, of which a Document is sent as it is: alone, or as a member of the answer's object."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Any = None,
    ) -> bytes:
        finished = isinstance(data, Document)
        if not finished and not _has_documents(data):
            return super().render(data, accepted_media_type, renderer_context)
        if self.get_indent(accepted_media_type or "", renderer_context or {}) is not None:
            # For people to read.
            parsed = _parsed(data) if finished else {k: _parsed(data[k]) for k in data}
            return super().render(parsed, accepted_media_type, renderer_context)
        if finished:
            return bytes(data.encode())
        members = (f"{self._text(name)}:{self._text(value)}" for name, value in data.items())
        return f"{{{','.join(members)}}}".encode()

    def _text(self, value: Any) -> str:
        if isinstance(value, Document):
            return value
        return json.dumps(value, cls=self.encoder_class, ensure_ascii=self.ensure_ascii)


class PageRenderer(BrowsableAPIRenderer):
    """The browsable API, with a body to edit in each form: what is stored, or what must be given.

    REST framework's own form has every property, empty, which no nested object may be.
    """

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Any) -> Any:
        form = super().get_raw_data_form(data, view, method, request)
        if form is None or not hasattr(view, "get_serializer"):
            return form
        if isinstance(data, Document) and method != "POST":
            body = _parsed(data)
        else:
            fields = view.get_serializer().fields
            body = {name: "" for name, field in fields.items() if field.required}
        form.fields["_content"].initial = json.dumps(body, indent=4, ensure_ascii=False)
        return form


def _has_documents(data: Any) -> bool:
    return isinstance(data, dict) and any(isinstance(each, Document) for each in data.values())


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, Document) else value
