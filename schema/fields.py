"""What drf-spectacular is told about serializer fields of our own."""

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework.settings import api_settings

from project.api.lists.parameters import Schema


class StoredFile(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "project.api.fields.StoredFileField"

    def map_serializer_field(self, auto_schema: object, direction: object) -> Schema:
        if not getattr(self.target, "use_url", api_settings.UPLOADED_FILES_USE_URL):
            return {"type": "string"}
        # A path is a reference: RFC 3986, section 4.2.
        return {"type": "string", "format": "uri-reference"}
