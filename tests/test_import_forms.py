"""Is each form of file taken as it is, for all that docs/import.md says it fills?"""

import gzip
import html
import json
import re
from contextlib import suppress
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from authors.models import Author
from books.importing import FORMS, UnreadableFileError, bibtex, import_file
from books.importing.authors import AuthorRow
from books.importing.importer import prepare
from books.importing.mapping import SYNONYMS
from books.importing.onix import TAGS
from books.importing.rows import Lines
from books.importing.validation import Validation
from books.models import Book, Contribution, Edition
from books.serializers import BookSerializer
from tests.catalogue import everything

ROOT = Path(__file__).parent.parent
FILES = {path.stem: path for path in sorted((ROOT / "tests" / "imports" / "forms").iterdir())}
TABLE = re.findall(
    r"^\| `([a-z-]+)` \|.*\| ([^|]*) \|$", (ROOT / "docs" / "import.md").read_text(), re.MULTILINE
)
MAPPING = {"Author": "authors", "Book Title": "title", "Year": "published_on", "EAN": "isbn13"}


@pytest.fixture
def run(db, tmp_path):
    """`run(data, **options)` imports these bytes or this text."""

    def run(data, **options):
        path = tmp_path / "file"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return import_file(path, **options)

    return run


def filled(client):
    """What the API shows of the books, as docs/import.md names it."""
    found = set()
    for book in client.get("/api/books/").json()["results"]:
        for name in [
            *(
                "title",
                "subtitle",
                "original_title",
                "language",
                "first_published_year",
                "description",
            ),
            *("series", "series_position", "subjects", "openlibrary_key"),
        ]:
            found |= {name} if book[name] else set()
        found |= {each["role"] for each in book["contributions"]}
        for each in book["contributions"]:
            years = {"birth_year", "death_year"}
            found |= {f"authors.{name}" for name in years if each["author"][name] is not None}
        for edition in book["editions"]:
            names = ("isbn13", "identifiers", "publisher", "pages", "published_on", "language")
            found |= {f"editions.{name}" for name in names if edition[name]}
            found |= {"editions.format"} if edition["format"] != "other" else set()
    return found


def reasons(report):
    return [(line, fault.pointer, fault.code) for line, fault in report.reasons]


def test_the_docs_list_each_form():
    assert sorted(name for name, _ in TABLE) == sorted([*FORMS, "mapped"])


@pytest.mark.parametrize(("form", "fields"), TABLE)
def test_each_form_fills_what_the_docs_say(db, anonymous, form, fields):
    path = FILES[form]
    mapping = MAPPING if form == "mapped" else None
    report = import_file(path, mapping=mapping)
    assert report.form == form
    assert filled(anonymous) == set(re.findall("`([a-z_.0-9]+)`", fields))
    title = Book.objects.order_by("id")[0].title
    assert title.lower() == "roadside picnic"
    before = everything()
    assert import_file(path, mapping=mapping).has_changed_nothing
    assert everything() == before


ABOUT_THE_SAME_BOOK = [form for form in FILES if form != "rejects"]


def test_all_forms_together_are_one_book_with_one_edition(db):
    for form in ABOUT_THE_SAME_BOOK:
        import_file(FILES[form], mapping=MAPPING if form == "mapped" else None)
    assert list(Edition.objects.values_list("isbn13", flat=True)) == ["9781613743416"]
    names = Author.objects.order_by("name").values_list("name", flat=True)
    assert list(names) == ["Arkady Strugatsky", "Boris Strugatsky", "Olena Bormashenko"]
    [book] = Book.objects.all()
    assert (book.openlibrary_key, book.language) == ("OL36574W", "ru")


# What a file may be packed in, and written in


@pytest.mark.parametrize("form", sorted(FILES))
def test_each_form_may_be_packed_by_gzip(run, form):
    mapping = MAPPING if form == "mapped" else None
    report = run(gzip.compress(FILES[form].read_bytes()), mapping=mapping)
    assert report.form == form
    assert report.bytes_read == report.size
    assert Book.objects.exists()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "csl", "bibtex", "ris"])
def test_a_file_may_be_in_any_encoding_of_unicode(run, form, encoding):
    report = run(FILES[form].read_text().encode(encoding))
    assert report.form == form
    assert Book.objects.get().title == "Roadside Picnic"


def test_what_was_cut_off_by_a_bad_archive_is_told(run):
    data = gzip.compress(FILES["csv"].read_bytes() * 10)
    with pytest.raises(UnreadableFileError, match="It can't be unpacked"):
        run(data[:-20])


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ('[{"title": "Dune"}, {"title": "[Em}ma, \\"I\\""}]', ["Dune", '[Em}ma, "I"']),
        ('[\n {"title": "Dune"}\n,\n\n{"title": "Emma"}\n]\n', ["Dune", "Emma"]),
        ("[]", []),
        ('[{"title": "Dune"}, 5, {"title": "A", "x": 1}]', ["Dune"]),
    ],
)
def test_an_array_is_read_item_by_item(run, text, titles):
    run(text)
    assert list(Book.objects.order_by("id").values_list("title", flat=True)) == titles


def test_a_fault_in_an_array_names_its_line(run):
    report = run('[\n{"title": "Dune"},\n{"title": 5},\n\n[1],\n{"a" 1}]')
    assert reasons(report) == [
        (3, "/title", "invalid"),
        (5, "", "invalid"),
        (6, "", "parse_error"),
    ]


def test_an_array_is_read_in_pieces(run):
    text = json.dumps([{"title": f"Book {n}", "description": "é" * 19_000} for n in range(9)])
    assert run(text).counts["books"].created == 9


@pytest.mark.parametrize("text", ['[{"title": "Dune"}', '[{"title": "Du', '[{"title": "A"}]]'])
def test_an_array_without_an_end_is_told(run, text):
    with pytest.raises(UnreadableFileError):
        run(text)


# Bad input


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><a xmlns="http://www.loc.gov/MARC21/slim">&b;</a>',
            "This is no XML that can be read",
        ),
        ('<a xmlns="http://www.loc.gov/MARC21/slim"><record></a>', "This is no XML"),
        ('<?xml version="1.0" encoding="Shift_JIS"?><ONIXMessage/>', "This is no XML"),
        ('<?xml version="1.0" encoding="UTF8-8"?><ONIXMessage/>', "This is no XML"),
        ("<ONIXMessage>" + "<a>" * 200, "It is nested more than 100 levels deep."),
        ("00710cam a2200205 a 4500", None),
        ("<ONIXMessage><Product/></ONIXMessage>", None),
        (
            '<a xmlns="http://www.loc.gov/MARC21/slim"><record><datafield tag="²"/></record></a>',
            None,
        ),
    ],
)
def test_markup_that_is_broken_or_an_attack_is_refused(run, data, message):
    if message is None:
        report = run(data)
        assert report.counts["books"].rejected == report.rows == 1
        return
    with pytest.raises(UnreadableFileError, match=message):
        run(data)


def test_a_record_of_xml_is_no_longer_than_a_row_may_be(run):
    data = "<ONIXMessage><Product><b>" + "A" * 7_000_000 + "</b></Product></ONIXMessage>"
    with pytest.raises(UnreadableFileError, match=r"A record has [0-9]+ bytes at most"):
        run(data)


def test_a_wrong_record_does_not_take_its_neighbours_along(run):
    marc = FILES["marc"].read_bytes()
    report = run(b"00020garbagegarbage" + b"\x1d" + marc, form="marc")
    assert [line for line, _ in report.reasons] == [1]
    assert Book.objects.count() == 1
    bibtex = FILES["bibtex"].read_text()
    report = run("@book{a, title={B}, }}\n@book{c title}\n" + bibtex, form="bibtex")
    assert [line for line, _ in report.reasons] == [2, 25]


def test_wrong_isbns_cost_the_isbns_in_each_form(run):
    report = run(FILES["storygraph"].read_text().replace("9781613743416", "9781613743417"))
    assert reasons(report) == [(2, "/ISBN~1UID", "isbn_checksum")]
    assert Book.objects.get().editions.get().format == "paperback"


# Odd files of each form


@pytest.mark.parametrize(
    ("said", "date"),
    [
        ("12-Nov-2005", "2005-11-12"),
        ("Nov-2005", "2005-11"),
        ("2005 Nov 12", "2005-11-12"),
        ("2005-00-12", "2005"),
        ("November 31, 2005", "2005-11"),
        ("2005-13-01", "2005"),
        ("2005-11-12T00:00:00+00:00", "2005-11-12"),
        ("c2005", "2005"),
        ("[200-?]", None),
        ("٢٠٠٥", None),
    ],
)
def test_a_date_is_as_exact_as_it_is_said_and_no_other(run, said, date):
    line = {"key": "/books/OL1M", "title": "Dune", "publish_date": said, "number_of_pages": 5}
    run(f"/type/edition\t/books/OL1M\t1\t2020-01-01T00:00:00\t{json.dumps(line)}\n")
    assert Edition.objects.get().published_on == date


def test_the_dash_before_a_year_is_no_sign_behind_a_word(run):
    line = {"key": "/authors/OL1A", "name": "Frank Herbert", "birth_date": "8-Oct-1920"}
    book = {"title": "Dune", "authors": [{"key": "/authors/OL1A"}], "key": "/works/OL1W"}
    rows = [("author", "authors/OL1A", line), ("work", "works/OL1W", book)]
    run("".join(f"/type/{t}\t/{k}\t1\t2020-01-01\t{json.dumps(each)}\n" for t, k, each in rows))
    assert Author.objects.get().birth_year == 1920


def test_a_day_that_there_is_not_costs_the_day_and_not_the_book(run):
    onix = FILES["onix"].read_text()
    assert "20120501" in onix
    assert reasons(run(onix.replace("20120501", "20120231"))) == []
    assert Edition.objects.get().published_on == "2012-02"


def test_lines_may_end_as_excel_for_the_mac_ended_them(run):
    report = run("title,authors\rDune,Frank Herbert\rEmma,Jane Austen\r")
    assert (report.form, [line for line, _ in report.reasons]) == ("csv", [])
    assert sorted(Book.objects.values_list("title", flat=True)) == ["Dune", "Emma"]


def test_a_header_with_a_line_end_of_its_own_is_told(run):
    with pytest.raises(UnreadableFileError, match=r"The header can't be read."):
        run("title,aut\rhors\nDune,Frank Herbert\n")


@pytest.mark.parametrize("form", ["marcxml", "onix"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_xml_may_say_that_it_is_in_another_encoding(run, form, encoding):
    text = re.sub(r"<\?xml.*?\?>", "", FILES[form].read_text())
    report = run(f'<?xml version="1.0" encoding="{encoding.upper()}"?>{text}'.encode(encoding))
    assert (report.form, reasons(report)) == (form, [])
    assert Book.objects.get().original_title


def test_a_series_of_marc_without_a_name_is_none(run):
    field = '<datafield tag="490"><subfield code="a"> ;</subfield><subfield code="v">3</subfield>'
    text = FILES["marcxml"].read_text()
    series = re.compile(r'<datafield tag="490".*?</datafield>', re.DOTALL)
    assert series.search(text)
    assert reasons(run(series.sub(f"{field}</datafield>", text))) == []
    assert Book.objects.get().series is None


def test_entries_of_bibtex_may_share_a_line(run):
    report = run("@string{d = {Dune}}\n@book{a, title = d}@book{b, title = {Emma}}\n")
    assert reasons(report) == []
    assert sorted(Book.objects.values_list("title", flat=True)) == ["Dune", "Emma"]


def test_values_of_bibtex_are_pieces_that_are_joined(run):
    report = run(
        '@string{ACE = "Ace" # { Books}}\n'
        '@book{a, title = {{The} } # "D{"}une", author = {Frank} # " Herbert",\n'
        '  publisher = ace # " (" # NY # ")", month = "1~" # aug, year = 1965}\n'
        "@string{ny = {New York}}\n@book{b, title = ny # ny}\n"
    )
    assert reasons(report) == []
    assert sorted(Book.objects.values_list("title", flat=True)) == ["New YorkNew York", 'The D"une']
    edition = Edition.objects.get()
    assert (edition.publisher.name, edition.published_on) == ("Ace Books (NY)", "1965-08-01")
    assert [author.name for author in Author.objects.all()] == ["Frank Herbert"]


def test_fields_of_bibtex_may_be_written_in_capitals_and_name_all_who_had_a_part(run):
    report = run(
        "@Book{a, Title = {Dune}, AUTHOR = {Herbert, Frank}, Foreword = {Ann Lee},\n"
        "  introduction = {Bo Lee and Cy Lee}, afterword = {Di Lee}, annotator = {Ed Lee}}\n"
    )
    assert reasons(report) == []
    assert [(each.author.name, each.role) for each in Contribution.objects.all()] == [
        ("Frank Herbert", "author"),
        ("Bo Lee", "introduction"),
        ("Cy Lee", "introduction"),
        ("Ann Lee", "foreword"),
        ("Di Lee", "afterword"),
        ("Ed Lee", "annotator"),
    ]


@pytest.mark.parametrize(
    ("origdate", "date", "year"),
    [
        ("1972", "", 1972),
        ("-0379", "-0379", -380),
        ("0000", "0000", -1),
        ("-0800/-0700", "-0800/-0700", -801),
        ("1850~", "1850~", 1850),
        ("18XX", "18XX", 1800),
        ("1997/", "1997/", 1997),
        ("c. 380 BC", "", -380),
        ("1850/1840", "", 1850),
    ],
)
def test_original_dates_of_biblatex_are_edtf(run, origdate, date, year):
    report = run(f"@book{{a, title = {{Dune}}, origdate = {{{origdate}}}}}\n")
    assert reasons(report) == []
    [book] = Book.objects.all()
    assert (book.first_published, book.first_published_year) == (date, year)


def test_strings_of_bibtex_are_read_once_and_do_not_grow_without_bound(run, monkeypatch):
    read, parse = [], bibtex.parse_string
    monkeypatch.setattr(
        bibtex, "parse_string", lambda text, **more: read.append(text) or parse(text, **more)
    )
    strings = [f"@string{{s{n} = {{Press {n}}}}}\n" for n in range(50)]
    books = [f"@book{{b{n}, title = {{Book {n}}}, publisher = s{n}}}\n" for n in range(50)]
    assert reasons(run("".join(strings + books))) == []
    assert sum(map(len, read)) < len("".join(strings + books))
    assert Edition.objects.filter(publisher__name="Press 49").count() == 1
    doubled = "".join(f"@string{{s{n + 1} = s{n} # s{n}}}\n" for n in range(60))
    report = run("@string{s0 = {abc}}\n" + doubled + "@book{a, title = {Emma}}\n")
    assert {code for _, _, code in reasons(report)} == {"too_large"}
    assert Book.objects.filter(title="Emma").exists()


def test_a_string_of_bibtex_that_cannot_be_read_is_told_by_itself(run):
    report = run("@string{d = {Dune}\n@book{a, title = {Emma}}\n")
    assert [(line, code) for line, _, code in reasons(report)] == [(1, "parse_error")]
    assert Book.objects.get().title == "Emma"


def test_others_are_no_author_and_a_month_is_part_of_the_date(run):
    run("@book{a, title={Dune}, author={Herbert, Frank and others}, year=1965, month=jun}\n")
    assert [author.name for author in Author.objects.all()] == ["Frank Herbert"]
    assert Edition.objects.get().published_on == "1965-06"


def test_a_record_of_ris_without_an_end_does_not_swallow_the_next(run):
    report = run("TY  - BOOK\nTI  - Dune\n\nTY  - BOOK\nBT  - Emma\nER  - \n")
    assert reasons(report) == []
    assert sorted(Book.objects.values_list("title", flat=True)) == ["Dune", "Emma"]
    assert [line for line, _ in run("TY  - BOOK\nTI  - A\n\nTY  - JOUR\nTI  - B\n").reasons] == [4]


def test_a_record_of_ris_may_have_one_blank_before_its_dashes(run):
    report = run("TY - BOOK\nTI - Dune\nAU - Herbert, Frank\nER - \nTY - BOOK\nTI - Emma\nER -\n")
    assert reasons(report) == []
    assert sorted(Book.objects.values_list("title", flat=True)) == ["Dune", "Emma"]
    assert [author.name for author in Author.objects.all()] == ["Frank Herbert"]


def test_a_year_before_the_common_era_may_have_three_digits_in_csl(run):
    date = {"date-parts": [[-750]]}
    run(json.dumps([{"type": "book", "title": "Iliad", "original-date": date, "author": []}]))
    assert Book.objects.get().first_published_year == -750


# By a mapping, and again


def test_a_table_of_no_form_is_told_how_it_might_be_mapped(run):
    with pytest.raises(UnreadableFileError) as raised:
        run(FILES["mapped"].read_bytes())
    options = re.findall('--map "([^"]+)"', str(raised.value))
    mapping = dict(option.split("=") for option in options)
    assert mapping == MAPPING
    report = run(FILES["mapped"].read_bytes(), mapping=mapping)
    assert reasons(report) == []
    assert dict(report.columns_left_out) == {"Shelf": 1}


def test_the_guess_names_columns_that_there_are():
    from books.importing.columns import BOOK, EDITION_COLUMNS

    assert SYNONYMS.keys() <= {*BOOK, *EDITION_COLUMNS}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"Author": "writer"}, "There is no column “writer”"),
        ({"Writer": "authors"}, "The column “writer” is missing."),
        ({"Book Title": "title", "Author": "title"}, "Two columns are to be “title”."),
    ],
)
def test_a_mapping_that_does_not_fit_is_told(run, mapping, message):
    with pytest.raises(UnreadableFileError, match=message):
        run(FILES["mapped"].read_bytes(), mapping=mapping)


def test_a_fault_in_a_mapped_column_names_theirs(run):
    data = FILES["mapped"].read_text().replace("209", "many")
    assert reasons(run(data, mapping=MAPPING)) == [(2, "/Pages", "invalid")]


@pytest.mark.parametrize(
    "form",
    [
        *("goodreads", "csv", "jsonl", "mapped", "bookwyrm", "calibre", "storygraph"),
        *("librarything", "librarything-json", "openlibrary", "marcxml", "onix"),
        *("bibtex", "ris", "csl"),
    ],
)
def test_rejects_are_imported_again_once_they_are_mended(run, tmp_path, form):
    rejects = tmp_path / "rejects"
    options = {"mapping": MAPPING} if form == "mapped" else {}
    good = FILES[form].read_text("utf-16" if form == "librarything" else "utf-8")
    assert run(good.replace("Roadside", "X" * 2_000), rejects=rejects, **options).reasons
    assert not Book.objects.exists()
    mended = rejects.read_text().replace("X" * 2_000, "Roadside").splitlines(keepends=True)
    # Articles are no books, however they are mended.
    books = "".join(line for line in mended if "not_a_book" not in line)
    report = run(books, **options)
    assert reasons(report) == []
    before = everything()
    assert run(good, **options).has_changed_nothing
    assert everything() == before


def test_a_fault_in_a_rejected_row_names_its_column_as_it_is_spelt(run, tmp_path):
    rejects = tmp_path / "rejects"
    run(FILES["goodreads"].read_text().replace("209", "-209"), rejects=rejects)
    assert [fault.pointer for _, fault in run(rejects.read_text()).reasons] == ["/Number of Pages"]


def test_an_author_that_was_rejected_can_be_mended(run, tmp_path):
    rejects = tmp_path / "rejects"
    line = {"key": "/authors/OL1A", "name": "X" * 2_000}
    book = {"title": "Dune", "authors": [{"key": "/authors/OL1A"}], "key": "/works/OL1W"}
    rows = [("author", "authors/OL1A", line), ("work", "works/OL1W", book)]
    text = "".join(f"/type/{t}\t/{k}\t1\t2020-01-01\t{json.dumps(each)}\n" for t, k, each in rows)
    assert [place for _, place, _ in reasons(run(text, rejects=rejects))] == ["/name"]
    assert reasons(run(rejects.read_text().replace("X" * 2_000, "Frank Herbert"))) == []
    assert [author.name for author in Author.objects.all()] == ["Frank Herbert"]


# The command


def command(*arguments, **options):
    out, errors = StringIO(), StringIO()
    call_command("import_books", *map(str, arguments), stdout=out, stderr=errors, **options)
    return out.getvalue().splitlines()


def test_a_dry_run_says_what_would_happen_and_stores_nothing(db):
    before = everything()
    lines = command(FILES["goodreads"], "--dry-run")
    assert lines[2].split() == ["books", "1", "0", "0", "0"]
    assert lines[-1] == "This was a dry run: nothing is stored."
    assert everything() == before
    assert command(FILES["goodreads"])[2].split() == ["books", "1", "0", "0", "0"]


def test_the_command_says_what_was_left_out(db, tmp_path):
    lines = command(FILES["mapped"], *(f"--map={name}={ours}" for name, ours in MAPPING.items()))
    assert "Left out, since it has no place here: Shelf 1" in lines
    assert "Read as mapped." in lines
    other = tmp_path / "goodreads.csv"
    other.write_text(FILES["goodreads"].read_text().replace("209", "210"))
    lines = command(other)
    assert "Left out, since something else stands: Number of Pages 1" in lines
    assert "line 2: /Number of Pages “210” is left out: “209” stands." in lines


def test_all_rejected_is_a_failure(db, tmp_path):
    file = tmp_path / "books"
    file.write_text('{"title": 5}\n')
    with pytest.raises(CommandError, match="Every row was rejected"):
        command(file)


def test_an_option_that_maps_nothing_is_refused(db):
    with pytest.raises(CommandError, match="--map takes a column and one of ours"):
        command(FILES["mapped"], "--map=Author")


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_form_with_nothing_behind_its_beginning_has_no_rows_or_is_refused(form):
    data = FILES[form].read_bytes()
    for length in (0, 1, 40, 200, len(data) - 3):
        with suppress(UnreadableFileError):
            list(FORMS[form].read(Lines(BytesIO(data[:length]))))


def test_works_name_authors_by_keys_until_the_authors_come(run):
    works, editions, authors, _ = FILES["openlibrary"].read_text().splitlines()
    run(works)
    assert Author.objects.get().name == "OL2624A"
    run(authors)
    author = Author.objects.get()
    assert (author.name, author.sort_name) == ("Arkady Strugatsky", "Strugatsky, Arkady")
    assert (author.birth_year, author.death_year) == (1925, 1991)
    assert run("\n".join([editions, works, authors])).counts["books"].created == 0
    assert Contribution.objects.count() == 1


def test_short_tags_of_onix_say_the_same(run):
    text = FILES["onix"].read_text()
    for short, name in {**TAGS, "ONIXmessage": "ONIXMessage", "product": "Product"}.items():
        text = re.sub(rf"<(/?){name}\b", rf"<\1{short}", text)
    run(FILES["onix"].read_bytes())
    before = everything()
    report = run(text)
    assert (report.form, report.rows, reasons(report)) == ("onix", 1, [])
    assert report.has_changed_nothing
    assert (dict(report.left_out), everything()) == ({}, before)


def test_the_picture_shows_what_the_command_says(db):
    picture = (ROOT / "docs" / "images" / "import-books.svg").read_text()
    lines = re.findall(r"<text[^>]*>(.*?)</text>", picture)
    shown = "\n".join(html.unescape(line).replace("\xa0", " ") for line in lines)
    timing, header, *counts = command(FILES["goodreads"])
    assert re.match(r"1 rows in [0-9.]+ s, [0-9,]+ rows/s", timing)
    assert re.search(r"[0-9,]+ rows in [0-9.]+ s, [0-9,]+ rows/s", shown)
    for words in (header, *(line.split()[0] for line in counts[:6])):
        assert f"\n{words}" in shown


def with_anything_anywhere(value):
    """The value with something else in one of its places, for each of them."""
    yield from (None, True, 5, "\ud800", [], [5], [[]], [{}], {"key": 5})
    if isinstance(value, dict):
        for name, each in value.items():
            yield from ({**value, name: other} for other in with_anything_anywhere(each))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            for other in with_anything_anywhere(each):
                yield [*value[:place], other, *value[place + 1 :]]


@pytest.mark.parametrize("form", ["csl", "librarything-json", "openlibrary", "jsonl", "rejects"])
def test_whatever_a_document_holds_is_read_or_refused(form):
    of_book, of_author = Validation(BookSerializer()), Validation(AuthorRow())
    text = FILES[form].read_text()
    for line in text.splitlines() if form in ("openlibrary", "jsonl", "rejects") else [text]:
        columns, tab, document = line.rpartition("\t") if form == "openlibrary" else ("", "", line)
        for other in with_anything_anywhere(json.loads(document)):
            data = f"{columns}{tab}{json.dumps(other)}".encode()
            with suppress(UnreadableFileError):
                for row in FORMS[form].read(Lines(BytesIO(data))):
                    prepare(row, of_author if row.is_author else of_book)
                    assert bool(row.draft) != bool(row.faults)
