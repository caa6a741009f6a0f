"""What the contract says of an operation in English, where its view says nothing itself."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from django.conf import settings

from project.api.writes.bulk_items import MAX_ITEMS

# By the action of a resource: the verb in code, the summary, and the answer
VERBS = {
    "list": "list",
    "retrieve": "get",
    "create": "create",
    "update": "update",
    "partial_update": "partialUpdate",
    "destroy": "delete",
    "bulk": "bulk",
    "link": "add",
    "unlink": "remove",
    "merge": "merge",
}
SUMMARIES = {
    "list": "List {many}",
    "retrieve": "Get {one}",
    "create": "Create {one}",
    "update": "Update {one}",
    "partial_update": "Update some properties of {one}",
    "destroy": "Delete {one}",
    "bulk": "Write many {many} at once",
    "link": "Add {item} to {owner}",
    "unlink": "Remove {item} from {owner}",
    "merge": "Merge {one} into another",
}
ANSWERS = {
    "list": "A page of {many}.",
    "retrieve": "The {noun}.",
    "create": "The new {noun}.",
    "update": "The {noun}, as it is stored now.",
    "partial_update": "The {noun}, as it is stored now.",
    "destroy": "The {noun} is deleted.",
    "bulk": "What has become of each item, in the order of the request.",
    "link": "It has the {noun}.",
    "unlink": "It does not have the {noun}.",
    "merge": "The {noun} that stays, as it is stored now.",
}
# By the method of whatever else
METHOD_VERBS = {
    "GET": "get",
    "POST": "post",
    "PUT": "update",
    "PATCH": "partialUpdate",
    "DELETE": "delete",
}
METHOD_SUMMARIES = {
    "GET": "Get",
    "POST": "Post",
    "PUT": "Update",
    "PATCH": "Update some of",
    "DELETE": "Delete",
}
SUCCESSES = {
    "200": "The result.",
    "201": "Created.",
    "204": "Done; the answer has no body.",
}
RELATIONS = "A relation that is left out stays as it is; `null` or `[]` empties it."


@dataclass(frozen=True)
class Resource:
    """The nouns for what a view shows, and what is to be said of each of them."""

    noun: str
    plural: str
    parent: str | None = None
    # Whether the path names one of them, so that it can be called `the` one.
    is_named: bool = True
    nests: bool = False
    # What it owns, which is deleted with it
    owned: tuple[str, ...] = ()
    # Whether it belongs to the parent alone, or has a URL of its own as well
    is_shared: bool = False
    is_referred_to: bool = False

    def _format(self, template: str) -> str:
        of = f" of {with_article(self.parent)}" if self.parent else ""
        return template.format(
            one=with_article(self.noun) + of,
            many=f"the {self.plural}{of}" if of else self.plural,
            noun=self.noun,
            item=with_article(self.noun),
            owner=with_article(self.parent or ""),
        )

    @property
    def _one_here(self) -> str:
        """The object that the path names, with the parent below which it does."""
        return f"{self.noun} of this {self.parent}" if self.parent else self.noun

    def summary(self, action: str) -> str:
        return self._format(SUMMARIES[action])

    def answer(self, action: str) -> str:
        return self._format(ANSWERS[action])

    def meaning(self, action: str) -> str:
        """What the operation does, in one sentence or some."""
        return " ".join(filter(None, getattr(self, f"_{action}")()))

    def _list(self) -> Iterable[str]:
        yield self._format("Lists {many}, a page at a time.")

    def _retrieve(self) -> Iterable[str]:
        if not self.is_named:
            yield f"Gives the {self.noun}."
        elif self.parent:
            yield f"Gives the {self.noun} with this id, if it belongs to this {self.parent}."
        else:
            yield f"Gives the {self.noun} with this id."

    def _create(self) -> Iterable[str]:
        below = f" that belongs to this {self.parent}" if self.parent else ""
        yield f"Creates {with_article(self.noun)}{below}."
        if self.nests:
            yield "Relations can be given as keys or as nested objects, which are created with it."

    def _update(self) -> Iterable[str]:
        yield (
            f"Updates the {self._one_here}: the required properties must be there, and any other "
            "that is left out keeps its value."
        )
        if self.nests:
            yield RELATIONS

    def _partial_update(self) -> Iterable[str]:
        yield (
            f"Changes the properties of the {self._one_here} that are in the body; the others keep "
            "their values."
        )
        if self.nests:
            yield RELATIONS

    def _destroy(self) -> Iterable[str]:
        owned = f" with its {in_words(self.owned, 'and')}" if self.owned else ""
        yield f"Deletes the {self._one_here}{owned}."
        if self.is_shared:
            yield f"It is gone at its own URL as well, not only from this {self.parent}."
        if self.is_referred_to:
            yield "As long as others refer to it, it stays: 409 `in_use` names them."

    def _bulk(self) -> Iterable[str]:
        yield (
            f"Deletes, updates and creates {self.plural}, in this order and in one transaction. A "
            f"request has at most {MAX_ITEMS} items, which hold at most {settings.MAX_OBJECTS:,} "
            "objects; more are 413.\n\n"
            "An item of `create` is what POST takes. One of `update` is what PATCH takes, with the "
            "`id` or the `uid` of the object; one of `delete` has that alone. With a `version`, "
            "it is refused where the object has another one by now: 412. To delete a `uid` that "
            "does not exist is a success.\n\n"
            "If an item is refused, nothing is written: the answer has the status of all faults, "
            "or 400 if they differ, and each `pointer` begins at the list, as `/update/3/title`. "
            "With `partial` each item stands alone: the answer is 200 and has the status of each, "
            "and beside a 412 the object as it is stored now."
        )

    def _link(self) -> Iterable[str]:
        yield (
            f"Adds the {self.noun} with this id to the {self.parent}, whose other {self.plural} are"
            " neither read nor sent. If it has it already, nothing changes."
        )

    def _unlink(self) -> Iterable[str]:
        yield (
            f"Removes the {self.noun} with this id from the {self.parent}; neither of the two is"
            f" deleted. If the {self.parent} does not have it, nothing changes."
        )

    def _merge(self) -> Iterable[str]:
        yield (
            f"Makes two {self.plural} one: what refers to this one refers to `into` from then on, "
            "which gets what it did not know, and this one is deleted. What both know stays as it "
            "is there.\n\n"
            "Who reads this one later is led to the other by 308, and who writes it is answered "
            "410 `merged`. A body or an import that names it, by its `id`, its `uid` or a key, "
            "links the other. It cannot be restored."
        )


def success(status: str) -> str:
    """What an answer with this status means, of whatever it is the answer to."""
    if status in SUCCESSES:
        return SUCCESSES[status]
    return f"{HTTPStatus(int(status)).phrase}." if status.isdecimal() else "The result."


def role_requirement(roles: list[str], everyone: int) -> str:
    """Who may, of `everyone` roles that there are."""
    if len(roles) == everyone:
        return "Requires a login."
    return f"Requires the role {in_words(roles, 'or')}." if roles else "Is refused to every role."


def with_article(noun: str) -> str:
    # Of our nouns only “user” begins with a u.
    return f"{'an' if noun[:1].lower() in tuple('aeio') else 'a'} {noun}"


def in_words(words: Iterable[str], conjunction: str) -> str:
    """“a”, “a or b”, “a, b or c”."""
    *first, last = words
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def camel_case(*names: str) -> str:
    """One identifier of the words in all of these: `partialUpdate`, `author-book`, `top_rated`."""
    first, *others = (word for name in names for word in re.split(r"[\W_]+", name) if word)
    return first + "".join(word[:1].upper() + word[1:] for word in others)
