"""In which type an answer is written."""

from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings

from .problems import MEDIA_TYPE, Fault, Refused


class ContentNegotiation(DefaultContentNegotiation):
    """Who accepts problems gets JSON.

    Generated clients name the types that the contract has for an operation, and where success has
    no body, that of a problem is the only one.
    """

    def get_accept_list(self, request: Request) -> list[str]:
        accepted: list[str] = super().get_accept_list(request)
        return ["application/json" if each == MEDIA_TYPE else each for each in accepted]

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
