"""What an operation is called, and the words that it is described in."""

from rest_framework.permissions import SAFE_METHODS
from rest_framework.viewsets import ViewSetMixin

from .access import Access
from .wording import METHOD_SUMMARIES, METHOD_VERBS, VERBS, camel_case

EXPORT = (
    "Who is logged in gets all of it, not a page, as `text/csv` or `application/x-ndjson`, by "
    "`Accept` or by `format`. Where as many exports are under way as there may be at once, the "
    "answer is 503 `busy`."
)


class Names(Access):
    def get_operation_id(self) -> str:
        words = self._path_words
        if not isinstance(self.view, ViewSetMixin):
            variables = [name for name in self._variables() if name not in words]
            by = ["by", *variables] if variables else []
            return camel_case(VERBS.get(self.action) or METHOD_VERBS[self.method], *words, *by)
        *parents, one = (getattr(self.view, "basename", None) or "-".join(words) or "root").split(
            "-"
        )
        if self.action == "list" and words:
            return self._name(self.action, [*(parents if len(words) > 1 else ()), words[-1]])
        if self._is_bulk:
            return camel_case(VERBS["bulk"], words[-2])
        if self._is_resource:
            return self._name(self.action, [*parents, one])
        extra = self._extra_action
        verbs = [self.action]
        if extra is not None and [*extra.mapping.values()].count(self.action) > 1:
            verbs = [METHOD_VERBS[self.method], self.action]
        if extra is None or extra.detail:
            return camel_case(*verbs, *parents, one)
        own = len([word for word in extra.url_path.split("/") if word and word[0] not in "<("])
        return camel_case(*verbs, *parents, *(words[: len(words) - own][-1:] or [one]))

    def _variables(self) -> list[str]:
        return [part.strip("{}") for part in self.path.split("/") if part.startswith("{")]

    @staticmethod
    def _name(action: str, nouns: list[str]) -> str:
        return camel_case(VERBS[action], *(noun.lower() for noun in nouns))

    def get_summary(self) -> str | None:
        if self._is_resource:
            return self._resource.summary(self.action)
        name = str(self.view.get_view_name()).capitalize()
        methods = {*self.view.allowed_methods} - {"HEAD", "OPTIONS"}
        if extra := self._extra_action:
            methods = {method for method, name in extra.mapping.items() if name == self.action}
            name = self.action.replace("_", " ").capitalize()
            if self.action == extra.__name__:
                name = str(extra.kwargs.get("name", name))
        if len(methods) == 1:
            return name
        return f"{METHOD_SUMMARIES[self.method]} {name[:1].lower()}{name[1:]}"

    def get_tags(self) -> list[str]:
        return self._path_words[:1]

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        """What the operation does, by its own docstring or in our words, then who may.

        Of a class's docstring the first paragraph says what there is, and so describes the list;
        what follows holds for whatever changes it.
        """
        first, *notes = paragraphs(type(self.view).__doc__) or [""]
        if words := self._own_words():
            notes = []
        elif not self._is_resource:
            words = [first or f"{self.get_summary()}."]
        elif first and (self.action == "list" or self._is_only_one):
            words = [first]
        else:
            words = [self._resource.meaning(self.action)]
        if self.action == "list" and self._is_exported:
            words.append(EXPORT)
        if self._is_resource and self.method in SAFE_METHODS and not self._is_only_one:
            notes = []
        who = [self._who_may()] if self.view.get_authenticators() else []
        return "\n\n".join([*words, *notes, *who])

    def _own_words(self) -> list[str]:
        """The docstring of the operation itself, unless it speaks of every view's."""
        module = getattr(self._handler, "__module__", "rest_framework")
        general = module.startswith(("rest_framework", "project.api."))
        return [] if general else paragraphs(self._handler.__doc__)


def paragraphs(text: str | None) -> list[str]:
    return [" ".join(each.split()) for each in (text or "").split("\n\n") if each.strip()]
