"""In which type an answer is written."""

from collections.abc import Iterable
from typing import ClassVar

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings

from .problems import MEDIA_TYPE, Fault, Refused
from .renderers import PARTIAL_MEDIA_TYPE

# As clients send them, there are few; each a line of text.
KEPT_CHOICES = 256


class ContentNegotiation(DefaultContentNegotiation):
    """Who accepts problems, or partial documents, gets JSON.

    Generated clients name the types that the contract has for an operation, and where success has
    no body, that of a problem is the only one.
    """

    # By the header and the classes of the renderers: the place of one, and the type to name.
    _choices: ClassVar[dict[tuple[str, tuple[type, ...]], tuple[int, str]]] = {}

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """As REST framework does, which reads the header anew each time: 25 µs of each request."""
        renderers = list(renderers)
        if format_suffix or api_settings.URL_FORMAT_OVERRIDE in request.query_params:
            chosen: tuple[BaseRenderer, str]
            chosen = super().select_renderer(request, renderers, format_suffix)
            return chosen
        key = request.META.get("HTTP_ACCEPT", "*/*"), tuple(map(type, renderers))
        if (choice := self._choices.get(key)) is None:
            renderer, media_type = super().select_renderer(request, renderers)
            choice = renderers.index(renderer), media_type
            if len(self._choices) >= KEPT_CHOICES:
                self._choices.clear()
            self._choices[key] = choice
        place, media_type = choice
        return renderers[place], media_type

    def get_accept_list(self, request: Request) -> list[str]:
        accepted: list[str] = super().get_accept_list(request)
        as_json = (MEDIA_TYPE, PARTIAL_MEDIA_TYPE)
        return ["application/json" if each in as_json else each for each in accepted]

    def filter_renderers(
        self,
        renderers: Iterable[BaseRenderer],
        format: str,  # noqa: A002
    ) -> list[BaseRenderer]:
        renderers = list(renderers)
        if format not in (formats := dict.fromkeys(each.format for each in renderers)):
            # REST framework's own 404 would say that there is nothing at this URL.
            parameter = api_settings.URL_FORMAT_OVERRIDE
            raise Refused(
                [
                    Fault(
                        "invalid_choice",
                        f"Choose one of {', '.join(formats)}.",
                        parameter=parameter,
                    )
                ]
            )
        return [each for each in renderers if each.format == format]
