"""What a bulk request says of each object, and why an item is refused. docs/bulk.md shows it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db import models
from rest_framework import exceptions, serializers
from rest_framework.exceptions import APIException

from ..fields import KeyField, SerializerField, StrictIntegerField, StrictUUIDField
from ..http.handlers import describe
from ..http.problems import Fault, PayloadTooLarge, Refused, faults_of, pointer
from ..models import Attrs

# What each list does, in the order in which they are carried out.
METHODS = {"delete": "DELETE", "update": "PATCH", "create": "POST"}
STATUSES = {"delete": 204, "update": 200, "create": 201}
MAX_ITEMS = 200
# What an item says of a stored object beside its properties.
ADDRESS: Mapping[str, SerializerField] = {
    "id": KeyField(help_text="The id of the object."),
    "uid": StrictUUIDField(help_text="The uid of the object, where there is no `id`."),
    "version": StrictIntegerField(
        min_value=1, help_text="The version that the object must have, else 412."
    ),
}


@dataclass(frozen=True)
class Refusal:
    """Why an item is refused, with pointers into the body of the request."""

    status: int
    detail: str
    code: str
    faults: Sequence[Fault]
    # What its problem has beside these.
    members: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, error: APIException, prefix: str) -> "Refusal":
        """What this error says of the item at this place."""
        detail, code, faults = describe(error)
        located = [replace(each, pointer=prefix + (each.pointer or "")) for each in faults]
        return cls(error.status_code, detail, code, located, getattr(error, "members", {}))

    def faults_at(self, prefix: str) -> Sequence[Fault]:
        return self.faults or [Fault(self.code, self.detail, pointer=prefix)]


class RefusedBulk(Refused):
    """All that speaks against a request that is to be carried out as a whole.

    With the status of all its faults, 400 where they differ.
    """

    def __init__(self, refusals: Mapping["Item", Refusal]) -> None:
        super().__init__(
            [each for item, refusal in refusals.items() for each in refusal.faults_at(item.pointer)]
        )
        statuses = {refusal.status for refusal in refusals.values()}
        self.status_code = statuses.pop() if len(statuses) == 1 else 400
        [code, *others] = dict.fromkeys(refusal.code for refusal in refusals.values())
        self.detail = exceptions.ErrorDetail(
            "Nothing is written, since items are refused.", "invalid" if others else code
        )


@dataclass(eq=False)
class Item:
    """What the request says of one object, and what has become of it."""

    action: str
    place: int
    body: Attrs
    pk: object = None
    uid: UUID | None = None
    version: int | None = None
    # The body as its serializer validates it.
    attrs: Attrs | None = None
    # The object once it is written.
    written: models.Model | None = None
    # What is answered, whatever else the request does.
    status: int | None = None
    document: bytes | None = None

    @property
    def pointer(self) -> str:
        return pointer(self.action, self.place)

    def take_address(self) -> Iterator[Fault]:
        """Take out of the body which object is meant; what is wrong with that."""
        names: list[str] = [name for name in ("id", "version") if name in self.body]
        named = {name: self.body.pop(name) for name in names}
        if "uid" in self.body and ("id" not in named or self.action == "delete"):
            named["uid"] = self.body.pop("uid")
        if not named.keys() & {"id", "uid"}:
            yield Fault("required", "Give an `id` or a `uid`.", self.pointer)
        for name, value in named.items():
            try:
                setattr(self, "pk" if name == "id" else name, ADDRESS[name].run_validation(value))
            except serializers.ValidationError as error:
                yield from faults_of(error.detail, self.pointer + pointer(name))
        if self.action == "delete":
            for name in self.body:
                yield Fault("unknown", "There is no such property.", self.pointer + pointer(name))


def read_bulk(data: object) -> tuple[list[Item], bool]:
    """The items of a body in the order in which they are carried out, and whether each stands
    alone. Raises Refused or PayloadTooLarge."""
    if not isinstance(data, dict):
        raise Refused([Fault("invalid", "A bulk is an object of lists.", "")])
    faults = [
        Fault("unknown", "There is no such property.", pointer(name))
        for name in data.keys() - {*METHODS, "partial"}
    ]
    is_partial = data.get("partial", False)
    if not isinstance(is_partial, bool):
        faults.append(Fault("invalid", "Give true or false.", "/partial"))
    items = []
    for action in METHODS:
        listed = data.get(action, [])
        if not isinstance(listed, list):
            faults.append(Fault("not_a_list", "Give a list of items.", pointer(action)))
            continue
        for place, body in enumerate(listed):
            if isinstance(body, dict):
                items.append(Item(action, place, dict(body)))
            else:
                faults.append(Fault("invalid", "An item is an object.", pointer(action, place)))
    if faults:
        raise Refused(faults)
    if len(items) > MAX_ITEMS:
        raise PayloadTooLarge(f"A bulk has at most {MAX_ITEMS} items.")
    return items, is_partial
