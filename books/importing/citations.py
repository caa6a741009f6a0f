"""What reference managers say of books: shared by BibTeX, RIS and CSL-JSON."""

import re

from project.api.http.problems import Fault

from .rows import Body, FileRow


def is_book(row: FileRow, kind: str, is_kind_of_book: bool) -> bool:
    """The same, after the row has got its fault where it is something else."""
    if not is_kind_of_book:
        row.faults.append(Fault("not_a_book", f"“{kind}” is no kind of book.", ""))
    return is_kind_of_book


def series(name: str, position: str) -> Body:
    return {"series": {"name": name}, "series_position": position} if name else {}


def keywords(text: str) -> list[dict[str, object]]:
    """Subjects, of words between commas or semicolons."""
    words = (word.strip() for word in re.split("[,;]", text))
    return [{"name": word} for word in words if re.search(r"\w", word)]


def isbns(text: str) -> list[str]:
    return re.findall(r"[\dXx-]{10,17}", text)
