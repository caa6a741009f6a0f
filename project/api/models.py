"""Bricks for models: the aggregate root, names, and fields that are made from other fields."""

import re
import unicodedata
import uuid
from calendar import monthrange
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import regex
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q
from django.db.models.functions import Substr
from django.db.models.lookups import In
from django.db.models.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    _CharField = models.CharField[str, str]
    _UUIDField = models.UUIDField[str | uuid.UUID, uuid.UUID]
    # Of whatever model: what values it takes, nobody checks.
    ModelField: TypeAlias = models.Field[Any, Any]
    ForeignKey: TypeAlias = models.ForeignKey[Any, Any]
else:
    # No generics at run time.
    _CharField, _UUIDField = models.CharField, models.UUIDField
    ModelField, ForeignKey = models.Field, models.ForeignKey

# Of rows of whatever model, or of values of them: what it can be filtered by, nobody checks.
AnyQuerySet: TypeAlias = models.QuerySet[Any]
# What an expression compiles to: the statement's part, and its parameters.
SQL: TypeAlias = tuple[str, tuple[Any, ...]]
# What a serializer has validated or shows of an object, or its row holds, by the field's name.
Attrs: TypeAlias = dict[str, Any]


class RandomUUID(models.Func):
    """A random UUID (RFC 9562, version 4), made by the database for rows that bring none."""

    template = "gen_random_uuid()"
    output_field = models.UUIDField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: object
    ) -> SQL:
        # Two of its 16 bytes begin with what says version and variant.
        version = "'-4' || substr(hex(randomblob(2)), 2)"
        variant = "'-' || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2)"
        parts = ["hex(randomblob(4)) || '-' || hex(randomblob(2))", version, variant]
        return f"(lower({' || '.join(parts)} || '-' || hex(randomblob(6))))", ()


class HyphenatedUUIDField(_UUIDField):
    """A UUID that is stored as documents show it where a database has no type for it.

    To put hyphens between Django's 32 digits took SQLite an eighth of a list's processor time.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        native = connection.features.has_native_uuid_field
        return super().db_type(connection) if native else "char(36)"

    def get_db_prep_value(
        self, value: object, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> object:
        if connection.features.has_native_uuid_field:
            return super().get_db_prep_value(value, connection, prepared)
        return None if value is None else str(self.to_python(value))


class AggregateRoot(models.Model):
    """A thing with a life of its own: what it owns is written together with it.

    `version` starts at 1 and rises by 1 with every write that changes the root or what it owns.
    """

    # The foreign key to the account that alone sees the object. The feed then tells nobody else of
    # its deletion.
    private_to: ClassVar[str | None] = None
    # Whether one object can be merged into another: then its viewset has `{id}/merge/`.
    is_mergeable: ClassVar[bool] = False

    # No default in Python alone: rows also come from bulk statements and from hands with SQL.
    uid = HyphenatedUUIDField(
        "UID",
        default=uuid.uuid4,
        db_default=RandomUUID(),
        unique=True,
        help_text="A UUID that a client may choose when it creates the object; it never changes.",
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def take_over(self, gone: Self) -> list[models.Model]:
        """New rows that it owns once another object is merged into it, beside that one's own."""
        return []


class Definition(models.Model):
    """Of a trigger, or of what a search finds, as a `migrate` has made it: its digest.

    A server that finds its own here, and another in its place, is older than the database, and
    serves on. One that does not is newer, and waits for its `migrate`.
    """

    digest = models.CharField(max_length=64, primary_key=True)

    def __str__(self) -> str:
        return self.digest

    @classmethod
    def note(cls, using: str, digests: Collection[str]) -> None:
        if cls._is_there(using):
            for each in {*digests} - cls.noted(using, digests):
                cls._default_manager.using(using).get_or_create(digest=each)

    @classmethod
    def noted(cls, using: str, digests: Collection[str]) -> set[str]:
        if not digests or not cls._is_there(using):
            return set()
        rows = cls._default_manager.using(using).filter(digest__in=digests)
        return set(rows.values_list("digest", flat=True))

    @classmethod
    def _is_there(cls, using: str) -> bool:
        return cls._meta.db_table in connections[using].introspection.table_names()


class StoredAnswer(models.Model):
    """What a write with an `Idempotency-Key` was answered, for whoever repeats it within 24 h."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    method = models.CharField(max_length=16)
    path = models.TextField()
    # SHA-256, in hexadecimal digits.
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    content = models.BinaryField(default=b"")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once_per_user")
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class FormerKey(models.Model):
    """What an object was called by that was merged into another: whoever still says it means that.

    `name` is that of a column: the id, the uid, or one by which people tell objects apart.
    """

    # The model's label, `authors.author`.
    kind = models.CharField(max_length=100)
    name = models.CharField(max_length=100)
    value = models.CharField(max_length=900)
    # The key of the object that is left, at the end of however many mergers.
    survivor_id = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "name", "value"], name="former_key_is_of_one")
        ]
        indexes = [models.Index(fields=["kind", "survivor_id"], name="former_key_by_survivor")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.value}"


def normalized(text: str) -> str:
    """Text that people read, in Unicode's NFC: é is one character, however it was typed."""
    return unicodedata.normalize("NFC", text)


# What no font shows (Unicode Standard, section 5.21); and what is none of that, no blank and no
# control character but NUL, which is refused as what it is.
INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
_VISIBLE = regex.compile(r"[^\p{Default_Ignorable_Code_Point}\x01-\x1f\x7f-\x9f\s]")
# What pasted text has at its ends, unseen: soft hyphens, blanks without width, directions.
_UNSEEN = " \u00ad\u200b\u200e\u200f\u2060\ufeff"


def normalized_name(text: str) -> str:
    """A name or a title, which has single blanks as well, and nothing unseen around it.

    It is empty where nothing in it can be seen.
    """
    name = " ".join(normalized(text).split()).strip(_UNSEEN)
    return name if _VISIBLE.search(name) else ""


class NameFormField(forms.CharField):
    """A name or a title in a form, and in a filter."""

    def to_python(self, value: object) -> str | None:
        text = super().to_python(value)
        return text and normalized_name(text)


class NameField(_CharField):
    """A name or a title: one name has one spelling, so that whoever looks for it finds it."""

    def deconstruct(self) -> tuple[str, str, Sequence[object], dict[str, object]]:
        name, path, args, kwargs = super().deconstruct()
        # The database knows no difference, nor need a migration.
        return name, "django.db.models.CharField" if type(self) is NameField else path, args, kwargs

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        return super().formfield(**{"form_class": NameFormField, **kwargs})

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        value = normalized_name(getattr(model_instance, self.attname))
        setattr(model_instance, self.attname, value)
        return value


class Made:
    """For a field whose value other fields decide, where it is not given itself."""

    name: str
    attname: str

    def value_of(self, instance: object, stored: object = None) -> Any:
        """What this instance's value will be once it is saved.

        `stored` is the instance as it is stored, if it is. To say what is stored gives nothing.
        """
        raise NotImplementedError


class MadeFrom(Made, NameField):
    """Text that is made from the field `source`, and from those in `also`, when it is left empty.

    What was made follows its sources, what was given stays: a stored value that its stored sources
    make was made.
    """

    make: Callable[..., str]

    def __init__(self, *args: Any, source: str, also: Sequence[str] = (), **kwargs: Any) -> None:
        self.source = source
        self.also = tuple(also)
        kwargs.setdefault("blank", True)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[object], dict[str, object]]:
        name, path, args, kwargs = super().deconstruct()
        also = {"also": self.also} if self.also else {}
        return name, path, args, {**kwargs, "source": self.source, **also}

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source, *self.also)

    def made(self, instance: object) -> str:
        """What is made of this instance's sources; the first one itself if that is too long."""
        values = [getattr(instance, name) for name in self.sources]
        text = self.make(*values)
        return text if len(text) <= (self.max_length or 0) else values[0][: self.max_length]

    def value_of(self, instance: object, stored: object | None = None) -> str:
        value: str = getattr(instance, self.attname)
        if value and (stored is None or value != getattr(stored, self.attname)):
            return value
        if value and not self._follows(instance, stored):
            return value
        return self.made(instance)

    def _follows(self, instance: object, stored: object) -> bool:
        """Whether the sources change, and the stored value was made from them."""
        return any(
            getattr(instance, name) != getattr(stored, name) for name in self.sources
        ) and self.made(stored) == getattr(stored, self.attname)

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        setattr(model_instance, self.attname, self.value_of(model_instance))
        return super().pre_save(model_instance, add)


class SlugMadeFrom(MadeFrom):
    """The slug of `source`, unless one is given; with a number where another has it already."""

    # Django's `slugify` takes away the vowel signs of India's scripts, too.
    _without = regex.compile(r"(?V1)[^\p{L}\p{M}\p{N}_\s-]|[\p{M}&&\p{sc=Inherited}]")
    # To look for a pattern by its text takes `regex` 50 µs, more than all else that a slug does.
    _between = regex.compile(r"[-\s]+")

    @classmethod
    def make(cls, text: str) -> str:
        text = cls._without.sub("", unicodedata.normalize("NFKC", text).lower())
        return cls._between.sub("-", text).strip("-_")

    def made(self, instance: object) -> str:
        return self.make(getattr(instance, self.source))[: self.max_length]

    def _follows(self, instance: object, stored: object) -> bool:
        before = self.made(stored)
        return before != self.made(instance) and self.is_made(getattr(stored, self.attname), before)

    def is_made(self, slug: str, plain: str) -> bool:
        """Whether it is the `plain` slug, or that with a number."""
        number = slug.rpartition("-")[2]
        return slug == plain or (number.isdecimal() and slug == self._numbered(plain, number))

    def _numbered(self, slug: str, number: int | str) -> str:
        behind = f"-{number}"
        return slug[: (self.max_length or 0) - len(behind)] + behind

    def taken(self, slugs: set[str], own: Sequence[int | None] = ()) -> set[str]:
        """Those of these slugs that others have than the rows `own`.

        Whoever has the plain one is locked, so that of many at once each sees the others'.
        """
        others = self.model._default_manager.exclude(pk__in=own).select_for_update(no_key=True)
        rows = others.filter(**{f"{self.attname}__in": slugs}).order_by("pk")
        return set(rows.values_list(self.attname, flat=True))

    def distinct(self, slugs: Sequence[str], taken: Callable[[set[str]], set[str]]) -> list[str]:
        """Each of these slugs, with the first free number where it is taken or stands here twice.

        `taken` tells which of some slugs others have; it is asked once more where one is, rarely
        oftener.
        """
        used = taken(set(slugs))
        chosen: list[str | None] = []
        for slug in slugs:
            chosen.append(None if slug in used else slug)
            used.add(slug)
        numbers = 10 + len(slugs)
        while None in chosen:
            wanted = {slug for slug, found in zip(slugs, chosen, strict=True) if found is None}
            candidates = {
                slug: [self._numbered(slug, n) for n in range(2, numbers // len(wanted) + 12)]
                for slug in wanted
            }
            used |= taken({each for among in candidates.values() for each in among})
            for place, slug in enumerate(slugs):
                if chosen[place] is None:
                    chosen[place] = next((c for c in candidates[slug] if c not in used), None)
                    used.add(chosen[place] or slug)
            numbers *= 10
        return [slug for slug in chosen if slug is not None]


class ComputedFrom(MadeFrom):
    """What is always made of `source`: a column of its own, where an index needs one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def value_of(self, instance: object, stored: object | None = None) -> str:
        return self.made(instance)


class FoldedFrom(ComputedFrom):
    """The case-folded form of `source`: what makes a unique name case-insensitive.

    A column rather than an index on LOWER(), which on SQLite knows only ASCII.
    """

    @staticmethod
    def make(text: str) -> str:
        # Up to three times as long; NFKC's compatibility forms could be eighteen times.
        return normalized(normalized_name(text).casefold())


class StartOf(ComputedFrom):
    """The first characters of `source`, as many as an index surely takes: PostgreSQL's rows of one
    have 2,704 bytes, and a character up to 4."""

    length = 500

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"max_length": self.length, **kwargs})

    @classmethod
    def make(cls, text: str) -> str:
        return normalized_name(text)[: cls.length]


class NumberedFrom(ComputedFrom):
    """`source` in a form that sorts numbers as numbers, before other texts, and the blank last: 2,
    2-3, 2.5, 10, III."""

    @staticmethod
    def make(text: str) -> str:
        # Not what follows a point: those are tenths and hundredths.
        numbered = re.sub(
            r"(?<![0-9.])[0-9]+", lambda number: number[0].zfill(10), text.lstrip("# ").casefold()
        )
        return f"0{numbered}" if text else "1"


def not_blank(*fields: str, model: str) -> list[models.BaseConstraint]:
    """One constraint a field: the text has at least one character."""
    return [
        models.CheckConstraint(
            condition=~models.Q(**{field: ""}),
            name=f"{model}_{field}_not_blank",
            violation_error_message="This field may not be blank.",
        )
        for field in fields
    ]


FIRST_YEAR, LAST_YEAR = -9999, 9999


def validate_not_year_zero(value: int) -> None:
    """Historians count from 1 BCE (−1) to 1 CE (1)."""
    if value == 0:
        raise ValidationError("There is no year 0: 1 BCE is −1, 1 CE is 1.", "year_zero")


YEAR: list[Callable[[int], None]] = [
    MinValueValidator(FIRST_YEAR),
    MaxValueValidator(LAST_YEAR),
    validate_not_year_zero,
]


def year_in_range(field: str, *, name: str) -> models.BaseConstraint:
    """What YEAR validates, as a constraint."""
    in_range = models.Q(**{f"{field}__range": (FIRST_YEAR, LAST_YEAR)})
    return models.CheckConstraint(condition=in_range & ~models.Q(**{field: 0}), name=name)


# Dates that may lack their day, or their month and day: 1987-06-15, 1987-06, 1987 (ISO 8601-1,
# 5.2.2; EDTF level 0). As text they are in the order of their first days, and what is less exact
# comes first.
PARTIAL_DATE = r"^[0-9]{4}(-(0[1-9]|1[0-2])(-[0-3][0-9])?)?$"


def validate_partial_date(value: str) -> None:
    """Of what looks like a date, the day is one of the calendar's."""
    if not re.match(PARTIAL_DATE, value):
        return
    year, month, day = (int(part) for part in f"{value}-01-01"[:10].split("-"))
    if year == 0 or not 1 <= day <= monthrange(year, month)[1]:
        raise ValidationError("There is no such day.", "invalid")


class PartialDateField(_CharField):
    """A date of the years 1 to 9999, as exact as it is known, stored as it is written."""

    default_validators = [
        RegexValidator(
            # Python's $ matches before a last line break, too; ECMA-262 knows no \\Z.
            PARTIAL_DATE.replace("$", r"\Z"),
            "A date looks like 1987-06-15, 1987-06 or 1987.",
        ),
        validate_partial_date,
    ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_length": 10, "null": True, "blank": True, **kwargs})


def _among(field: str, place: int, length: int | None, values: Sequence[str]) -> Q:
    """Whether a part of the text is one of these."""
    part = Substr(field, place, length) if length else Substr(field, place)
    return Q(In(part, list(values)))


def is_partial_date(field: str, *, name: str) -> models.BaseConstraint:
    """What PartialDateField validates, as a constraint: by parts of the text alone, since a cast
    fails on one engine and gives 0 on the other."""
    digits, numbers = "0123456789", [f"{number:02}" for number in range(100)]
    is_year = ~_among(field, 1, 4, ["0000"])
    for place in range(1, 5):
        is_year &= _among(field, place, 1, digits)
    centuries = _among(field, 3, 2, ["00"]) & _among(field, 1, 2, numbers[::4])
    is_leap = _among(field, 3, 2, numbers[4::4]) | centuries
    days = [f"-{number}" for number in numbers]
    is_day = (
        _among(field, 8, None, ["", *days[1:29]])
        | (_among(field, 8, None, days[29:31]) & ~_among(field, 5, 3, ["-02"]))
        | (
            _among(field, 8, None, ["-31"])
            & ~_among(field, 5, 3, ["-02", "-04", "-06", "-09", "-11"])
        )
        | (_among(field, 5, None, ["-02-29"]) & is_leap)
    )
    condition = is_year & _among(field, 5, 3, ["", *days[1:13]]) & is_day
    return models.CheckConstraint(condition=condition, name=name)
