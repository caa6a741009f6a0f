"""MARCXML (http://www.loc.gov/MARC21/slim)."""

from collections.abc import Iterator
from typing import Any

from pymarc import Field, Indicators, Record, Subfield

from .marc import body_of
from .markup import records
from .rows import FileRow, Lines

BEGINNING = r"\s*<.*http://www\.loc\.gov/MARC21/slim"


def marcxml(lines: Lines) -> Iterator[FileRow]:
    for line, element in records(lines, {"record"}):
        record: Any = Record()
        for each in element:
            tag = each.get("tag", "")
            if not tag.isascii():
                continue
            if each.tag == "controlfield":
                record.add_field(Field(tag=tag, data=each.text or ""))
            elif each.tag == "datafield":
                parts = [Subfield(sub.get("code", ""), sub.text or "") for sub in each]
                indicators = Indicators(each.get("ind1", " "), each.get("ind2", " "))
                record.add_field(Field(tag=tag, indicators=indicators, subfields=parts))
        row = FileRow(line, None, body_of(record))
        row.source = row.body
        yield row
