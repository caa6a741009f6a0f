"""Authors of whom a file names no book."""

from collections.abc import Iterable

from authors.models import OtherName
from authors.serializers import AuthorItem, OtherNameItem
from project.api.models import normalized_name
from project.api.relations import MAX_ITEMS, Owned

LONGEST = OtherName._meta.get_field("name").max_length


class AuthorRow(AuthorItem):
    """The body of such a row: what an author inside of a book says, and the other names."""

    other_names = OtherNameItem(many=True, required=False)

    class Meta(AuthorItem.Meta):
        fields = [*AuthorItem.Meta.fields, "other_names"]
        relations = [Owned("other_names")]


def other_names(names: Iterable[object] | None) -> list[dict[str, str]]:
    """What of these can be an author's other names, each once."""
    texts = (normalized_name(each) for each in names or () if isinstance(each, str))
    distinct = dict.fromkeys(text for text in texts if 0 < len(text) <= (LONGEST or 0))
    return [{"name": name} for name in list(distinct)[:MAX_ITEMS]]
