"""Any table, by a mapping of its columns to ours."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from .columns import BOOK, EDITION_COLUMNS, OUR_COLUMNS, our_body
from .rows import Body, FileRow, UnreadableFileError
from .tabular import Record, Table
from .vocabulary import date_of, format_of, language_of

# What others call our columns, in small letters and without what is no letter or digit.
SYNONYMS = {
    "title": "title name booktitle booknametitle bookname titel titre titulo",
    "authors": "authors author authornames authorname creator creators writer autor auteur by",
    "isbn13": "isbn13 isbn isbn10 ean isbnuid",
    "publisher": "publisher publishers verlag editeur editorial imprint publishername",
    "published_on": "publishedon published publicationdate publisheddate pubdate date"
    " dateofpublication yearpublished publicationyear year",
    "first_published_year": "firstpublishedyear originalpublicationyear firstpublished",
    "pages": "pages pagecount numberofpages numpages",
    "format": "format binding media physicalformat",
    "language": "originallanguage",
    "edition_language": "editionlanguage language languages sprache langue",
    "series": "series seriesname",
    "series_position": "seriesposition seriesindex volume number seriesnumber",
    "subjects": "subjects subject genres genre categories category tags",
    "description": "description summary synopsis comments blurb",
    "original_title": "originaltitle",
    "openlibrary_key": "openlibrarykey",
}


CLEANED: dict[str, Callable[[str], str | None]] = {
    "format": format_of,
    "language": language_of,
    "edition_language": language_of,
    "published_on": date_of,
}


def guess_mapping(header: Sequence[str]) -> dict[str, str]:
    """Which of ours the columns of a header seem to be, each of ours once."""
    found: dict[str, str] = {}
    for ours, words in SYNONYMS.items():
        for word in words.split():
            named = [each for each in header if re.sub(r"[\W_]", "", each.casefold()) == word]
            if named and ours not in found.values() and named[0] not in found:
                found[named[0]] = ours
    return found


def guess(header: Sequence[str]) -> str:
    """The guess as it is typed; empty where no column seems to be the title."""
    found = guess_mapping(header)
    if "title" not in found.values():
        return ""
    options = [f'--map "{name}={ours}"' for name, ours in found.items() if name.casefold() != ours]
    return " ".join(options) + "." if options else ""


def make_table(mapping: Mapping[str, str]) -> Table:
    """The form whose columns are these of ours; those of our own names need not be mapped.

    Raises UnreadableFileError where one is to be what we have no column for, or what another is.
    """
    ours = [*BOOK, *EDITION_COLUMNS]
    for name in mapping.values():
        if name not in ours:
            raise UnreadableFileError(f"There is no column “{name}”; there are {', '.join(ours)}.")
    theirs = {name.casefold(): to for name, to in mapping.items()}
    if repeated := [to for to, count in Counter(theirs.values()).items() if count > 1]:
        raise UnreadableFileError(f"Two columns are to be “{repeated[0]}”.")
    known = {**{name: name for name in ours if name not in theirs.values()}, **theirs}

    def body_of(record: Record, row: FileRow) -> Body:
        ours = {known[name]: cell for name, cell in record.items() if name in known}
        for name, clean in CLEANED.items():
            if cell := ours.get(name):
                ours[name] = clean(cell) or cell
        return our_body(ours, row)

    of_ours = {to: name for name, to in known.items()}
    return Table(
        frozenset(theirs),
        {place: of_ours[name] for place, name in OUR_COLUMNS.items() if name in of_ours},
        body_of,
        also=frozenset(known),
    )
