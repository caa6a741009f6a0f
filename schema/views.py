"""The contract and the pages around it. All they load comes from this server."""

from collections.abc import Sequence
from functools import cache

from django.conf import settings
from django.http import Http404
from django.views.generic import TemplateView
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerView,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import APIRootView

from project.api.http.problems import Fault, Refused
from project.api.lists.parameters import Schema
from project.api.viewsets import StrictQueryParameters

from . import guides
from .openapi_3_0 import as_openapi_3_0

# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
# Both pages write styles into the document; Redoc searches in a worker made from a blob.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)


@cache
def contract() -> Schema:
    """The document, made once a process: it takes a second."""
    whole: Schema = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return whole


@cache
def contract_in_openapi_3_0() -> Schema:
    return as_openapi_3_0(contract())


class OncePerProcess(SchemaGenerator):
    def get_schema(self, request: Request | None = None, public: bool = False) -> Schema:
        # Of OpenAPI: the view takes it from `?version=`.
        match self.api_version:
            case None | "3.1":
                return contract()
            case "3.0":
                return contract_in_openapi_3_0()
        raise Refused([Fault("invalid", "Give 3.0 or 3.1.", parameter="version")])


class ContractView(StrictQueryParameters, SpectacularAPIView):
    """The contract in OpenAPI 3.1, or in 3.0 with `?version=3.0`."""

    generator_class = OncePerProcess
    # Of which no two make one.
    list_parameters = frozenset({"version"})


class _Page:
    # What OPTIONS answers has no template.
    http_method_names: Sequence[str] = ["get", "head"]

    def finalize_response(self, *args: object, **kwargs: object) -> Response:
        response: Response = super().finalize_response(*args, **kwargs)  # type: ignore[misc]
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response


class SwaggerUIView(_Page, SpectacularSwaggerView):
    pass


class RedocView(_Page, SpectacularRedocView):
    pass


class RootView(StrictQueryParameters, APIRootView):
    """The URLs of all lists."""

    name = "API"


class StartView(TemplateView):
    """Leads to all other pages."""

    template_name = "schema/start.html"

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        description = str(settings.SPECTACULAR_SETTINGS["DESCRIPTION"])
        return super().get_context_data(
            introduction=guides.paragraph(description),
            guides=guides.section("More"),
            **kwargs,
        )


class GuideView(TemplateView):
    template_name = "schema/guide.html"

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        try:
            return super().get_context_data(guide=guides.guide(kwargs["name"]), **kwargs)
        except KeyError as error:
            raise Http404 from error
