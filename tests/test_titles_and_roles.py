"""Can the catalogue say what title pages say: long titles, volumes, and who did what?"""

import json

import pytest

from books.importing import import_file
from books.models import Book, Role, Series
from tests.catalogue import authors, book, faults, send

pytestmark = pytest.mark.django_db

# A character of four bytes, of which an index of PostgreSQL takes no 2,000.
LONG = "".join(chr(0x20000 + number) for number in range(2_000))


def test_what_a_title_page_says_is_kept(librarian):
    body = {
        "title": LONG,
        "subtitle": "A Novel",
        "original_title": LONG[::-1],
        "series_position": "x" * 100,
        "contributions": [
            {"author": {"name": "A"}, "role": "photographer"},
            {"author": {"name": "B"}, "role": "other", "other_role": "Gaffer"},
        ],
        "editions": [{"title": LONG, "volume": "II, 2"}],
    }
    made = send(librarian, "POST", "/books/", body, 201)
    for name in ("title", "subtitle", "original_title", "series_position"):
        assert made[name] == body[name]
    assert [(each["role"], each["other_role"]) for each in made["contributions"]] == [
        ("photographer", ""),
        ("other", "Gaffer"),
    ]
    [edition] = made["editions"]
    assert (edition["title"], edition["volume"]) == (LONG, "II, 2")


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"title": "x" * 2001}, "/title"),
        ({"subtitle": "x" * 2001}, "/subtitle"),
        ({"series_position": "x" * 101}, "/series_position"),
        ({"editions": [{"volume": "x" * 101}]}, "/editions/0/volume"),
    ],
)
def test_what_is_longer_is_refused(librarian, body, at):
    problem = send(librarian, "POST", "/books/", {"title": "X", **body}, 400)
    assert faults(problem) == [(at, "max_length")]


def test_long_titles_are_asked_for_as_a_whole_and_listed_in_order(anonymous):
    titles = [LONG, LONG[:-1], LONG[:499], "A" * 2000]
    for title in titles:
        book(title=title)
    for title in titles:
        [found] = anonymous.get("/api/books/", {"title": title, "fields": "title"}).json()[
            "results"
        ]
        assert found["title"] == title
    page = send(anonymous, "GET", "/books/?ordering=title&fields=title")
    assert [each["title"] for each in page["results"]] == [
        "A" * 2000,
        LONG[:499],
        LONG,
        LONG[:-1],
    ]


def test_a_title_that_changes_is_found_by_its_new_beginning(librarian):
    stored = book(title="Dune")
    send(librarian, "PATCH", f"/books/{stored.pk}/", {"title": "Arrakis"})
    for title, number in (("Dune", 0), ("Arrakis", 1)):
        assert len(send(librarian, "GET", f"/books/?title={title}")["results"]) == number


@pytest.mark.parametrize("role", ["photographer", "compiler", "annotator", "commentator"])
def test_there_are_more_roles(librarian, role):
    [author] = authors("A")
    body = {"title": "X", "contributions": [{"author_id": author.pk, "role": role}]}
    made = send(librarian, "POST", "/books/", body, 201)
    assert made["contributions"][0]["role"] == role
    assert len(send(librarian, "GET", f"/books/?role={role}")["results"]) == 1


def test_a_role_in_words_is_of_the_role_other_alone(librarian):
    [author] = authors("A")
    item = {"author_id": author.pk, "role": "editor", "other_role": "Gaffer"}
    body = {"title": "X", "contributions": [item]}
    problem = send(librarian, "POST", "/books/", body, 400)
    assert faults(problem) == [("/contributions/0/other_role", "conflicting_values")]
    stored = book(contributors=[(author, Role.OTHER)])
    path = f"/books/{stored.pk}/contributions/{stored.contributions.get().pk}/"
    assert send(librarian, "PATCH", path, {"other_role": "Gaffer"})["other_role"] == "Gaffer"
    problem = send(librarian, "PATCH", path, {"role": "editor"}, 400)
    assert faults(problem) == [("/other_role", "conflicting_values")]
    assert send(librarian, "PATCH", path, {"role": "editor", "other_role": ""})["role"] == "editor"


ROWS = [
    {
        "title": "T" * 501,
        "subtitle": "S",
        "series": {"name": "Cycle"},
        "series_position": "1-3, and the tale that stands before them",
        "contributions": [
            {"author": {"name": "A"}, "role": "photographer"},
            {"author": {"name": "B"}, "role": "other", "other_role": "Gaffer"},
        ],
        "editions": [{"volume": "1"}, {"volume": "2", "title": "The Second"}],
    }
]


def test_an_import_takes_all_of_it_and_a_second_run_changes_nothing(tmp_path, anonymous):
    path = tmp_path / "books.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS), "utf-8")
    assert import_file(path).counts["books"].created == 1
    body = send(anonymous, "GET", f"/books/{Book.objects.get().pk}/")
    assert (body["title"], body["subtitle"]) == ("T" * 501, "S")
    assert body["series_position"] == ROWS[0]["series_position"]
    assert [(each["role"], each["other_role"]) for each in body["contributions"]] == [
        ("photographer", ""),
        ("other", "Gaffer"),
    ]
    assert [(each["volume"], each["title"]) for each in body["editions"]] == [
        ("1", ""),
        ("2", "The Second"),
    ]
    assert import_file(path).has_changed_nothing


def test_an_import_refuses_what_the_api_refuses(tmp_path):
    path = tmp_path / "books.jsonl"
    path.write_text(
        '{"title": "X", "contributions": [{"author": {"name": "A"}, "other_role": "Gaffer"}]}'
    )
    [(_, fault)] = import_file(path).reasons
    assert (fault.pointer, fault.code) == ("/contributions/0/other_role", "conflicting_values")


def test_columns_of_csv_have_them_too(tmp_path):
    path = tmp_path / "books.csv"
    path.write_text(
        "title,subtitle,authors,edition_title,volume\nX,Y,A (photographer),The X,3\n", "utf-8"
    )
    assert import_file(path).reasons == []
    stored = Book.objects.get()
    edition = stored.editions.get()
    assert (stored.subtitle, edition.title, edition.volume) == ("Y", "The X", "3")
    assert stored.contributions.get().role == "photographer"


# A series in its order

IN_ORDER = ["0", "0.5", "1", "1-3", "1.5", "2", "# 3", "3.25", "3.5", "10", "10a", "100", "Prequel"]


def test_a_series_is_read_in_its_order_however_short_the_pages(librarian):
    series = Series.objects.create(name="Cycle")
    for position in ["", *reversed(IN_ORDER)]:
        body = {"title": "X", "series_id": series.pk, "series_position": position}
        send(librarian, "POST", "/books/", body, 201)
    book(title="Elsewhere", series_position="2")
    wanted = [*IN_ORDER, ""]
    for ordering, expected in (("series_position", wanted), ("-series_position", wanted[::-1])):
        for path in (f"/series/{series.pk}/books/?", f"/books/?series={series.pk}&"):
            url = f"/api{path}ordering={ordering}&page_size=3&fields=series_position"
            positions = []
            while url:
                page = librarian.get(url).json()
                positions += [each["series_position"] for each in page["results"]]
                url = page["next"]
            assert positions == expected


def test_a_position_that_changes_changes_the_order(librarian):
    series = Series.objects.create(name="Cycle")
    first, second = (book(title=p, series=series, series_position=p) for p in ("2", "10"))
    send(librarian, "PATCH", f"/books/{second.pk}/", {"series_position": "1"})
    page = send(librarian, "GET", f"/series/{series.pk}/books/?ordering=series_position")
    assert [each["id"] for each in page["results"]] == [second.pk, first.pk]
