"""Can every resource be created, read, listed, changed and deleted, with nothing missing?"""

from urllib.parse import urlencode

import pytest

from authors.models import Author, AuthorProfile
from books.models import Book, Publisher, Series, Subject
from books.serializers import BookSerializer
from project.api.changes.positions import STATE
from tests.catalogue import book, isbn, send, statements, with_defaults

pytestmark = pytest.mark.django_db

AUTHOR = {
    "name": "Ursula K. Le Guin",
    "sort_name": "Le Guin, Ursula K.",
    "kind": "person",
    "birth_year": 1929,
    "death_year": 2018,
    "openlibrary_key": "OL31353A",
}
BOOK = {
    "title": "The Dispossessed",
    "sort_title": "Dispossessed, The",
    "original_title": "",
    "language": "en",
    "first_published_year": 1974,
    "description": "An ambiguous utopia.",
    "series_position": "5",
    "openlibrary_key": "OL59800W",
}
RESOURCES = [
    # The path, what is the least to send, and what is read then
    (
        Author,
        "/authors/",
        {"name": "Sophocles"},
        {
            "name": "Sophocles",
            "sort_name": "Sophocles",
            "other_names": [],
            "kind": None,
            "birth_year": None,
            "death_year": None,
            "openlibrary_key": None,
            "profile": None,
            "profile_id": None,
            "book_ids": [],
        },
    ),
    (Series, "/series/", {"name": "Hainish Cycle"}, {"name": "Hainish Cycle"}),
    (Publisher, "/publishers/", {"name": "Harper & Row"}, {"name": "Harper & Row"}),
    (Subject, "/subjects/", {"name": "Utopias"}, {"name": "Utopias", "slug": "utopias"}),
    (
        Book,
        "/books/",
        {"title": "The Lathe of Heaven"},
        {
            "title": "The Lathe of Heaven",
            "sort_title": "Lathe of Heaven, The",
            "original_title": "",
            "language": None,
            "first_published_year": None,
            "description": "",
            "series": None,
            "series_id": None,
            "series_position": "",
            "subjects": [],
            "subject_ids": [],
            "authors": [],
            "author_ids": [],
            "contributions": [],
            "editions": [],
            "openlibrary_key": None,
        },
    ),
]


def computed(body):
    """What a book shows that is not stored, if an app has added such a thing."""
    names = getattr(BookSerializer.Meta, "expressions", {})
    return {name: body[name] for name in names if name in body}


@pytest.mark.parametrize(("model", "path", "body", "read"), RESOURCES)
def test_a_resource_from_creation_to_deletion(admin, model, path, body, read):
    response = admin.post(f"/api{path}", body, format="json")
    assert response.status_code == 201
    made = response.json()
    moments = {name: made[name] for name in ("created_at", "updated_at")}
    expected = {"id": made["id"], "uid": made["uid"], **with_defaults(model, read)}
    assert made == {**expected, **computed(made), "version": 1, **moments}
    assert [name for name in made if name in read] == list(read)
    one = f"{path}{made['id']}/"
    assert response["Location"] == f"http://testserver/api{one}"
    assert send(admin, "GET", one) == made
    page = send(admin, "GET", path)
    assert page == {
        "next": None,
        "previous": None,
        "next_cursor": None,
        "results": [made],
    }

    [(name, value)] = body.items()
    for version, method in ((2, "PATCH"), (3, "PUT")):
        changed = send(admin, method, one, {name: f"{value} {version}"})
        assert changed[name] == f"{value} {version}"
        assert changed["version"] == version
        assert changed["created_at"] == made["created_at"]
        assert changed["updated_at"] > made["updated_at"]
        assert send(admin, "GET", one) == changed
    assert send(admin, "PATCH", one, {}) == changed

    send(admin, "DELETE", one, status=204)
    for method, sent in (("GET", None), ("PUT", body), ("PATCH", body), ("DELETE", None)):
        assert send(admin, method, one, sent, 404)["code"] == "not_found"
    assert send(admin, "GET", path)["results"] == []


def test_an_author_with_all_there_is(librarian):
    body = {**AUTHOR, "profile": {"biography": "Wrote.", "website": "https://ursula.example/"}}
    made = send(librarian, "POST", "/authors/", body, 201)
    profile = AuthorProfile.objects.get()
    expected = {
        "id": Author.objects.get().pk,
        "uid": made["uid"],
        **AUTHOR,
        "other_names": [],
        "profile": {"id": profile.pk, **body["profile"]},
        "profile_id": profile.pk,
        "book_ids": [],
        "version": 1,
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
    }
    assert made == with_defaults(Author, expected)


def keys_of(instance):
    return {"id": instance.pk, "uid": str(instance.uid)}


def test_a_book_with_all_there_is(librarian):
    body = {
        **BOOK,
        "series": {"name": "Hainish Cycle"},
        "subjects": [{"name": "Utopias"}, {"name": "Anarchism"}],
        "contributions": [{"author": AUTHOR}, {"author": {"name": "Ann"}, "role": "foreword"}],
        "editions": [
            {
                "isbn13": isbn(1),
                "publisher": {"name": "Harper & Row"},
                "format": "hardcover",
                "pages": 341,
                "published_on": "1974-05-01",
                "language": "en",
            }
        ],
    }
    made = send(librarian, "POST", "/books/", body, 201)
    stored = Book.objects.get()
    series, publisher = Series.objects.get(), Publisher.objects.get()
    anarchism, utopias = Subject.objects.order_by("name")
    le_guin, ann = Author.objects.order_by("pk")
    first, second = stored.contributions.all()
    authors = [
        {**keys_of(le_guin), **AUTHOR},
        {
            **keys_of(ann),
            "name": "Ann",
            "sort_name": "Ann",
            "kind": None,
            "birth_year": None,
            "death_year": None,
            "openlibrary_key": None,
        },
    ]
    assert made == {
        **keys_of(stored),
        **with_defaults(Book, BOOK),
        **computed(made),
        "series": {**keys_of(series), "name": "Hainish Cycle"},
        "series_id": series.pk,
        "subjects": [
            {**keys_of(anarchism), "name": "Anarchism", "slug": "anarchism"},
            {**keys_of(utopias), "name": "Utopias", "slug": "utopias"},
        ],
        "subject_ids": [anarchism.pk, utopias.pk],
        "authors": authors[:1],
        "author_ids": [le_guin.pk],
        "contributions": [
            {
                "id": first.pk,
                "author": authors[0],
                "author_id": le_guin.pk,
                "role": "author",
                "other_role": "",
                "position": 0,
                "credited_as": "",
            },
            {
                "id": second.pk,
                "author": authors[1],
                "author_id": ann.pk,
                "role": "foreword",
                "other_role": "",
                "position": 1,
                "credited_as": "",
            },
        ],
        "editions": [
            {
                "id": stored.editions.get().pk,
                "title": "",
                "volume": "",
                **body["editions"][0],
                "identifiers": [],
                "publisher": {**keys_of(publisher), "name": "Harper & Row"},
                "publisher_id": publisher.pk,
                "cover": None,
            }
        ],
        "version": 1,
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
    }
    assert send(librarian, "GET", f"/authors/{le_guin.pk}/")["book_ids"] == [stored.pk]


@pytest.mark.parametrize(
    ("path", "body", "at", "code"),
    [
        ("/authors/", {"name": " "}, "/name", "blank"),
        ("/authors/", {"name": "A", "birth_year": 0}, "/birth_year", "year_zero"),
        ("/authors/", {"name": "A", "birth_year": 10_000}, "/birth_year", "max_value"),
        (
            "/authors/",
            {"name": "A", "birth_year": -406, "death_year": -496},
            "/death_year",
            "dies_before_birth",
        ),
        ("/authors/", {"name": "A", "openlibrary_key": "OL1W"}, "/openlibrary_key", "invalid"),
        (
            "/authors/",
            {"name": "A", "profile": {"website": "nowhere"}},
            "/profile/website",
            "invalid",
        ),
        ("/books/", {"title": "B", "language": "xx-invalid"}, "/language", "language"),
        (
            "/books/",
            {"title": "B", "first_published_year": 0},
            "/first_published_year",
            "year_zero",
        ),
        (
            "/books/",
            {"title": "B", "editions": [{"isbn13": "978-0-261-10221-8"}]},
            "/editions/0/isbn13",
            "isbn_checksum",
        ),
        ("/books/", {"title": "B", "editions": [{"pages": 0}]}, "/editions/0/pages", "min_value"),
        *(
            (
                "/books/",
                {"title": "B", "editions": [{"published_on": day}]},
                "/editions/0/published_on",
                "invalid",
            )
            for day in ("2026-1-31", "20260131", "2026-W05-6", "2026-01-3١", "2026-02-29", "20260")
        ),
        (
            "/books/",
            {"title": "B", "authors": [{"name": "A", "birth_year": 2, "death_year": 1}]},
            "/authors/0/death_year",
            "dies_before_birth",
        ),
        ("/series/", {"name": ""}, "/name", "blank"),
        ("/publishers/", {}, "/name", "required"),
        ("/subjects/", {"name": "!!!"}, "/name", "no_slug"),
    ],
)
def test_a_rule_of_the_catalogue_is_kept_and_named(librarian, path, body, at, code):
    [fault] = send(librarian, "POST", path, body, 400)["errors"]
    assert (fault["pointer"], fault["code"]) == (at, code)


@pytest.mark.parametrize(
    ("tag", "detail"),
    [
        *((tag, None) for tag in ("tl", "fil", "cnr", "sh", "prs", "swc", "xsj", "grc", "yue-HK")),
        *((tag, None) for tag in ("en-Latn", "de-1996", "x-ours", "i-default", "qaa", "en-XA")),
        *((tag, None) for tag in ("zh-Hant-TW", "en-US-u-ca-gregory-x-ours")),
        ("EN", "Write “en” for “EN”."),
        ("iw", "Write “he” for “iw”."),
        ("eng", "Write “en” for “eng”."),
        ("ger-AT", "Write “de-AT” for “ger-AT”."),
        ("tgl", "Write “tl” for “tgl”."),
        ("zh-hant-tw", "Write “zh-Hant-TW” for “zh-hant-tw”."),
        ("zh-yue-HK", "Write “yue-HK” for “zh-yue-HK”."),
        ("zh-min-nan", "Write “nan” for “zh-min-nan”."),
        ("i-klingon", "Write “tlh” for “i-klingon”."),
        ("en-GB-oed", "Write “en-GB-oxendict” for “en-GB-oed”."),
        ("de-DD", "Write “de-DE” for “de-DD”."),
        ("ja-Latn-heploc", "Write “ja-Latn-alalc97” for “ja-Latn-heploc”."),
        ("en-b-ccc-a-bbb", "Write “en-a-bbb-b-ccc” for “en-b-ccc-a-bbb”."),
        *(
            (tag, f"“{tag}” is no BCP 47 language tag.")
            for tag in ("zz", "en-ZZZ", "en_US", "de-1996-1996", "en-a-bbb-a-ccc", "e", "en-", "-")
        ),
    ],
)
def test_a_language_is_a_registered_tag_in_canonical_form(librarian, tag, detail):
    body = {"title": "A", "language": tag}
    if detail is None:
        assert send(librarian, "POST", "/books/", body, 201)["language"] == tag
    else:
        [fault] = send(librarian, "POST", "/books/", body, 400)["errors"]
        assert fault == {"pointer": "/language", "code": "language", "detail": detail}


@pytest.mark.parametrize(
    "number",
    [
        *(
            "\u200e978-0-261-10221-7",
            "978\u00a00 261\u20091022\u202f17",
            "\ufeff0-261-10221-4\u200f",
        ),
        *(
            "978\u20110\u2010261\u201110221\u20137",
            "978\u00ad0261\u200b102217",
            "\u202a9780261102217\u202c",
        ),
    ],
)
def test_an_isbn_is_taken_as_it_is_copied_from_a_page(librarian, number):
    body = {"title": "The Hobbit", "editions": [{"isbn13": number}]}
    made = send(librarian, "POST", "/books/", body, 201)
    assert made["editions"][0]["isbn13"] == "9780261102217"
    for path, name in [("/books/", "isbn"), ("/books/", "search")]:
        page = send(librarian, "GET", f"{path}?{urlencode({name: number})}")
        assert [each["id"] for each in page["results"]] == [made["id"]], name


@pytest.mark.parametrize(
    "number", ["979-0-060-11561-5", "9790060115615", "979\u20100\u2010060\u201011561\u20105"]
)
def test_the_number_of_printed_music_is_no_isbn(librarian, number):
    body = {"title": "Oboe sonata", "editions": [{"isbn13": number}]}
    [fault] = send(librarian, "POST", "/books/", body, 400)["errors"]
    assert fault["pointer"] == "/editions/0/isbn13"
    assert fault["detail"] == "This is an ISMN, the number of printed music, and no ISBN."


def test_years_before_the_common_era_are_negative(librarian):
    body = {"name": "Sophocles", "birth_year": -496, "death_year": -406}
    made = send(librarian, "POST", "/authors/", body, 201)
    assert (made["birth_year"], made["death_year"]) == (-496, -406)


@pytest.mark.parametrize("number", [1, 50])
@pytest.mark.parametrize(
    ("path", "queries"),
    [
        # The ids, and the documents; before them the parent, if there is one.
        ("/authors/", 2),
        ("/authors/?expand=books", 2),
        ("/books/", 2),
        ("/series/", 2),
        ("/publishers/", 2),
        ("/subjects/", 2),
        ("/authors/{author}/books/", 3),
        ("/series/{series}/books/", 3),
        ("/subjects/{subject}/books/", 3),
        ("/books/{book}/contributions/", 3),
        ("/books/{book}/editions/", 3),
        ("/publishers/{publisher}/editions/", 3),
    ],
)
def test_a_list_costs_the_same_for_any_number_of_rows(anonymous, path, queries, number):
    series = Series.objects.create(name="S")
    publisher = Publisher.objects.create(name="P")
    subject = Subject.objects.create(name="T")
    author = Author.objects.create(name="A")
    stored = None
    for i in range(number):
        other = Author.objects.create(name=f"A{i}")
        one = book(f"B{i}", [author, other], series=series)
        one.subjects.add(subject)
        one.editions.create(publisher=publisher)
        stored = stored or one
        stored.contributions.create(author=other, role="editor", position=2 + i)
        stored.editions.create(publisher=publisher)
    path = path.format(
        author=author.pk,
        series=series.pk,
        publisher=publisher.pk,
        subject=subject.pk,
        book=stored.pk,
    )
    asked = statements(lambda: send(anonymous, "GET", path))
    # The feed's state is asked for the tag, unless something is computed: test_list_tags.py.
    assert len([each for each in asked if each.strip() != STATE.strip()]) == queries
