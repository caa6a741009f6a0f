"""What a write has done, told in its transaction: for all that must hold together with the rows."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import overload

from django.db import models
from django.dispatch import Signal

from ..models import Attrs, HandedOn

Model = type[models.Model]


class SignalOfAllModels(Signal):
    """A signal that is not for a single model: to connect to one would miss nested rows."""

    def connect(
        self,
        receiver: Callable[..., object],
        sender: object = None,
        *args: HandedOn,
        **kwargs: HandedOn,
    ) -> None:
        if sender is not None:
            raise TypeError("Connect without a sender, and look up the rows of your model.")
        super().connect(receiver, None, *args, **kwargs)


# Sent in the transaction of each write, after its last statement, with
#
# - `sender`: the model of the object that the request names. A write touches rows of others as
#   well, so connect without a sender.
# - `created`: by model, the new rows. They have their keys.
# - `changed`: by model, the rows whose columns differ now, each with what they held before, by the
#   attribute that holds the column's value: `{book: {"title": "Dune", "series_id": 7}}`.
# - `removed`: by model, the rows that are gone, also those that went with their owner. They still
#   have their keys and values.
#
# The three are complete: rows of many-to-many relations without a model of their own stand under
# `Book.subjects.through`, and a root whose `version` rose is among the changed. A model without
# such rows is left out, so ask `created.get(Book, ())` and `changed.get(Book, {})`. A write that
# changes nothing sends nothing.
#
# A receiver sees in the database what the write has made. What it raises ends the request and
# takes back the write: a validation error or `Refused` is answered as such. It may be called again
# for the same request, since a write that lost a race is made again; so it does in the transaction
# what the transaction can take back, and the rest in `transaction.on_commit`.
#
# The API sends it once for each write, the admin's pages (AggregateRootAdmin) once for each page
# that is saved. To delete what many refer to sends it more than once, in one transaction: for each
# `BLOCK` of rows that let go, and for what is removed. An import sends it once for each of its
# batches. There a list of rows makes its instances when it is looked into; its `columns` are the
# rows as dictionaries, which costs nothing; and rows of what books own have no keys yet.
rows_written = SignalOfAllModels()


class InsertedRows(Sequence[models.Model]):
    """Rows that went past the ORM: `columns` has their values, by the columns' attributes."""

    def __init__(self, model: Model, columns: Sequence[Attrs]) -> None:
        self.model = model
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns)

    @overload
    def __getitem__(self, place: int) -> models.Model: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[models.Model]: ...
    def __getitem__(self, place: int | slice) -> models.Model | Sequence[models.Model]:
        if isinstance(place, slice):
            return InsertedRows(self.model, self.columns[place])
        return self._instance(self.columns[place])

    def _instance(self, columns: Mapping[str, object]) -> models.Model:
        fields = [f for f in self.model._meta.concrete_fields if f.attname in columns]
        return self.model(**{f.attname: f.to_python(columns[f.attname]) for f in fields})


class WrittenRows:
    """The rows of one write, gathered for the signal."""

    def __init__(self) -> None:
        self.created: dict[Model, Sequence[models.Model]] = {}
        self.changed: dict[Model, dict[models.Model, Attrs]] = defaultdict(dict)
        self.removed: dict[Model, list[models.Model]] = defaultdict(list)

    def change(self, instance: models.Model, values: Mapping[str, object]) -> None:
        """Note that a row, which a statement has changed, has these values now."""
        before = self.changed[type(instance)].setdefault(instance, {})
        for name, value in values.items():
            before.setdefault(name, getattr(instance, name))
            setattr(instance, name, value)

    def announce(self, sender: Model) -> None:
        if self.created or self.changed or self.removed:
            rows_written.send(
                sender, created=self.created, changed=self.changed, removed=self.removed
            )
