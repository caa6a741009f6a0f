"""How the database writes a value as JSON: the text that REST framework would give for it.

Each kind of serializer field stands here with the model fields it can show. What is not here, or
has its own `to_representation`, is not compiled (see `documents`).
"""

from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage
from django.db import models
from rest_framework import ISO_8601, serializers
from rest_framework.settings import api_settings

from ..fields import SerializerField, StoredFileField, TimestampField
from ..models import HyphenatedUUIDField, ModelField

# By the vendor of the database, an SQL expression of a value, `{0}`; null for null. PostgreSQL's is
# JSON once it is cast to text, SQLite's once json_object() or json_quote() has written it.
Format = dict[str, str]
# Beside them, of a text that needs no escaping: PostgreSQL's expression of what the quotes have
# between them, for where quotes are written anyway.
BETWEEN_QUOTES = "between quotes"
ModelFields: TypeAlias = tuple[type[ModelField], ...]


class UnsupportedError(Exception):
    """Why a field cannot be written by the database, and what to do."""


def literal(text: str) -> str:
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def _quoted(postgresql: str, sqlite: str) -> Format:
    """A text that needs no escaping; PostgreSQL's is an expression without the quotes."""
    return {
        "postgresql": f"""'"' || {postgresql} || '"'""",
        BETWEEN_QUOTES: postgresql,
        "sqlite": sqlite,
    }


INTEGER = {"postgresql": "{0}", "sqlite": "{0}"}
TEXT = {"postgresql": "to_json(({0})::text)", "sqlite": "{0}"}
BOOLEAN = {
    "postgresql": "({0})::text",
    "sqlite": "json(CASE {0} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)",
}
# SQLite itself writes 15 digits, of the 17 that a number may need.
FLOAT = {"postgresql": "to_json({0})", "sqlite": "json(json_float({0}))"}
# to_json() is independent of the session's DateStyle, a cast is not.
DATE = {"postgresql": "to_json({0})", "sqlite": "{0}"}
TIME = _quoted("replace(to_char({0}, 'HH24:MI:SS.US'), '.000000', '')", "{0}")
_MOMENT = """to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
TIMESTAMP = _quoted(_MOMENT, "substr(replace({0}, ' ', 'T') || '.000000', 1, 26) || 'Z'")
# As REST framework writes it: without a fraction where that is zero.
DATETIME = _quoted(f"replace({_MOMENT}, '.000000Z', 'Z')", "replace({0}, ' ', 'T') || 'Z'")
_SECONDS = "extract(epoch FROM {0})"
_DAYS = f"floor({_SECONDS} / 86400)"
DURATION = _quoted(
    f"CASE {_DAYS} WHEN 0 THEN '' ELSE {_DAYS}::text || ' ' END"
    f" || replace(to_char(make_interval(secs => ({_SECONDS} - {_DAYS} * 86400)::float8),"
    " 'HH24:MI:SS.US'), '.000000', '')",
    "json_duration({0})",
)
UUID = _quoted(
    "{0}",
    "substr({0}, 1, 8) || '-' || substr({0}, 9, 4) || '-' ||"
    " substr({0}, 13, 4) || '-' || substr({0}, 17, 4) || '-' || substr({0}, 21)",
)
HYPHENATED_UUID = _quoted("{0}", "{0}")
JSON = {"postgresql": "{0}", "sqlite": "json({0})"}


def _decimal(field: serializers.DecimalField) -> Format:
    to_string = getattr(field, "coerce_to_string", api_settings.COERCE_DECIMAL_TO_STRING)
    if not to_string or field.normalize_output or field.localize:
        raise UnsupportedError("Leave its format to the default, a string with fixed places.")
    digits, places = field.max_digits, field.decimal_places
    if None in (digits, places):
        raise UnsupportedError("Give it max_digits and decimal_places.")
    return _quoted(
        f"({{0}})::numeric({digits:d}, {places:d})::text",
        f"json_decimal({{0}}, {digits:d}, {places:d})",
    )


def _datetime(field: SerializerField) -> Format:
    custom_zone = hasattr(field, "timezone") or not settings.USE_TZ or settings.TIME_ZONE != "UTC"
    if _format(field, "DATETIME_FORMAT") != ISO_8601 or custom_zone:
        raise UnsupportedError("Use TimestampField of project.api.fields.")
    return DATETIME


def _default_format(
    setting: str, default: str, supported: Format
) -> Callable[[SerializerField], Format]:
    def supported_format(field: SerializerField) -> Format:
        if _format(field, setting) != default:
            raise UnsupportedError(f"Leave its format to the default, {default}.")
        return supported

    return supported_format


def _format(field: SerializerField, setting: str) -> object:
    value = getattr(field, "format", getattr(api_settings, setting))
    return value.lower() if isinstance(value, str) else value


def _big_integer(field: SerializerField) -> Format:
    if getattr(field, "coerce_to_string", api_settings.COERCE_BIGINT_TO_STRING):
        raise UnsupportedError("Leave COERCE_BIGINT_TO_STRING to its default, False.")
    return INTEGER


def _hyphenated(supported: Format) -> Callable[[serializers.UUIDField], Format]:
    def supported_format(field: serializers.UUIDField) -> Format:
        if field.uuid_format != "hex_verbose":
            raise UnsupportedError("Leave its format to the default, hex_verbose.")
        return supported

    return supported_format


def _json(field: serializers.JSONField) -> Format:
    if field.binary:
        raise UnsupportedError("Leave out `binary`.")
    return JSON


_NUMBERS = (models.IntegerField,)
_TEXTS = (models.CharField, models.TextField)

# The serializer's field; the model's fields that it shows; the format.
RENDERINGS: list[tuple[type[SerializerField], ModelFields, Format | Callable[[Any], Format]]] = [
    (TimestampField, (models.DateTimeField,), TIMESTAMP),
    (serializers.CharField, _TEXTS, TEXT),
    (serializers.IntegerField, _NUMBERS, INTEGER),
    (serializers.BigIntegerField, _NUMBERS, _big_integer),
    (serializers.ChoiceField, _NUMBERS, INTEGER),
    (serializers.ChoiceField, _TEXTS, TEXT),
    (serializers.BooleanField, (models.BooleanField,), BOOLEAN),
    (serializers.FloatField, (models.FloatField,), FLOAT),
    (serializers.DecimalField, (models.DecimalField,), _decimal),
    (serializers.DateTimeField, (models.DateTimeField,), _datetime),
    (
        serializers.DateField,
        (models.DateField,),
        _default_format("DATE_FORMAT", ISO_8601, DATE),
    ),
    (serializers.TimeField, (models.TimeField,), _default_format("TIME_FORMAT", ISO_8601, TIME)),
    (
        serializers.DurationField,
        (models.DurationField,),
        _default_format("DURATION_FORMAT", "django", DURATION),
    ),
    (serializers.UUIDField, (HyphenatedUUIDField,), _hyphenated(HYPHENATED_UUID)),
    (serializers.UUIDField, (models.UUIDField,), _hyphenated(UUID)),
    (serializers.JSONField, (models.JSONField,), _json),
]

# What shows a value as it is, whatever it is: keys, slugs and ReadOnlyField.
PLAIN: list[tuple[ModelFields, Format]] = [
    (_NUMBERS, INTEGER),
    (_TEXTS, TEXT),
    ((HyphenatedUUIDField,), HYPHENATED_UUID),
    ((models.UUIDField,), UUID),
    ((models.BooleanField,), BOOLEAN),
    ((models.FloatField,), FLOAT),
]


def format_of(field: SerializerField, column: ModelField) -> Format:
    """How this serializer field shows this column, or UnsupportedError."""
    if isinstance(column, models.FileField):
        return _file(field, column)
    for kind, columns, rendering in RENDERINGS:
        if type(field).to_representation is not kind.to_representation:
            continue
        # A DateTimeField of a model is a DateField to Python.
        is_moment = isinstance(column, models.DateTimeField) and columns == (models.DateField,)
        if isinstance(column, columns) and not is_moment:
            return rendering(field) if callable(rendering) else rendering
    if type(field).to_representation is serializers.ReadOnlyField.to_representation:
        return plain_format(column)
    raise UnsupportedError(
        f"A {type(field).__name__} of a {type(column).__name__} is written by Python alone."
    )


# What Django's storages leave as it is in a URL (django.utils.encoding.filepath_to_uri).
_UNQUOTED = "[-A-Za-z0-9_.~/!*()'']"
_PATH = r"ltrim(replace({0}, '\', '/'), '/')"
_QUOTED = {
    "postgresql": f"""CASE WHEN {_PATH} ~ '^{_UNQUOTED}*$' THEN {_PATH} ELSE (SELECT string_agg(
        CASE WHEN part ~ '{_UNQUOTED}' THEN part ELSE regexp_replace(
            upper(encode(convert_to(part, 'UTF8'), 'hex')), '(..)', '%%\\1', 'g') END, ''
        ORDER BY place
    ) FROM regexp_split_to_table({_PATH}, '') WITH ORDINALITY AS parts(part, place)) END""",  # noqa: S608
    "sqlite": "url_path({0})",
}


def _file(field: SerializerField, column: models.FileField) -> Format:
    """A file's URL or name; null where there is none."""
    kinds = (StoredFileField, serializers.FileField)
    if all(type(field).to_representation is not kind.to_representation for kind in kinds):
        raise UnsupportedError(f"Show a {type(column).__name__} by a StoredFileField.")
    if not field.read_only:
        raise UnsupportedError(
            "JSON holds no file: say read_only=True, and take the file in an action of its own."
        )
    if not getattr(field, "use_url", api_settings.UPLOADED_FILES_USE_URL):
        return {
            "postgresql": "to_json(nullif({0}, ''))",
            "sqlite": "nullif({0}, '')",
        }
    base = _base_url(column.storage)
    if not isinstance(field, StoredFileField) and not urlsplit(base).scheme:
        raise UnsupportedError(
            "Its URL would have the host of the request: use StoredFileField of"
            " project.api.fields, which gives a path, or an absolute MEDIA_URL."
        )
    base = literal(base).replace("{", "{{").replace("}", "}}")
    url = {
        vendor: f"CASE WHEN {{0}} <> '' THEN {base} || {quoted} END"
        for vendor, quoted in _QUOTED.items()
    }
    return {**url, "postgresql": f"to_json({url['postgresql']})"}


def _base_url(storage: Storage) -> str:
    """What the URLs of this storage begin with, before the name of the file."""
    # The default storage is a proxy, which has the class of what stands behind it.
    kind = storage.__class__
    if getattr(kind, "url", None) not in (FileSystemStorage.url, InMemoryStorage.url):
        raise UnsupportedError(
            f"{kind.__name__} makes its URLs in Python: say use_url=False, or give an expression of"
            " the ORM in Meta.expressions."
        )
    base_url = getattr(storage, "base_url", None)
    if base_url is None:
        raise UnsupportedError("Its storage has no base_url: say use_url=False.")
    return str(base_url)


def plain_format(column: ModelField) -> Format:
    if isinstance(column, models.ForeignKey):
        column = column.target_field
    for columns, rendering in PLAIN:
        if isinstance(column, columns):
            return rendering
    raise UnsupportedError(
        f"A {type(column).__name__} has no form of its own: say which field shows it."
    )
