"""ONIX 3.0 for Books (https://www.editeur.org/12/Current-Release-3.0/), by names or short tags."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from .calibre import plain_text
from .citations import keywords
from .identifiers import of_onix
from .markup import records, text
from .rows import FileRow, Lines
from .vocabulary import (
    contribution,
    contribution_of_inverted,
    date_of,
    editions,
    language_of,
    without_blanks,
)

# The short tags of what is read here; those of composites are their names in small letters.
COMPOSITES = (
    "ProductIdentifier DescriptiveDetail TitleDetail TitleElement Contributor Language Extent"
    " Subject Collection CollateralDetail TextContent PublishingDetail Publisher Imprint"
    " PublishingDate"
)
SHORT = (
    "b221 ProductIDType b244 IDValue b012 ProductForm b333 ProductFormDetail b202 TitleType"
    " x409 TitleElementLevel b203 TitleText b030 TitlePrefix b031 TitleWithoutPrefix"
    " b029 Subtitle b035 ContributorRole b036 PersonName b037 PersonNameInverted"
    " b039 NamesBeforeKey b040 KeyNames b047 CorporateName b253 LanguageRole b252 LanguageCode"
    " b218 ExtentType b219 ExtentValue b220 ExtentUnit b070 SubjectHeadingText x410 PartNumber"
    " x426 TextType d104 Text b081 PublisherName b079 ImprintName x448 PublishingDateRole b306 Date"
)
TAGS = {
    **{name.lower(): name for name in COMPOSITES.split()},
    **dict(re.findall(r"(\w+) (\w+)", SHORT)),
}
BEGINNING = r".*<ONIX[Mm]essage\b"
# List 17; https://ns.editeur.org/onix/en/17
CODES = (
    "A01 author A12 illustrator A13 photographer A15 foreword A19 afterword A20 annotator"
    " A21 commentator A23 foreword A24 introduction B01 editor B06 translator C01 compiler"
    " E03 narrator E07 narrator"
)
ROLES = dict(re.findall(r"(\w+) (\w+)", CODES))
# By the beginning of a code of list 150, or by one of list 175.
FORMS = {"A": "audiobook", "BB": "hardcover", "BC": "paperback", "D": "ebook", "E": "ebook"}
FORMS["B101"] = "mass_market"


def onix(lines: Lines) -> Iterator[FileRow]:
    for line, product in records(lines, {"Product", "product"}):
        for element in product.iter():
            element.tag = TAGS.get(element.tag, element.tag)
        row = FileRow(line, None, _body(product))
        row.source = row.body
        yield row


def _where(parent: Element, path: str, name: str, *codes: str) -> Element:
    """The first element there whose `name` is the first of these codes; an empty one without."""
    matches = (e for code in codes for e in parent.findall(path) if text(e, name) == code)
    return next(matches, Element("none"))


def _title(element: Element | None) -> str:
    prefix, rest = text(element, "TitlePrefix"), text(element, "TitleWithoutPrefix")
    return text(element, "TitleText") or f"{prefix} {rest}".strip()


def _contributions(detail: Element) -> Iterator[dict[str, object]]:
    for each in detail.findall("Contributor"):
        inverse, corporate = text(each, "PersonNameInverted"), text(each, "CorporateName")
        parts = [text(each, "NamesBeforeKey"), text(each, "KeyNames")]
        name = text(each, "PersonName") or " ".join(filter(None, parts))
        for code in each.findall("ContributorRole"):
            role = ROLES.get(text(code), "contributor")
            if name:
                yield contribution(name, role, sort_name=inverse)
            elif inverse:
                yield contribution_of_inverted(inverse, role)
            elif corporate:
                yield contribution(corporate, role, kind="body")


def _body(product: Element) -> dict[str, object]:
    detail = next(iter(product.findall("DescriptiveDetail")), Element("none"))
    title = _where(detail, "TitleDetail", "TitleType", "01")
    whole = _where(title, "TitleElement", "TitleElementLevel", "01")
    original = _where(detail, "TitleDetail", "TitleType", "03")
    series = detail.find("Collection/TitleDetail/TitleElement")
    isbn = _where(product, "ProductIdentifier", "ProductIDType", "15", "03", "02")
    pages = _where(detail, "Extent", "ExtentType", "00", "11", "10", "05", "08")
    number = text(pages, "ExtentValue")
    language = _where(detail, "Language", "LanguageRole", "01")
    written = _where(detail, "Language", "LanguageRole", "02")
    published = _where(product, "PublishingDetail/PublishingDate", "PublishingDateRole", "01")
    description = _where(product, "CollateralDetail/TextContent", "TextType", "03", "02")
    day = re.fullmatch(r"(\d{4})(\d\d)?(\d\d)?.*", text(published, "Date"))
    form = text(detail, "ProductForm")
    forms = [*map(text, detail.findall("ProductFormDetail")), form[:2], form[:1]]
    subjects = dict.fromkeys(map(text, detail.findall("Subject/SubjectHeadingText")))
    return without_blanks(
        {
            "title": _title(whole) or _title(title.find("TitleElement")),
            "subtitle": text(title, "TitleElement/Subtitle"),
            "original_title": _title(original.find("TitleElement")),
            "language": language_of(text(written, "LanguageCode")),
            "description": plain_text(text(description, "Text")),
            "series": {"name": name} if (name := _title(series)) else None,
            "series_position": text(series, "PartNumber") if name else "",
            "subjects": keywords(";".join(subjects)),
            "contributions": list(_contributions(detail)),
            "editions": editions(
                [text(isbn, "IDValue")],
                publisher=text(product, "PublishingDetail/Publisher/PublisherName")
                or text(product, "PublishingDetail/Imprint/ImprintName"),
                format=next((FORMS[each] for each in forms if each in FORMS), None),
                pages=int(number) if number.isdecimal() and number.strip("0") else None,
                published_on=date_of("-".join(filter(None, day.groups()))) if day else None,
                language=language_of(text(language, "LanguageCode")),
                identifiers=of_onix(product),
            ),
        }
    )
