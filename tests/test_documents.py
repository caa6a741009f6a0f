"""Does the database write the JSON that the serializer would have given?"""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.core.checks import run_checks
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.db.models import Count, F, Sum, TextField, Value
from django.db.models.functions import Concat, Upper
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import _queries
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer

from authors.models import Author, AuthorProfile
from authors.serializers import AuthorSerializer
from books.models import Book, Contribution, Edition, Format, Publisher, Role, Series, Subject
from books.serializers import (
    BookSerializer,
    ContributionSerializer,
    EditionSerializer,
    PublisherSerializer,
    SeriesSerializer,
    SubjectSerializer,
)
from books.views import BookViewSet
from project.api.changes.positions import give
from project.api.documents.statements import (
    KEPT_STATEMENTS,
    Uncompilable,
    compile_statement,
    statement,
)
from project.api.fields import StoredFileField, StoredFiles, TimestampField
from project.api.http import resources
from project.api.models import normalized_name
from project.api.serializers import ResourceSerializer, StrictModelSerializer
from project.api.viewsets import ResourceViewSet
from tests.models import Label, Part, Scan, Screw, Shelf, Tag, Thing

pytestmark = pytest.mark.django_db


def examples(number):
    # The fixture of the database is the same for all examples, which add to each other's rows.
    return settings(
        max_examples=number,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


# The same by both ways


def written_by_database(serializer_class, keys, unread=frozenset()):
    compiled = compile_statement(serializer_class, unread, "default")
    return parsed(compiled.documents(keys, "default"))


def written_by_serializer(serializer_class, keys, unread=frozenset()):
    model = serializer_class.Meta.model
    expressions = getattr(serializer_class.Meta, "expressions", {})
    found = model.objects.annotate(**expressions).in_bulk(keys)
    serializer = serializer_class()
    for name in unread:
        serializer.fields.pop(name)
    return [parsed(JSONRenderer().render(serializer.to_representation(found[key]))) for key in keys]


def parsed(text):
    """The JSON, with the order of members kept, and 1 told from true."""
    return json.loads(
        text,
        object_pairs_hook=lambda pairs: [
            (name, type(value) is bool, value) for name, value in pairs
        ],
    )


def assert_same(serializer_class, keys, unread=frozenset()):
    by_database = written_by_database(serializer_class, keys, unread)
    assert len(by_database) == len(keys)
    assert by_database == written_by_serializer(serializer_class, keys, unread)


# What there may be in a column


# No NUL and no surrogates: input is refused with them, and PostgreSQL cannot store them.
TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    | st.sampled_from("\"'\\%{}\x01\x1f\x7f\u2028\u2029é🎈")
)
REAL = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
INTEGER_64 = st.integers(-(2**63), 2**63 - 1)
COLUMNS = {
    "text": TEXT,
    "color": st.sampled_from("rg"),
    "size": st.sampled_from(Thing.Size),
    "number": INTEGER_64,
    "real": REAL,
    "price": st.decimals("-99999999999.9999", "99999999999.9999", places=4),
    "is_new": st.booleans(),
    "day": st.dates(),
    "clock": st.times(),
    "moment": st.datetimes(timezones=st.just(UTC)),
    "span": st.timedeltas(timedelta(days=-999_999), timedelta(days=999_999)),
    "token": st.uuids(),
    "data": JSON,
}
THING = st.fixed_dictionaries({"line": TEXT.map(lambda text: text[:200])}, optional=COLUMNS)


class ThingSerializer(serializers.ModelSerializer):
    class Meta:
        model = Thing
        fields = ["id", "line", *COLUMNS]


class PinnedThingSerializer(serializers.ModelSerializer):
    moment = TimestampField()

    class Meta:
        model = Thing
        fields = ["moment"]


@given(st.lists(THING, max_size=5))
@examples(100)
def test_every_kind_of_column_reads_as_the_serializer_shows_it(db, things):
    keys = [Thing.objects.create(**values).pk for values in things]
    assert_same(ThingSerializer, keys)
    assert_same(PinnedThingSerializer, keys)


@pytest.mark.parametrize(
    ("column", "stored", "shown"),
    [
        ("moment", datetime(2026, 1, 31, 9, 30, tzinfo=UTC), '"2026-01-31T09:30:00.000000Z"'),
        ("moment", datetime(33, 4, 3, 12, 0, 0, 10, tzinfo=UTC), '"0033-04-03T12:00:00.000010Z"'),
        ("moment", datetime.max.replace(tzinfo=UTC), '"9999-12-31T23:59:59.999999Z"'),
        ("day", date(1, 1, 1), '"0001-01-01"'),
        ("clock", time(0, 0), '"00:00:00"'),
        ("clock", time(23, 59, 59, 500_000), '"23:59:59.500000"'),
        ("span", timedelta(0), '"00:00:00"'),
        ("span", timedelta(days=-1, seconds=1, microseconds=5), '"-1 00:00:01.000005"'),
        ("price", Decimal("-0.5"), '"-0.5000"'),
        ("real", 5e-324, "5e-324"),
        ("real", 0.1 + 0.2, "0.30000000000000004"),
        ("number", -(2**63), "-9223372036854775808"),
    ],
)
def test_formats_are_pinned(column, stored, shown):
    class Serializer(serializers.ModelSerializer):
        moment = TimestampField()

        class Meta:
            model = Thing
            fields = [column]

    if column != "moment":
        del Serializer._declared_fields["moment"]
    thing = Thing.objects.create(line="", **{column: stored})
    text = compile_statement(Serializer, frozenset(), "default").documents([thing.pk], "default")
    assert text.decode() == f'[{{"{column}":{shown}}}]'
    assert_same(Serializer, [thing.pk])


# Relations, as people who know REST framework declare them


class ShelfItem(serializers.ModelSerializer):
    class Meta:
        model = Shelf
        fields = ["id", "name", "room"]


class ScrewItem(serializers.ModelSerializer):
    tag = serializers.SlugRelatedField("name", read_only=True)

    class Meta:
        model = Screw
        fields = ["id", "length", "tag", "tag_id"]


class PartItem(serializers.Serializer):
    """Not a ModelSerializer: the model follows from the relation."""

    name = serializers.CharField()
    screws = ScrewItem(many=True)
    screw_ids = serializers.PrimaryKeyRelatedField(source="screws", many=True, read_only=True)


class LabelItem(serializers.ModelSerializer):
    class Meta:
        model = Label
        fields = ["text"]


class RelatedSerializer(serializers.ModelSerializer):
    shelf = ShelfItem(allow_null=True)
    shelf_key = serializers.PrimaryKeyRelatedField(source="shelf", read_only=True)
    shelf_name = serializers.CharField(source="shelf.name", allow_null=True)
    room = serializers.ReadOnlyField(source="shelf.room", allow_null=True)
    label = LabelItem(allow_null=True)
    parts = PartItem(source="part_set", many=True)
    tag_names = serializers.SlugRelatedField("name", source="tags", many=True, read_only=True)
    self = ShelfItem(source="shelf")

    class Meta:
        model = Thing
        fields = [
            *("id", "shelf", "shelf_key", "shelf_name", "room", "label", "parts"),
            *("tags", "tag_names", "self"),
        ]


class ShelfSerializer(serializers.ModelSerializer):
    things = RelatedSerializer(many=True)

    class Meta:
        model = Shelf
        fields = ["id", "things"]


PART = st.tuples(
    st.integers(0, 2), TEXT, st.lists(st.tuples(REAL, st.none() | st.integers(0, 3)), max_size=3)
)
RELATED = st.fixed_dictionaries(
    {
        "on_shelf": st.booleans(),
        "room": st.none() | TEXT,
        "label": st.none() | TEXT,
        "parts": st.lists(PART, max_size=3),
        "tags": st.sets(st.integers(0, 3)),
    }
)


@given(st.lists(TEXT, min_size=4, max_size=4, unique=True), st.lists(RELATED, max_size=3))
@examples(40)
def test_relations_read_as_the_serializer_shows_them(db, names, things):
    tags = [Tag.objects.create(name=name) for name in names]
    shelf = Shelf.objects.create(name=names[0][:100], room=names[1][:100])
    keys = []
    for values in things:
        thing = Thing.objects.create(line="", shelf=shelf if values["on_shelf"] else None)
        keys.append(thing.pk)
        thing.tags.set([tags[i] for i in values["tags"]])
        if values["label"] is not None:
            Label.objects.create(thing=thing, text=values["label"][:100])
        for place, name, screws in values["parts"]:
            part = Part.objects.create(thing=thing, place=place, name=name)
            for length, tag in screws:
                Screw.objects.create(
                    part=part, length=length, tag=None if tag is None else tags[tag]
                )
    assert_same(RelatedSerializer, keys)
    assert_same(ShelfSerializer, [shelf.pk])


def test_an_object_may_have_more_members_than_a_function_has_arguments():
    names = [f"line{i}" for i in range(120)]
    fields = {name: serializers.CharField(source="line") for name in names}
    meta = type("Meta", (), {"model": Thing, "fields": names})
    long = type("Serializer", (serializers.ModelSerializer,), {**fields, "Meta": meta})

    class PartSerializer(serializers.ModelSerializer):
        thing = long()

        class Meta:
            model = Part
            fields = ["thing"]

    class WholeSerializer(serializers.ModelSerializer):
        things = long(many=True)

        class Meta:
            model = Shelf
            fields = ["things"]

    shelf = Shelf.objects.create(name="é")
    thing = Thing.objects.create(line="“é”", shelf=shelf)
    part = Part.objects.create(thing=thing, place=1, name="a")
    assert_same(long, [thing.pk])
    assert_same(PartSerializer, [part.pk])
    assert_same(WholeSerializer, [shelf.pk])


def test_computed_fields_are_expressions_of_the_orm():
    class ScrewSerializer(serializers.ModelSerializer):
        loud = serializers.CharField()

        class Meta:
            model = Screw
            fields = ["loud"]
            expressions = {
                "loud": Concat(Upper("part__name"), Value("! 100% '\"{}"), output_field=TextField())
            }

    class Serializer(serializers.ModelSerializer):
        parts = serializers.IntegerField()
        length = serializers.FloatField()

        class Meta:
            model = Thing
            fields = ["id", "parts", "length"]
            expressions = {"parts": Count("part"), "length": Sum("part__screws__length")}

    thing, bare = (Thing.objects.create(line=line) for line in "ab")
    part = Part.objects.create(thing=thing, place=1, name="é")
    screw = Screw.objects.create(part=part, length=2.5)
    assert_same(ScrewSerializer, [screw.pk])
    text = compile_statement(Serializer, frozenset(), "default").documents(
        [thing.pk, bare.pk], "default"
    )
    assert json.loads(text) == [
        {"id": thing.pk, "parts": 1, "length": 2.5},
        {"id": bare.pk, "parts": 0, "length": None},
    ]


# Files


class BothFiles(StoredFiles):
    url = StoredFileField(source="page")
    thumbnail = StoredFileField(source="small")


class ScanItem(StrictModelSerializer):
    both = BothFiles()

    class Meta:
        model = Scan
        fields = ["both", "page"]


class ScanSerializer(StrictModelSerializer):
    both = BothFiles()
    name = StoredFileField(source="page", use_url=False)
    plain = serializers.FileField(source="small", use_url=False, read_only=True)
    room = serializers.CharField(source="shelf.room", allow_null=True)

    class Meta:
        model = Scan
        fields = ["id", "page", "small", "both", "name", "plain", "room"]


class ShelfOfScans(serializers.ModelSerializer):
    scans = ScanItem(many=True)

    class Meta:
        model = Shelf
        fields = ["scans"]


# As a storage saves them: no part is empty, `.` or `..`.
FILE_NAME = st.lists(
    TEXT.map(lambda text: text.translate({47: None, 92: None})[:20]).filter(
        lambda part: part.strip(".")
    ),
    min_size=1,
    max_size=3,
).map("/".join)


@pytest.mark.parametrize("base", ["/media/", "https://cdn.example/a%20b/{0}'/"])
@given(
    names=st.lists(
        st.tuples(FILE_NAME | st.just(""), st.none() | st.just("") | FILE_NAME), max_size=4
    )
)
@examples(60)
def test_files_read_as_the_urls_of_their_storage(db, settings, base, names):
    settings.MEDIA_URL = base
    shelf = Shelf.objects.create(name="")
    keys = [Scan.objects.create(page=page, small=small, shelf=shelf).pk for page, small in names]
    assert_same(ScanSerializer, keys)
    assert_same(ShelfOfScans, [shelf.pk])


def test_the_url_of_a_file_is_a_path_whoever_asks(rf):
    scan = Scan.objects.create(page="scans\\a é%1.png")
    text = compile_statement(ScanSerializer, frozenset(), "default").documents([scan.pk], "default")
    assert json.loads(text) == [
        {
            "id": scan.pk,
            "page": "/media/scans/a%20%C3%A9%251.png",
            "small": None,
            "both": None,
            "name": "scans\\a é%1.png",
            "plain": None,
            "room": None,
        }
    ]
    serializer = ScanSerializer(scan, context={"request": rf.get("/")})
    assert serializer.data == json.loads(text)[0]


class SigningStorage(FileSystemStorage):
    def url(self, name):
        return f"{super().url(name)}?signature=1"


def faults_of_file(field):
    meta = type("Meta", (), {"model": Scan, "fields": ["it"]})
    of = type("Serializer", (serializers.ModelSerializer,), {"it": field, "Meta": meta})
    try:
        compile_statement(of, frozenset(), "default")
    except Uncompilable as error:
        return error.faults["it"]
    return None


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (serializers.FileField(source="page", read_only=True), "use StoredFileField"),
        (serializers.ImageField(source="small", read_only=True), "use StoredFileField"),
        (serializers.FileField(source="page", use_url=False), "JSON holds no file"),
        (serializers.CharField(source="page"), "by a StoredFileField"),
        (BothFiles(source="shelf"), "leave out `source`"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_file_that_the_database_cannot_show_is_named(field, reason):
    assert reason in faults_of_file(field)


def test_a_storage_that_makes_urls_in_python_or_none_shows_names(monkeypatch):
    page = Scan._meta.get_field("page")
    url, name = StoredFileField(source="page"), StoredFileField(source="page", use_url=False)
    monkeypatch.setattr(page, "storage", SigningStorage())
    assert "SigningStorage makes its URLs in Python: say use_url=False" in faults_of_file(url)
    assert faults_of_file(name) is None
    monkeypatch.setattr(page, "storage", FileSystemStorage(base_url=""))
    monkeypatch.setattr(page.storage, "base_url", None)
    assert faults_of_file(url) == "Its storage has no base_url: say use_url=False."
    assert faults_of_file(name) is None


def test_rest_frameworks_own_field_shows_urls_that_are_absolute_anyway(settings):
    settings.MEDIA_URL = "https://cdn.example/"
    assert faults_of_file(serializers.FileField(source="page", read_only=True)) is None


# The project's own


YEAR = st.none() | st.integers(-9999, 9999).filter(bool)
WORDS = TEXT.map(lambda text: text[:50]).filter(normalized_name)
ROLES = st.sampled_from([Role.AUTHOR, Role.AUTHOR, Role.EDITOR, Role.TRANSLATOR])
EDITION = st.fixed_dictionaries(
    {
        "format": st.sampled_from(Format),
        "pages": st.none() | st.integers(1, 2**31 - 1),
        "published_on": st.none() | st.dates().map(str),
        "publisher": st.booleans(),
        "isbn13": st.none() | st.just("9780261103283"),
    }
)
BOOK = st.fixed_dictionaries(
    {
        "title": WORDS,
        "original_title": WORDS | st.just(""),
        "description": TEXT,
        "first_published_year": YEAR,
        "language": st.none() | st.sampled_from(["en", "grc"]),
        "series": st.booleans(),
        "subjects": st.sets(st.integers(0, 2)),
        "contributions": st.lists(
            st.tuples(st.integers(0, 2), ROLES, TEXT), max_size=5, unique_by=lambda c: c[:2]
        ),
        "editions": st.lists(EDITION, max_size=2),
    }
)


@given(
    st.lists(BOOK, min_size=1, max_size=3),
    st.lists(WORDS, min_size=3, max_size=3, unique=True),
    YEAR,
)
@examples(40)
def test_the_resources_read_as_their_serializers_show_them(db, values, names, year):
    Book.objects.all().delete()
    Publisher.objects.all().delete()
    Subject.objects.all().delete()
    series = Series.objects.create(name=names[0])
    publisher = Publisher.objects.create(name=names[1])
    subjects = [
        Subject.objects.create(name=f"{name}{i}", slug=f"s{i}") for i, name in enumerate(names)
    ]
    authors = [Author.objects.create(name=name, birth_year=year) for name in names]
    AuthorProfile.objects.create(author=authors[0], biography=names[2])
    books = [_book(each, series, publisher, subjects, authors) for each in values]
    isbns = Edition.objects.values_list("pk", flat=True)
    assert_same(BookSerializer, [book.pk for book in books])
    for name in ("contributions", "authors", "author_ids", "subjects", "subject_ids"):
        alone = frozenset(BookSerializer.Meta.fields) - {name}
        assert_same(BookSerializer, [book.pk for book in books], alone)
    assert_same(AuthorSerializer, [author.pk for author in authors])
    assert_same(ContributionSerializer, list(Contribution.objects.values_list("pk", flat=True)))
    assert_same(EditionSerializer, list(isbns))
    assert_same(PublisherSerializer, [publisher.pk])
    assert_same(SeriesSerializer, [series.pk])
    assert_same(SubjectSerializer, [subject.pk for subject in subjects])


def _book(values, series, publisher, subjects, authors):
    values = dict(values)
    chosen, contributions, editions = (
        values.pop(name) for name in ("subjects", "contributions", "editions")
    )
    values["series"] = series if values["series"] else None
    book = Book.objects.create(**values)
    book.subjects.set([subjects[i] for i in chosen])
    # Positions that are not the order of the keys.
    for position, (author, role, credited_as) in enumerate(contributions):
        Contribution.objects.create(
            book=book,
            author=authors[author],
            role=role,
            position=len(contributions) - position,
            credited_as=credited_as,
        )
    for each in editions:
        taken = Edition.objects.filter(isbn13=each["isbn13"]).exists()
        Edition.objects.create(
            **{
                **each,
                "book": book,
                "publisher": publisher if each["publisher"] else None,
                "isbn13": None if taken else each["isbn13"],
            }
        )
    return book


def test_lists_of_200_items_come_whole_and_in_order():
    book = Book.objects.create(title="Long")
    authors = Author.objects.bulk_create(
        Author(name=f"A{i}", sort_name=f"A{i}") for i in range(200)
    )
    Contribution.objects.bulk_create(
        Contribution(book=book, author=author, role=Role.AUTHOR, position=(i * 77) % 200)
        for i, author in enumerate(authors)
    )
    assert_same(BookSerializer, [book.pk])
    text = compile_statement(BookSerializer, frozenset(), "default").documents([book.pk], "default")
    [shown] = json.loads(text)
    positions = [each["position"] for each in shown["contributions"]]
    assert positions == list(range(200))


def test_lists_have_the_order_of_their_model_and_not_that_of_an_index():
    book = Book.objects.create(title="About everything")
    names = [f"{i * 77 % 200:03}" for i in range(200)]
    subjects = Subject.objects.bulk_create(Subject(name=name, slug=name) for name in names)
    book.subjects.set(subjects)
    shelf = Shelf.objects.create(name="Parts")
    thing = Thing.objects.create(line="", shelf=shelf)
    Part.objects.bulk_create(Part(thing=thing, place=i % 2, name=names[i]) for i in range(200))
    text = compile_statement(BookSerializer, frozenset(), "default").documents([book.pk], "default")
    [shown] = json.loads(text)
    assert [each["name"] for each in shown["subjects"]] == sorted(names)
    assert shown["subject_ids"] == [each["id"] for each in shown["subjects"]]
    # A list in a list, of an order with two directions.
    text = compile_statement(ShelfSerializer, frozenset(), "default").documents(
        [shelf.pk], "default"
    )
    [[shown]] = [each["things"] for each in json.loads(text)]
    expected = [name for place in (0, 1) for name in sorted(names[place::2], reverse=True)]
    assert [part["name"] for part in shown["parts"]] == expected


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite plans alike for all keys.")
@pytest.mark.parametrize("length", [1, 50])
@pytest.mark.django_db(transaction=True)
def test_a_statement_is_planned_once_and_not_for_each_request(length):
    # What others have prepared goes with the connection.
    connection.close()
    Series.objects.bulk_create(Series(name=str(i)) for i in range(100))
    keys = list(Series.objects.values_list("pk", flat=True))
    compiled = compile_statement(SeriesSerializer, frozenset(), "default")
    for i in range(20):
        assert len(json.loads(compiled.documents(keys[i : i + length], "default"))) == length
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT custom_plans, generic_plans > 0 FROM pg_prepared_statements"
            " WHERE statement LIKE '%%books_series%%json_array_elements_text%%'"
        )
        # PostgreSQL tries five plans made for their keys before it compares.
        assert cursor.fetchall() == [(5, True)]


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="It is psycopg that keeps them.")
def test_the_places_of_its_parameters_are_looked_for_once():
    compiled = compile_statement(BookSerializer, frozenset(), "default")
    compiled.documents([1], "default")
    before = _queries._query2pg.cache_info()
    compiled.documents([1], "default")
    after = _queries._query2pg.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite keeps no plans.")
def test_a_page_is_chosen_by_a_plan_for_its_values(anonymous):
    for i in range(10):
        assert anonymous.get("/api/series/", {"name": f"Series {i}"}).json()["results"] == []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement FROM pg_prepared_statements"
            " WHERE statement LIKE '%%books_series%%' AND statement LIKE '%%LIMIT%%'"
        )
        assert cursor.fetchall() == []


def test_objects_come_in_the_order_of_their_keys_and_missing_ones_are_left_out():
    keys = [Series.objects.create(name=name).pk for name in "abc"]
    asked = [keys[2], keys[0], keys[2] + 1000, keys[1]]
    documents = written_by_database(SeriesSerializer, asked)
    assert [value for document in documents for name, _, value in document if name == "id"] == [
        keys[2],
        keys[0],
        keys[1],
    ]
    assert written_by_database(SeriesSerializer, []) == []


def test_fields_that_are_not_chosen_are_not_read():
    series = Series.objects.create(name="Dune")
    unread = frozenset({"version", "created_at", "updated_at"})
    compiled = compile_statement(SeriesSerializer, unread, "default")
    written = f'[{{"id":{series.pk},"uid":"{series.uid}","name":"Dune"}}]'
    assert compiled.documents([series.pk], "default").decode() == written
    assert "version" not in compiled.sql
    nothing = compile_statement(SeriesSerializer, unread | {"id", "uid", "name"}, "default")
    assert nothing.documents([series.pk], "default") == b"[{}]"


# Hostile names and values

HOSTILE = ["'", "''; DROP TABLE tests_thing; --", '"', "\\", "%s", "%(x)s", "%%", "{0}", "$1", "?"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_field_may_have_any_name(name):
    serializer_class = type(
        "Serializer",
        (serializers.ModelSerializer,),
        {
            name: serializers.CharField(source="line"),
            "Meta": type("Meta", (), {"model": Thing, "fields": [name]}),
        },
    )
    thing = Thing.objects.create(line=name)
    text = compile_statement(serializer_class, frozenset(), "default").documents(
        [thing.pk], "default"
    )
    assert json.loads(text) == [{name: name}]


@pytest.mark.parametrize("value", HOSTILE)
def test_values_are_no_part_of_a_statement(value):
    class Serializer(serializers.ModelSerializer):
        told = serializers.CharField()

        class Meta:
            model = Thing
            fields = ["told"]
            expressions = {"told": Concat(F("line"), Value(value))}

    thing = Thing.objects.create(line=value)
    compiled = compile_statement(Serializer, frozenset(), "default")
    assert compiled.documents([thing.pk], "default").decode() == json.dumps(
        [{"told": value * 2}], separators=(",", ":")
    )


# What cannot be compiled


class Bad(serializers.ModelSerializer):
    made = serializers.SerializerMethodField()
    via = serializers.CharField(source="shelf.name")
    kept = serializers.CharField(source="line")

    class Meta:
        model = Thing
        fields = ["made", "via", "kept"]


def test_what_cannot_be_compiled_is_named_with_what_to_do():
    with pytest.raises(Uncompilable) as raised:
        compile_statement(Bad, frozenset(), "default")
    assert raised.value.faults == {
        "made": "A SerializerMethodField runs Python for each object; give an expression of the ORM"
        " for it in Meta.expressions, and a field that shows its type.",
        "via": "Its source may be missing: say allow_null=True, and no default.",
    }


class Shouting(serializers.CharField):
    def to_representation(self, value):
        return value.upper()


class Nest(serializers.ModelSerializer):
    class Meta:
        model = Shelf
        fields = ["name"]

    def to_representation(self, instance):
        return {**super().to_representation(instance), "more": 1}


@pytest.mark.parametrize(
    "field",
    [
        Shouting(source="line"),
        serializers.CharField(source="get_color_display"),
        serializers.CharField(source="number"),
        serializers.CharField(source="shelf"),
        serializers.CharField(source="part_set"),
        serializers.CharField(source="line.length"),
        serializers.DateField(source="moment"),
        serializers.DateField(source="day", format="%d.%m.%Y"),
        serializers.DateTimeField(source="moment", format="%c"),
        serializers.UUIDField(source="token", format="hex"),
        serializers.DecimalField(10, 2, source="price", coerce_to_string=False),
        serializers.ReadOnlyField(source="moment"),
        serializers.StringRelatedField(source="shelf"),
        serializers.StringRelatedField(source="tags", many=True),
        serializers.PrimaryKeyRelatedField(source="label", read_only=True),
        serializers.DictField(source="data"),
        Nest(source="shelf"),
        Nest(source="tags", many=True),
        ShelfItem(source="label"),
        PartItem(source="shelf.things", many=True),
    ],
    ids=lambda field: f"{type(field).__name__}-{field._kwargs.get('source')}",
)
def test_nothing_that_python_alone_shows_is_compiled(field):
    serializer_class = type(
        "Serializer",
        (serializers.ModelSerializer,),
        {"it": field, "Meta": type("Meta", (), {"model": Thing, "fields": ["it"]})},
    )
    with pytest.raises(Uncompilable) as raised:
        compile_statement(serializer_class, frozenset(), "default")
    assert list(raised.value.faults) == ["it"]


def test_a_system_check_names_what_cannot_be_compiled(monkeypatch):
    monkeypatch.setattr(BookViewSet, "serializer_class", Bad)
    [made, via] = [error for error in run_checks() if error.id == "api.E001"]
    assert (made.msg, made.obj) == ("The database cannot write “made”.", Bad)
    assert "Meta.expressions" in made.hint
    assert via.msg == "The database cannot write “via”."


def test_choices_of_fields_cannot_grow_the_store_of_statements_without_bound():
    fields = EditionSerializer.Meta.fields
    for i in range(KEPT_STATEMENTS + 10):
        unread = frozenset(name for place, name in enumerate(fields) if i >> place & 1)
        statement(EditionSerializer, unread, "default")
    assert statement.cache_info().currsize == KEPT_STATEMENTS


# Through HTTP


@pytest.fixture
def dune(db):
    book = Book.objects.create(title="Dune", series=Series.objects.create(name="Dune Chronicles"))
    author = Author.objects.create(name="Frank Herbert")
    Contribution.objects.create(book=book, author=author, role=Role.AUTHOR)
    return book


def test_a_list_costs_two_statements_and_its_tag_one_whatever_its_length(
    anonymous, member, django_assert_num_queries, dune
):
    for i in range(60):
        Book.objects.create(title=f"Book {i}")
    give("default")
    with django_assert_num_queries(2 + 1):
        assert len(anonymous.get("/api/books/?page_size=5").json()["results"]) == 5
    with django_assert_num_queries(2 + 1):
        assert len(anonymous.get("/api/books/").json()["results"]) == 50
    with django_assert_num_queries(2 + 1):  # which says who asks, too
        assert len(member.get("/api/books/").json()["results"]) == 50
    with django_assert_num_queries(3 + 1):  # and the parent
        assert len(anonymous.get(f"/api/series/{dune.series_id}/books/").json()["results"]) == 1
    with django_assert_num_queries(1 + 2):  # no documents, beside which the tag would be asked for
        assert anonymous.get("/api/books/?first_published_year=1066").json()["results"] == []


def test_one_document_costs_one_statement(anonymous, member, django_assert_num_queries, dune):
    with django_assert_num_queries(1):
        body = anonymous.get(f"/api/books/{dune.pk}/").json()
    with django_assert_num_queries(1):  # which says who asks, too
        assert member.get(f"/api/books/{dune.pk}/").json() == body
    with django_assert_num_queries(3):  # the parent, and whether it is the parent's
        assert anonymous.get(f"/api/series/{dune.series_id}/books/{dune.pk}/").json() == body
    assert parsed(json.dumps(body)) == written_by_serializer(BookSerializer, [dune.pk])[0]


class NotOfTheBoard(BasePermission):
    def has_object_permission(self, request, view, obj):
        return obj.title != "Dune"


@pytest.fixture
def declare(monkeypatch):
    """A function that sets an attribute of BookViewSet, whose class is known once otherwise."""

    def forget():
        for knowledge in (resources.lists_all, resources.shows_each, resources._hiding):
            knowledge.cache_clear()

    def declare(name, value):
        monkeypatch.setattr(BookViewSet, name, value)
        forget()

    yield declare
    monkeypatch.undo()
    forget()


def test_what_a_queryset_or_a_permission_hides_is_not_shown(anonymous, dune, declare):
    path = f"/api/books/{dune.pk}/"
    declare("queryset", Book.objects.exclude(title="Dune"))
    assert anonymous.get(path).status_code == 404
    declare("queryset", Book.objects.all())
    assert anonymous.get(path).status_code == 200
    declare("permission_classes", [NotOfTheBoard])
    assert anonymous.get(path).status_code == 401
    assert anonymous.get(f"/api/books/{dune.pk + 1}/").status_code == 404


class TitleSerializer(ResourceSerializer):
    class Meta:
        model = Book
        fields = ["id", "title"]


def change_queryset(view):
    view.queryset = Book.objects.exclude(title="Dune")


def change_serializer(view):
    view.serializer_class = TitleSerializer


def change_key(view):
    view.kwargs["pk"] = Book.objects.get(title="Hyperion").pk


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (change_queryset, (404, "Not Found", False)),
        (change_serializer, (200, "Dune", True)),
        (change_key, (200, "Hyperion", False)),
    ],
)
def test_a_view_may_change_once_it_is_known_who_asks(member, dune, declare, change, expected):
    Book.objects.create(title="Hyperion")

    def check_permissions(self, request):
        ResourceViewSet.check_permissions(self, request)
        change(self)

    declare("check_permissions", check_permissions)
    answer = member.get(f"/api/books/{dune.pk}/")
    body = answer.json()
    assert (answer.status_code, body.get("title"), len(body) == 2) == expected


def test_what_a_write_answers_is_the_document(librarian, dune):
    answer = librarian.patch(f"/api/books/{dune.pk}/", {"title": "Dune!"}, format="json")
    assert answer.content == librarian.get(f"/api/books/{dune.pk}/").content
    answer = librarian.post("/api/authors/?expand=books", {"name": "New"}, format="json")
    assert (answer.status_code, answer.json()["books"]) == (201, [])


@pytest.mark.parametrize("parameter", ["fields", "omit"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/books/"),
        ("put", "/api/books/{}/"),
        ("patch", "/api/books/{}/"),
        ("delete", "/api/books/{}/"),
        ("post", "/api/books/{}/contributions/"),
        ("post", "/api/books/bulk/"),
    ],
)
def test_what_a_write_answers_is_the_whole_document(librarian, dune, parameter, method, path):
    before = librarian.get(f"/api/books/{dune.pk}/").content
    url = f"{path.format(dune.pk)}?{parameter}=title"
    answer = getattr(librarian, method)(url, {"title": "Dune!"}, format="json")
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        [{"parameter": parameter, "code": "unknown", "detail": "There is no such parameter here."}],
    )
    assert librarian.get(f"/api/books/{dune.pk}/").content == before


def test_what_lacks_properties_says_so_by_its_media_type(librarian, dune):
    partial = "application/vnd.catalogue.partial+json"
    one = f"/api/books/{dune.pk}/"
    for url, types in [
        (one, ("application/json", "text/html; charset=utf-8")),
        (f"{one}?fields=id,title", (partial, "text/html; charset=utf-8")),
        ("/api/books/?omit=description", (partial, "text/html; charset=utf-8")),
        ("/api/authors/?expand=books", ("application/json", "text/html; charset=utf-8")),
    ]:
        accepted = ("*/*", "application/json", partial, f"application/json, {partial}")
        assert {librarian.get(url, HTTP_ACCEPT=each)["Content-Type"] for each in accepted} == {
            types[0]
        }
        assert librarian.get(url, HTTP_ACCEPT="text/html")["Content-Type"] == types[1]
    refused = librarian.get("/api/books/?fields=titel")
    assert refused["Content-Type"] == "application/problem+json"
    exported = librarian.get("/api/books/?fields=title&format=csv")
    assert exported["Content-Type"] == "text/csv; charset=utf-8"
    # Another export may begin when this one has ended.
    assert exported.getvalue() == b"title\r\nDune\r\n"


AUTHOR = [
    *("id", "uid", "name", "sort_name", "other_names", "kind", "birth_year", "death_year"),
    "openlibrary_key",
]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("fields=title,id", ["id", "title"]),
        ("fields=title&fields=id", ["id", "title"]),
        ("fields=id,title&omit=title", ["id"]),
        ("omit=profile,profile_id,book_ids,version,created_at,updated_at", AUTHOR),
        ("fields=id,name,books", ["id", "name", "books"]),
        ("fields=id,name&expand=books", ["id", "name", "books"]),
        ("fields=id,name&expand=books&omit=books", ["id", "name"]),
    ],
)
def test_the_answer_has_the_chosen_properties(anonymous, dune, query, names):
    path = "authors" if "name" in names else "books"
    [shown] = anonymous.get(f"/api/{path}/?{query}").json()["results"]
    assert list(shown) == names
    assert anonymous.get(f"/api/{path}/{shown['id']}/?{query}").json() == shown


def test_what_may_be_long_is_shown_on_demand(anonymous, dune):
    author = Author.objects.get()
    plain = anonymous.get(f"/api/authors/{author.pk}/").json()
    expanded = anonymous.get(f"/api/authors/{author.pk}/?expand=books").json()
    assert "books" not in plain
    assert [book["title"] for book in expanded.pop("books")] == ["Dune"]
    assert expanded == plain


def test_json_is_sent_in_one_form_however_it_is_asked_for(anonymous, dune):
    for path in ("/api/books/", f"/api/books/{dune.pk}/"):
        plain = anonymous.get(path)
        assert plain["Content-Type"] == "application/json"
        assert anonymous.get(f"{path}?format=json").json() == plain.json()
        indented = anonymous.get(path, HTTP_ACCEPT="application/json; indent=2")
        assert indented.content == json.dumps(plain.json(), indent=2, ensure_ascii=False).encode()
        head = anonymous.head(path)
        assert (head.content, head["Content-Length"]) == (b"", str(len(plain.content)))


def test_the_browsable_api_shows_documents_to_people(anonymous, dune):
    for path in ("/api/books/", f"/api/books/{dune.pk}/", "/api/books/?search=Dune"):
        page = anonymous.get(path, HTTP_ACCEPT="text/html")
        assert page.status_code == 200
        assert "&quot;title&quot;: &quot;Dune&quot;,\n" in page.content.decode()
