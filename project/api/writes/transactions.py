"""A write carried out: one transaction, made again where another request came between."""

import random
from collections.abc import Callable
from time import sleep
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, OperationalError, models, transaction
from django.db.models.deletion import ProtectedError, RestrictedError
from django.http import Http404

from ..databases.errors import RETRYABLE
from ..files import new_files
from .deletions import raise_versions_of_owners, release, remove
from .items import Edit, Node, look_up_names
from .planning import plan
from .signals import WrittenRows
from .unit_of_work import RowState, UnitOfWork

ATTEMPTS = 5
PAUSE = 0.02  # seconds

Confirm = Callable[[models.Model], None]
Result = TypeVar("Result")


def write(
    serializer: Any,
    instance: models.Model | None,
    attrs: dict[str, Any],
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

    return retried(attempt)


def write_item(
    serializer: Any,
    owner: models.Model,
    name: str,
    edit: Edit,
    confirm: Confirm | None = None,
) -> models.Model | None:
    """Change one item of the list `name` that `owner` owns; the item, or None where it is gone.

    The item comes with its owner, whose version has risen.
    """
    relation: Any = serializer.Meta.model._meta.get_field(name)
    model = relation.related_model

    def attempt() -> models.Model | None:
        work, written, root = _write(serializer, owner, {name: edit})
        items = [
            row.instance
            for row in work.rows[model]
            if (row.is_new if edit.id is None else row.instance.pk == edit.id)
        ]
        item = items[0] if items else None
        if item is not None:
            setattr(item, relation.field.name, root)
            if confirm is not None:
                confirm(item)
        written.announce(type(root))
        return item

    return retried(attempt)


def delete(instance: models.Model) -> None:
    """Delete an object with all that it owns.

    What refers to it lets go of it, which raises the version of the roots concerned; what may not
    let go raises ProtectedError or RestrictedError. Http404 where another request was faster.
    """

    def attempt() -> None:
        model = type(instance)
        locked = model._default_manager.select_for_update().filter(pk=instance.pk).first()
        if locked is None:
            raise Http404
        for written in release(locked):
            written.announce(model)
        written = WrittenRows()
        remove([locked], written)
        raise_versions_of_owners(written)
        written.announce(model)

    retried(attempt)


def retried(attempt: Callable[[], Result]) -> Result:
    """The result of an atomic attempt, which is made again where another request came between.

    Who loses a race for a unique value, or refers to a row that has just gone, looks again: the
    second look sees what won, and refuses as if it had always been there.
    """
    for attempts in range(1, ATTEMPTS):
        try:
            with new_files(), transaction.atomic():
                return attempt()
        except (ProtectedError, RestrictedError):
            raise
        except IntegrityError:
            continue
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in RETRYABLE:
                raise
            # Apart from those who lost together with this one.
            sleep(random.uniform(0, attempts * PAUSE))  # noqa: S311
    with new_files(), transaction.atomic():
        return attempt()


def _write(
    serializer: Any, instance: models.Model | None, attrs: dict[str, Any]
) -> tuple[UnitOfWork, WrittenRows, models.Model]:
    work = UnitOfWork(_request_of(serializer))
    if instance is None:
        row = RowState.new(serializer.Meta.model(), "", None)
    else:
        manager = type(instance)._default_manager
        locked = manager.select_for_update(no_key=True).filter(pk=instance.pk).first()
        if locked is None:
            raise Http404
        row = RowState.stored(locked, "", None)
    look_up_names(work, serializer, attrs)
    plan(work, serializer, [Node(work.add(row), dict(attrs))])
    work.check(serializer.context.get("view"), row)
    return work, work.execute(), row.instance


def _request_of(serializer: Any) -> Any:
    """The request that is to be judged; None where the program says that there is none."""
    try:
        return serializer.context["request"]
    except KeyError:
        raise ImproperlyConfigured(
            f"Give {type(serializer).__name__} the request, whose permissions a write asks:"
            ' context={"request": request}; or {"request": None} where nobody asks.'
        ) from None
