"""A write carried out: one transaction, made again where another request came between."""

import random
from collections.abc import Callable, Mapping, Sequence
from time import sleep
from typing import Any, NamedTuple, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, OperationalError, models, transaction
from django.db.models.deletion import ProtectedError, RestrictedError
from django.http import Http404

from ..databases.bound import by_key
from ..databases.errors import has_lost_a_race
from ..databases.transactions import check_deferred
from ..files import new_files
from ..models import Attrs
from ..relations import RelatedSerializer
from .attribution import attribute_writes
from .deletions import raise_versions_of_owners, release, remove
from .former_keys import Name, survivors
from .items import Edit, Node, look_up_names
from .planning import plan
from .signals import WrittenRows
from .unit_of_work import RowState, UnitOfWork

ATTEMPTS = 5
PAUSE = 0.02  # seconds

Confirm = Callable[[models.Model], None]
Result = TypeVar("Result")


class Change(NamedTuple):
    """What the request says of one of its objects, at this place: None is a new one."""

    instance: models.Model | None
    attrs: Attrs
    pointer: str = ""


def write(
    serializer: RelatedSerializer,
    instance: models.Model | None,
    attrs: Attrs,
    confirm: Confirm | None = None,
) -> models.Model:
    """Create or update an object with all that `attrs` says of its relations, or change nothing.

    `confirm` sees the object inside the transaction and may still refuse it.
    """

    def attempt() -> models.Model:
        _, written, root = _write(serializer, instance, attrs)
        if confirm is not None:
            confirm(root)
        written.announce(type(root))
        return root

    return retry(attempt)


def write_item(
    serializer: RelatedSerializer,
    owner: models.Model,
    name: str,
    edit: Edit,
    confirm: Confirm | None = None,
) -> models.Model | None:
    """Change one item of the list `name` that `owner` owns, or by an edit within the edit one that
    such an item owns; the item, or None where it is gone.

    The item comes with its owners, of which the root's version has risen.
    """
    relation = serializer.Meta.model._meta.get_field(name)
    keys, last = [relation.field], edit
    while within := [each for each in (last.attrs or {}).items() if isinstance(each[1], Edit)]:
        [(inner, last)] = within
        relation = relation.related_model._meta.get_field(inner)
        keys.append(relation.field)

    def attempt() -> models.Model | None:
        work, written, root = _write(serializer, owner, {name: edit})
        items = [
            row.instance
            for row in work.rows[keys[-1].model]
            if (row.is_new if last.id is None else row.instance.pk == last.id)
        ]
        item = items[0] if items else None
        if item is not None:
            below = item
            for key in reversed(keys):
                above = work.instance(key.related_model, getattr(below, key.attname))
                setattr(below, key.name, above)
                below = above
            if confirm is not None:
                confirm(item)
        written.announce(type(root))
        return item

    return retry(attempt)


def delete(instance: models.Model, confirm: Callable[[models.Model], None] | None = None) -> None:
    """Delete an object with all that it owns; `confirm` sees it locked, and may refuse.

    What refers to it lets go of it, which raises the version of the roots concerned; what may not
    let go raises ProtectedError or RestrictedError. Http404 where another request was faster.
    """

    def attempt() -> None:
        queryset = type(instance)._default_manager.select_for_update()
        locked = queryset.filter(pk=instance.pk).first()
        if locked is None:
            raise Http404
        if confirm is not None:
            confirm(locked)
        delete_locked([locked])

    retry(attempt)


def write_locked(serializer: RelatedSerializer, changes: Sequence[Change]) -> list[models.Model]:
    """Write these objects of one model, the stored ones locked, in the caller's transaction.

    The number of statements does not depend on how many they are. Raises Refused with every fault.
    """
    work, written = _write_all(serializer, changes)
    written.announce(serializer.Meta.model)
    return [row.instance for row in work.tops]


def delete_locked(instances: Sequence[models.Model]) -> None:
    """Delete these locked objects of one model as `delete` does, in the caller's transaction."""
    model = type(instances[0])
    for written in release(instances):
        written.announce(model)
    written = WrittenRows()
    remove(instances, written)
    raise_versions_of_owners(written)
    written.announce(model)


def retry(attempt: Callable[[], Result]) -> Result:
    """The result of an atomic attempt, which is made again where another request came between.

    Who loses a race for a unique value, or refers to a row that has just gone, looks again: the
    second look sees what won, and refuses as if it had always been there.
    """
    for attempts in range(1, ATTEMPTS):
        try:
            with new_files(), attribute_writes():
                result = attempt()
                check_deferred()
                return result
        except (ProtectedError, RestrictedError):
            raise
        except IntegrityError:
            continue
        except OperationalError as error:
            # Within another transaction, that one would have to be made again.
            if not has_lost_a_race(error) or transaction.get_connection().in_atomic_block:
                raise
            # Apart from those who lost together with this one.
            sleep(random.uniform(0, attempts * PAUSE))  # noqa: S311
    with new_files(), attribute_writes():
        return attempt()


def _write(
    serializer: RelatedSerializer, instance: models.Model | None, attrs: Attrs
) -> tuple[UnitOfWork, WrittenRows, models.Model]:
    if instance is not None:
        instance = by_key(type(instance), instance.pk, lock=True)
        if instance is None:
            raise Http404
    work, written = _write_all(serializer, [Change(instance, attrs)])
    return work, written, work.tops[0].instance


def _write_all(
    serializer: RelatedSerializer,
    changes: Sequence[Change],
    known: Mapping[Name, int] | None = None,
) -> tuple[UnitOfWork, WrittenRows]:
    """Plan and carry out. `known` is what the ids mean that merged objects had."""
    work = UnitOfWork(_request_of(serializer))
    work.survivors |= known or {}
    for instance, _, pointer in changes:
        if instance is None:
            row = RowState.new(serializer.Meta.model(), pointer, None)
        else:
            row = RowState.stored(instance, pointer, None)
        work.tops.append(work.add(row))
    bodies = [dict(change.attrs) for change in changes]
    look_up_names(work, serializer, bodies)
    plan(work, serializer, [Node(*each) for each in zip(work.tops, bodies, strict=True)])
    if known is None and (found := survivors(work.absent)):
        # Rarely; else every write would ask for it.
        return _write_all(serializer, _as_stored(changes), found)
    work.check(serializer.context.get("view"))
    return work, work.execute()


def _as_stored(changes: Sequence[Change]) -> list[Change]:
    """The same of rows that no plan has touched."""
    rows = [change.instance for change in changes if change.instance is not None]
    stored = type(rows[0])._default_manager.in_bulk([row.pk for row in rows]) if rows else {}
    return [
        change if (row := change.instance) is None else change._replace(instance=stored[row.pk])
        for change in changes
    ]


def _request_of(serializer: RelatedSerializer) -> Any:
    """The request that is to be judged; None where the program says that there is none."""
    try:
        return serializer.context["request"]
    except KeyError:
        raise ImproperlyConfigured(
            f"Give {type(serializer).__name__} the request, whose permissions a write asks:"
            ' context={"request": request}; or {"request": None} where nobody asks.'
        ) from None
