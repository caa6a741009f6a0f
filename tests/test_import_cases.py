"""Do files that people bring come out right, and the same in whatever order and however often?"""

import json
from io import StringIO
from itertools import permutations
from pathlib import Path
from random import Random

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from authors.models import Author
from books.importing import UPDATES, import_file, importer, ordering
from books.models import Book, Contribution, Edition, Publisher, Series, Subject
from project.api.changes.models import Change
from tests.catalogue import isbn

CASES = Path(__file__).parent / "imports" / "cases"


@pytest.fixture
def run(db, tmp_path):
    """`run(rows, **options)` imports them as JSON Lines, or the case of this name."""

    def run(data, **options):
        if isinstance(data, str):
            return import_file(CASES / data, **options)
        path = tmp_path / "rows"
        path.write_text("\n".join(json.dumps(row) for row in data))
        return import_file(path, **options)

    return run


def rows_of(case):
    return [json.loads(line) for line in (CASES / case).read_text().splitlines()]


def books():
    """All that the catalogue says, without the keys and moments of its own."""
    return sorted(
        (
            book.title,
            book.original_title,
            book.openlibrary_key,
            book.language,
            book.first_published_year,
            book.description,
            book.series and book.series.name,
            book.series_position,
            sorted((subject.name, subject.slug) for subject in book.subjects.all()),
            [
                (each.role, each.position, each.credited_as, *author_of(each.author))
                for each in book.contributions.select_related("author")
            ],
            sorted(
                (
                    str(edition.isbn13),
                    str(edition.publisher),
                    edition.format,
                    edition.pages or 0,
                    str(edition.published_on),
                    str(edition.language),
                )
                for edition in book.editions.select_related("publisher")
            ),
        ).__repr__()
        for book in Book.objects.select_related("series")
    )


def author_of(author):
    return author.name, author.openlibrary_key, author.birth_year, author.death_year


def numbers():
    models = (Author, Book, Contribution, Edition, Publisher, Series, Subject)
    return {model.__name__: model.objects.count() for model in models if model.objects.exists()}


def empty():
    Contribution.objects.all().delete()
    for model in (Book, Author, Series, Subject, Publisher):
        model.objects.all().delete()


def reasons(report):
    return [(line, fault.pointer, fault.code) for line, fault in report.reasons]


def notes(report):
    return [(line, fault.pointer, fault.code) for line, fault in report.notes]


def everything():
    models = (Author, Book, Contribution, Edition, Publisher, Series, Subject)
    return [list(model.objects.order_by("pk").values()) for model in models]


# However often, and in whatever order


@pytest.mark.parametrize(
    "case",
    [
        "second_run_changes.jsonl",
        "second_run_rejects.jsonl",
        "two_keys_one_author.jsonl",
        "edited_merge.jsonl",
        "merge_loses.jsonl",
    ],
)
def test_a_second_run_changes_nothing_whatever_the_order_of_rows(run, case):
    rows = rows_of(case)
    found = set()
    for shuffled in permutations(rows):
        empty()
        report = run(shuffled)
        assert reasons(report) == []
        before = everything()
        again = run(rows)
        assert again.has_changed_nothing
        assert reasons(again) == []
        assert everything() == before
        found.add(repr(books()))
    assert len(found) == 1


@pytest.mark.parametrize("case", ["second_run_changes.jsonl", "second_run_rejects.jsonl"])
def test_rows_that_one_key_joins_are_one_work_with_its_key(run, case):
    run(case)
    work = Book.objects.get()
    assert (work.title, work.openlibrary_key) == ("Dune", "OL893415W")
    assert work.editions.count() == 1


def test_two_keys_are_two_authors_and_the_one_without_is_either(run):
    run("two_keys_one_author.jsonl")
    assert dict(Book.objects.values_list("title", "authors__openlibrary_key")) == {
        "Cloud Atlas": "OL1427612A",
        "Back Story": "OL7115219A",
        "Black Swan Green": "OL1427612A",
    }
    assert Author.objects.count() == 2


NAMES = st.sampled_from(["Ann", "Bob"])
AUTHOR = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "birth_year": st.sampled_from([1900, 1950]),
        "death_year": st.sampled_from([1910, 1920]),
        "openlibrary_key": st.sampled_from(["OL1A", "OL2A"]),
    },
)
EDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "isbn13": st.sampled_from([isbn(1), isbn(2)]),
        "format": st.sampled_from(["paperback", "ebook"]),
        "pages": st.sampled_from([100, 200]),
        "publisher": st.fixed_dictionaries({"name": st.sampled_from(["Ace", "ACE", "Tor"])}),
    },
)
ROW = st.fixed_dictionaries(
    {"title": st.sampled_from(["Dune", "Emma"])},
    optional={
        "openlibrary_key": st.sampled_from(["OL1W", "OL2W"]),
        "first_published_year": st.sampled_from([1815, 1965]),
        "language": st.sampled_from(["en", "fr"]),
        "series": st.fixed_dictionaries({"name": st.sampled_from(["Arrakis", "Highbury"])}),
        "series_position": st.sampled_from(["1", "2"]),
        "subjects": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["Sand", "sand", "C++", "C#"])}),
            max_size=2,
        ),
        "contributions": st.lists(
            st.fixed_dictionaries(
                {"author": AUTHOR},
                optional={"role": st.sampled_from(["author", "editor", "translator"])},
            ),
            max_size=3,
        ),
        "editions": st.lists(EDITIONS, max_size=2),
    },
)


# The second names in vain, by his key, whom a later one makes an editor, under another name.
NAMED_IN_VAIN = [
    {
        "title": "Dune",
        "openlibrary_key": "OL1W",
        "first_published_year": 1815,
        "language": "en",
        "contributions": [
            {"author": {"name": "Ann", "openlibrary_key": "OL1A", "death_year": 1920}}
        ],
        "editions": [
            {
                "isbn13": isbn(1),
                "format": "paperback",
                "publisher": {"name": "Ace"},
                "pages": 100,
            }
        ],
    },
    {
        "title": "Dune",
        "openlibrary_key": "OL1W",
        "first_published_year": 1815,
        "language": "en",
        "series": {"name": "Highbury"},
        "series_position": "1",
        "subjects": [{"name": "C#"}, {"name": "C#"}],
        "contributions": [
            {"author": {"name": "Bob"}},
            {"author": {"name": "Ann", "openlibrary_key": "OL2A"}},
            {"author": {"name": "Ann"}},
        ],
    },
    {
        "title": "Dune",
        "openlibrary_key": "OL1W",
        "first_published_year": 1815,
        "language": "fr",
        "series_position": "2",
        "subjects": [{"name": "Sand"}, {"name": "Sand"}],
        "contributions": [
            {"author": {"name": "Bob"}, "role": "editor"},
            {"author": {"name": "Bob", "openlibrary_key": "OL2A"}},
        ],
        "editions": [{}, {}],
    },
    {
        "title": "Emma",
        "first_published_year": 1965,
        "language": "en",
        "series": {"name": "Arrakis"},
        "series_position": "2",
        "subjects": [{"name": "Sand"}, {"name": "sand"}],
    },
    {"title": "Emma"},
    {
        "title": "Dune",
        "language": "en",
        "series_position": "2",
        "contributions": [{"author": {"name": "Bob"}}],
    },
]
# What the second says of an author in vain, the third might be the first to say.
BORN_IN_VAIN = [
    {"title": "Dune", "openlibrary_key": "OL1W", "contributions": [{"author": {"name": "Ann"}}]},
    {
        "title": "Dune",
        "openlibrary_key": "OL1W",
        "contributions": [{"author": {"name": "Bob", "birth_year": 1900}}],
    },
    {"title": "Emma", "openlibrary_key": "OL2W", "contributions": [{"author": {"name": "Bob"}}]},
]


ANN = [{"author": {"name": "Ann"}}]
# The first means the same book in the second run as in the first: not the last one, which has the
# lower year, and another language.
ONE_OF_TWO_BOOKS = [
    {
        "title": "Dune",
        "language": "en",
        "subjects": [{"name": "Sand"}, {"name": "sand"}],
        "contributions": ANN * 2,
    },
    {
        "title": "Dune",
        "language": "fr",
        "first_published_year": 1965,
        "subjects": [{"name": "Sand"}, {"name": "C#"}],
        "contributions": ANN,
    },
    {
        "title": "Dune",
        "language": "fr",
        "first_published_year": 1815,
        "subjects": [{"name": "Sand"}],
        "contributions": ANN,
    },
]
# And the second of these, though the first contradicts it in vain.
ONE_OF_TWO_BOOKS_IN_VAIN = [
    {
        "title": "Dune",
        "language": "de",
        "subjects": [{"name": "Sand"}, {"name": "sand"}, {"name": "C#"}],
        "contributions": ANN * 2,
    },
    *ONE_OF_TWO_BOOKS,
]
# So does the first mention of an author, who might be either of the others.
ONE_OF_TWO_AUTHORS = [
    {
        "title": title,
        "openlibrary_key": f"OL{n}W",
        "contributions": [{"author": {"name": "Ann", **years}}],
    }
    for n, (title, years) in enumerate(
        [
            ("Dune", {"death_year": 1920}),
            ("Emma", {"birth_year": 1880}),
            ("Mort", {"birth_year": 1850, "death_year": 1910}),
        ],
        start=1,
    )
]


def exported():
    """What `export_catalogue` writes, in no order, without the keys and moments of its own."""
    file = StringIO()
    call_command("export_catalogue", stdout=file)
    own = ("id", "uid", "version")
    return sorted(repr(without(json.loads(line), *own)) for line in file.getvalue().splitlines())


def without(value, *names):
    if isinstance(value, list):
        return [without(each, *names) for each in value]
    if isinstance(value, dict):
        return {
            name: without(each, *names)
            for name, each in value.items()
            if name not in names and not name.endswith(("_id", "_ids", "_at"))
        }
    return value


@pytest.mark.parametrize("batch", [1, 4, 20_000])
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(ROW, min_size=1, max_size=6),
    st.sampled_from(UPDATES),
    st.randoms(use_true_random=False),
)
@example(NAMED_IN_VAIN, "overwrite", Random(1))  # noqa: S311
@example(BORN_IN_VAIN, "fill", Random(1))  # noqa: S311
@example(ONE_OF_TWO_BOOKS, "overwrite", Random(1))  # noqa: S311
@example(ONE_OF_TWO_BOOKS_IN_VAIN, "overwrite", Random(1))  # noqa: S311
@example(ONE_OF_TWO_AUTHORS, "overwrite", Random(1))  # noqa: S311
def test_shuffled_files_give_the_same_catalogue(run, monkeypatch, batch, rows, update, random):
    """However many batches they take, and whether or not they fit into the memory."""
    monkeypatch.setattr(importer, "BATCH_SIZE", batch)
    monkeypatch.setattr(ordering, "HELD_SIZE", 2 * batch)
    found = []
    for _ in range(2):
        empty()
        run(random.sample(rows, len(rows)), update=update)
        found.append(exported())
        before, changes = everything(), Change.objects.count()
        assert run(random.sample(rows, len(rows)), update=update).has_changed_nothing
        assert (everything(), Change.objects.count()) == (before, changes)
    assert found[0] == found[1]


# What several rows say of one book


def test_a_book_has_what_each_of_its_rows_says(run, anonymous):
    report = run("merge_loses.jsonl")
    work = Book.objects.get()
    assert (work.title, work.openlibrary_key, work.language) == ("The Iliad", "OL61982W", "grc")
    assert (work.first_published_year, work.description) == (-750, "An epic.")
    assert work.series.name == "Penguin Classics"
    assert [subject.name for subject in work.subjects.all()] == ["Epic poetry"]
    credited = [(each.author.name, each.role) for each in work.contributions.all()]
    assert credited[0] == ("Homer", "author")
    assert sorted(credited[1:]) == [
        ("Caroline Alexander", "translator"),
        ("Robert Fagles", "translator"),
    ]
    assert author_of(Author.objects.get(name="Homer"))[1:3] == ("OL6848355A", -800)
    first, second = work.editions.order_by("isbn13")
    assert (second.isbn13, second.format) == ("9780140275360", "paperback")
    assert (second.pages, second.publisher.name, second.language) == (683, "Penguin", "en")
    assert str(second.published_on) == "1998-11-01"
    assert (first.isbn13, first.format, first.pages) == ("9780062046277", "hardcover", None)
    assert notes(report) == [(3, "/editions/0/format", "left_out")]
    assert report.notes[0][1].detail == "“hardcover” is left out: “paperback” stands."


def test_works_without_an_author_are_told_apart_by_their_editors(run):
    run("edited_merge.jsonl")
    editors = Book.objects.values_list("contributions__author__name", flat=True)
    assert sorted(editors) == ["Arthur Quiller-Couch", "Christopher Ricks"]


@pytest.mark.parametrize("case", ["nfc_nfd.jsonl", "blanks_two_authors.jsonl"])
def test_one_name_has_one_spelling(run, case):
    run(case)
    assert Author.objects.count() == 1


def test_what_one_list_would_hold_too_much_of_is_refused_as_by_the_api(run):
    report = run("201_editions.csv")
    assert Book.objects.get().editions.count() == 200
    assert [fault.code for _, fault in report.reasons] == ["max_length"]
    again = run("201_editions.csv")
    assert again.has_changed_nothing
    assert len(again.reasons) == 1


def test_subjects_that_differ_in_case_are_one(run):
    run("subjects_case.jsonl")
    assert [subject.name for subject in Subject.objects.all()] == ["Magic"]


def test_two_equal_rows_are_one_edition_and_the_second_is_named(run):
    report = run("volumes_lost.jsonl")
    assert numbers()["Edition"] == 1
    assert report.repeats == 1
    assert notes(report) == [(2, "", "repeat")]


# A second sight of a stored book


STORED = {
    "title": "Emma",
    "authors": [{"name": "Jane Austen"}],
    "editions": [{"isbn13": isbn(1), "format": "ebook"}],
}
SECOND = {
    "title": "Emma",
    "first_published_year": 1815,
    "series": {"name": "Highbury"},
    "subjects": [{"name": "Love"}],
    "contributions": [
        {"author": {"name": "Jane Austen", "birth_year": 1775}},
        {"author": {"name": "Fiona Stafford"}, "role": "editor"},
    ],
    "editions": [
        {"isbn13": isbn(1), "format": "paperback", "pages": 474, "publisher": {"name": "Penguin"}},
        {"isbn13": isbn(2)},
    ],
}


@pytest.mark.parametrize(
    ("update", "year", "editors", "born", "editions"),
    [
        ("fill", 1815, 1, 1775, [("ebook", 474, "Penguin"), ("other", None, None)]),
        ("overwrite", 1815, 1, 1775, [("paperback", 474, "Penguin"), ("other", None, None)]),
        ("skip", None, 0, None, [("ebook", None, None), ("other", None, None)]),
    ],
)
def test_what_a_second_sight_may_change_is_said(run, update, year, editors, born, editions):
    run([STORED])
    before = Book.objects.get()
    report = run([SECOND], update=update)
    after = Book.objects.get()
    assert (after.version, report.counts["books"].changed) == (before.version + 1, 1)
    assert after.first_published_year == year
    assert (after.series is None, after.subjects.count()) == (year is None, int(year is not None))
    assert after.contributions.filter(role="editor").count() == editors
    assert Author.objects.get(name="Jane Austen").birth_year == born
    found = after.editions.order_by("isbn13")
    assert list(found.values_list("format", "pages", "publisher__name")) == editions
    expected = [(1, "/editions/0/format", "left_out")] if update == "fill" else []
    assert notes(report) == expected
    assert run([SECOND], update=update).has_changed_nothing


def test_a_title_that_is_filled_in_by_a_language_is_filed_by_it(run, anonymous):
    run([{"title": "Die Verwandlung"}])
    assert Book.objects.get().sort_title == "Die Verwandlung"
    run([{"title": "Die Verwandlung", "language": "de", "series": {"name": "Prosa"}}])
    assert Book.objects.get().sort_title == "Verwandlung, Die"
    found = anonymous.get("/api/books/", {"search": "prosa"}).json()["results"]
    assert [book["title"] for book in found] == ["Die Verwandlung"]


def test_what_does_not_fit_what_is_known_is_left_out(run):
    run([{"title": "Emma", "authors": [{"name": "Jane Austen", "death_year": 1700}]}])
    run([{"title": "Emma", "authors": [{"name": "Jane Austen", "birth_year": 1775}]}])
    assert Author.objects.get().birth_year is None


# Tables as programs write them


@pytest.mark.parametrize(
    ("case", "titles"),
    [
        ("semicolon.csv", ["Dune"]),
        ("tab.tsv", ["Dune"]),
        ("utf16.csv", ["Dune"]),
        ("array.json", ["Dune", "Emma"]),
        ("capital.csv", ["Dune"]),
        ("cp1252.csv", ["Dune", "Mémoires d’Hadrien"]),
        ("isbn_excel.csv", ["You Killed Me First"]),
        ("format_case.csv", ["Timeline"]),
        ("year_only.csv", ["Timeline"]),
    ],
)
def test_a_table_is_read_as_it_is(run, case, titles):
    report = run(case)
    assert reasons(report) == []
    assert sorted(Book.objects.values_list("title", flat=True)) == titles
    assert report.is_cp1252 == (case == "cp1252.csv")
    assert run(case).has_changed_nothing


def test_the_case_of_roles_and_formats_does_not_count(run):
    run("role_case.csv")
    found = Contribution.objects.values_list("author__name", "role")
    assert list(found) == [("Homer", "author"), ("Emily Wilson", "translator")]
    run("format_case.csv")
    assert Edition.objects.get().format == "paperback"


def test_an_isbn_that_excel_shall_keep_is_one(run):
    run("isbn_excel.csv")
    assert Edition.objects.get().isbn13 == "9781662506499"


def test_a_year_is_a_date(run):
    run("year_only.csv")
    assert Edition.objects.get().published_on == "2000"


def test_a_wrong_isbn_costs_the_isbn_and_not_the_book(run):
    report = run("bad_isbn_costs_the_book.jsonl")
    edition = Edition.objects.select_related("book", "publisher").get()
    assert (edition.book.title, edition.isbn13) == ("Mindwalker", None)
    assert edition.publisher.name == "Hodder Books"
    assert reasons(report) == [(1, "/editions/0/isbn13", "isbn")]
    assert report.counts["editions"].rejected == 1
    assert run("bad_isbn_costs_the_book.jsonl").has_changed_nothing


def test_a_row_of_goodreads_is_a_book_with_its_edition(run):
    report = run("goodreads_one_row.csv")
    assert report.form == "goodreads"
    edition = Edition.objects.select_related("book", "publisher").get()
    assert (edition.book.title, edition.book.first_published_year) == ("You Killed Me First", 2025)
    assert (edition.isbn13, edition.publisher.name) == ("9781662506499", "Thomas & Mercer")
    assert (edition.format, edition.pages, edition.published_on) == ("paperback", 399, "2025")
    contributions = Contribution.objects.values_list("author__name", "role")
    assert list(contributions) == [("John Marrs", "author")]
    assert dict(report.columns_left_out) == {
        "My Rating": 1,
        "Average Rating": 1,
        "Date Added": 1,
        "Exclusive Shelf": 1,
        "Read Count": 1,
        "Owned Copies": 1,
    }
    assert run("goodreads_one_row.csv").has_changed_nothing


def test_sort_names_lose_no_word(run):
    run("sort_names.jsonl")
    for author in Author.objects.all():
        assert sorted(author.sort_name.replace(",", "").split()) == sorted(
            author.name.replace(",", "").split()
        )


# What title pages say


def test_a_photographer_has_a_role_of_its_own(run):
    run("role_photographer.jsonl")
    roles = dict(Contribution.objects.values_list("author__name", "role"))
    assert roles == {"Pierre de Lano": "author", "Léopold-Émile Reutlinger": "photographer"}


def test_long_titles_and_positions_are_kept_whole(run):
    run("title_501.jsonl")
    assert Book.objects.get().title == rows_of("title_501.jsonl")[0]["title"]
    run("series_position_long.jsonl")
    assert Book.objects.get(title="Sonata").series_position == "Oboe and pianoforte, no.2"
    for case in ("title_501.jsonl", "series_position_long.jsonl"):
        assert run(case).has_changed_nothing


def test_a_row_that_says_its_volume_is_another_edition(run):
    [row, _] = rows_of("volumes_lost.jsonl")
    volumes = [{**row, "editions": [{**row["editions"][0], "volume": n}]} for n in ("1", "2")]
    report = run([row, *volumes])
    assert (numbers()["Book"], numbers()["Edition"], report.repeats) == (1, 3, 0)
    assert run([row, *volumes]).has_changed_nothing
