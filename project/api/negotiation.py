"""In which type an answer is written."""

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from .problems import MEDIA_TYPE


class ContentNegotiation(DefaultContentNegotiation):
    """Who accepts problems gets JSON.

    Generated clients name the types that the contract has for an operation, and where success has
    no body, that of a problem is the only one.
    """

    def get_accept_list(self, request: Request) -> list[str]:
        accepted: list[str] = super().get_accept_list(request)
        return ["application/json" if each == MEDIA_TYPE else each for each in accepted]
