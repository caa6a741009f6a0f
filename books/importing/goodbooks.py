"""goodbooks-10k (https://github.com/zygmuntz/goodbooks-10k), books.csv."""

import re

from django.core.exceptions import ValidationError

from books.isbn import normalize_isbn
from books.languages import alpha_2, canonical_language
from project.api.http.problems import Fault

from .rows import FileRow
from .tabular import Record, Table, number_of

GOODBOOKS_COLUMNS = {
    r"/title": "title",
    r"/series": "title",
    r"/original_title": "original_title",
    r"/first_published_year": "original_publication_year",
    r"/authors": "authors",
    r"/editions/\d+/language": "language_code",
    r"/editions": "isbn",
}
# "Title (Series, #1)"; the series may have parentheses of its own: "(Ranma ½ (US 2nd), #1)".
IN_SERIES = re.compile(r"(.*\S)\s*\(((?:[^()]|\([^()]*\))+?),?\s*#([^#()]+)\)")
# Longer ones are refused for their length; the pattern's time grows with its square.
MAX_TITLE = 1_000


def _goodbooks_body(record: Record, row: FileRow) -> dict[str, object]:
    body = title_in_series(record["title"])
    title, original_title = body["title"], record["original_title"]
    if original_title != title:
        body["original_title"] = original_title
    if year := record["original_publication_year"]:
        body["first_published_year"] = number_of(re.sub(r"\.0+\Z", "", year))
    names = (name.strip() for name in record["authors"].split(","))
    body["authors"] = [{"name": name} for name in names if name]
    if (isbn13 := _padded_isbn(record["isbn"], row)) is not None:
        edition = {"isbn13": isbn13}
        if code := record["language_code"]:
            edition["language"] = _language_tag(code)
        body["editions"] = [edition]
    return body


def title_in_series(title: str) -> dict[str, object]:
    """The title without the series that it ends in, and that series."""
    if len(title) <= MAX_TITLE and (match := IN_SERIES.fullmatch(title)):
        series, position = match[2].strip(), match[3].strip()
        return {"title": match[1], "series": {"name": series}, "series_position": position}
    return {"title": title}


def _language_tag(code: str) -> str:
    """The BCP 47 tag for an ISO 639 code, `en` for `eng`; what is none stays, to be refused."""
    return canonical_language(alpha_2(code)) or code


def _padded_isbn(isbn: str, row: FileRow) -> str | None:
    """The ISBN, which has lost its leading zeros; None where it is absent or wrong."""
    if not isbn:
        return None
    try:
        return normalize_isbn(isbn.zfill(10))
    except ValidationError as error:
        detail = f"{error.messages[0]} The book has come in without this edition."
        row.omitted.append(Fault(error.code or "invalid", detail, "/isbn"))
        return None


GOODBOOKS = Table(
    frozenset({"goodreads_book_id", *GOODBOOKS_COLUMNS.values()}),
    GOODBOOKS_COLUMNS,
    _goodbooks_body,
)
