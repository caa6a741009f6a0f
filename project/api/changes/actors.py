"""Who has made changes, by name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.contrib.auth import get_user_model

DELETED = "deleted account"


@dataclass(frozen=True)
class Actors:
    """The accounts that some changes name, with their usernames."""

    names: Mapping[str, str]

    @classmethod
    def of(cls, actors: Iterable[str | None], using: str) -> "Actors":
        model = get_user_model()
        keys = {actor for actor in actors if actor is not None and actor.isdecimal()}
        if not keys:
            return cls({})
        accounts = model._default_manager.using(using).filter(pk__in=keys)
        names = accounts.values_list("pk", model.USERNAME_FIELD)
        return cls({str(key): name for key, name in names})

    def actor(self, actor: str) -> dict[str, object]:
        """An account with its id; or a program, which has none, by its name."""
        if actor.isdecimal():
            return {"id": int(actor), "name": self.names.get(actor, DELETED)}
        return {"id": None, "name": actor}
