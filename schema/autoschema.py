"""How a view becomes operations of the contract.

What a caller can't see from types is derived from the view, never declared a second time: the
names of operations, who may call them, and the problems that they answer with.
"""

import logging

from drf_spectacular.drainage import error
from drf_spectacular.plumbing import ComponentRegistry

from project.api.http.renderers import PARTIAL_MEDIA_TYPE
from project.api.lists.parameters import Schema
from project.api.models import HandedOn

from .parameters import COMMON_PARAMETERS, Parameters, place_of
from .responses import Responses

logger = logging.getLogger(__name__)


class AutoSchema(Parameters, Responses):
    def get_operation(self, *args: HandedOn, **kwargs: HandedOn) -> Schema | None:
        """The operation; None, with an error in the log, where a view cannot be described.

        Whatever goes wrong in code of a view that is called without a request, its serializer's or
        its permissions', costs that operation its place in the contract, and no other. `make
        schema` fails and names it.
        """
        registry: ComponentRegistry = kwargs["registry"] if "registry" in kwargs else args[-1]
        whole = dict(registry._components)
        try:
            return self._operation(*args, **kwargs)
        except Exception as exception:
            # What was begun for it.
            registry._components = whole
            here = f"{self.method} {self.path}"
            logger.exception("%s is left out of the contract.", here)
            error(f"{here} is left out of the contract: {exception!r}")
            return None

    def _operation(self, *args: HandedOn, **kwargs: HandedOn) -> Schema | None:
        operation: Schema | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        operation.setdefault("security", [])
        if "requestBody" in operation:
            # Where it may be left out, some generated clients put it last of all arguments.
            operation["requestBody"]["required"] = True
        conditions = self._conditions()
        if conditions or "parameters" in operation:
            parameters = operation.get("parameters", [])
            # A filter comes last.
            place = sum(place_of(each) < len(COMMON_PARAMETERS) for each in parameters)
            parameters = self._shared(parameters)
            operation["parameters"] = [*parameters[:place], *conditions, *parameters[place:]]
        responses = operation["responses"]
        for status, response in responses.items():
            if not response.get("description") or "content" not in response:
                response["description"] = self._success(status)
        if "201" in responses and self._says_where:
            responses["201"].setdefault("headers", {})["Location"] = {
                "description": "The URL of what is created.",
                "schema": {"type": "string", "format": "uri"},
            }
        content = responses.get("200", {}).get("content", {})
        if self._is_chosen_from and "application/json" in content:
            schema = self._partial(content["application/json"]["schema"])
            content[PARTIAL_MEDIA_TYPE] = {"schema": schema}
        self._tag(responses)
        for status in sorted(self._problem_statuses()):
            responses[str(status)] = self._problem_response(status)
        return operation
