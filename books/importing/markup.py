"""Records of an XML file, one at a time, whatever its size. Entities are refused."""

import re
from collections.abc import Collection, Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from .rows import BEGINNING, MAX_LENGTH, Lines, UnreadableFileError

MAX_DEPTH = 100
# What a file says that was read as UTF-16 or UTF-32, and is in UTF-8 by now.
RECODED = re.compile(rb"<\?xml[^>]*encoding=.utf-(16|32)", re.IGNORECASE)


class Records:
    """A target of the parser: builds the elements of some names, and nothing around them."""

    parser: DefusedXMLParser

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._builder: TreeBuilder | None = None
        self._depth = 0
        # Each with the line in which it begins.
        self.whole: list[tuple[int, Element]] = []

    def start(self, tag: str, attrs: dict[str, object]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnreadableFileError(f"It is nested more than {MAX_DEPTH} levels deep.")
        if self._builder is None and local(tag) in self._names:
            self._builder = TreeBuilder()
            self._outside, self._line = self._depth - 1, self.parser.parser.CurrentLineNumber
        if self._builder is not None:
            self._builder.start(local(tag), attrs)

    def data(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)

    def end(self, tag: str) -> None:
        self._depth -= 1
        if self._builder is not None:
            element = self._builder.end(local(tag))
            if self._depth == self._outside:
                self.whole.append((self._line, element))
                self._builder = None

    def close(self) -> None:
        pass


def local(tag: str) -> str:
    """The name without its namespace."""
    return tag.rpartition("}")[2]


def records(lines: Lines, names: Collection[str]) -> Iterator[tuple[int, Element]]:
    """Each element of one of these names, and the line in which it begins.

    Raises UnreadableFileError where the file is no XML, or a record has more bytes than a row may.
    """
    target = Records(names)
    chunk = lines.read(BEGINNING)
    encoding = "utf-8" if RECODED.match(chunk.lstrip()) else None
    parser = target.parser = DefusedXMLParser(target=target, encoding=encoding)
    since = 0
    while True:
        try:
            parser.feed(chunk) if chunk else parser.close()
        # Of an encoding that the parser has not, or that nobody knows, the last two.
        except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
            raise UnreadableFileError(f"This is no XML that can be read: {error}.") from error
        since = 0 if target.whole else since + len(chunk)
        yield from target.whole
        target.whole.clear()
        if since > MAX_LENGTH:
            raise UnreadableFileError(f"A record has {MAX_LENGTH} bytes at most.")
        if not chunk:
            return
        chunk = lines.read(BEGINNING)


def text(element: Element | None, path: str = ".") -> str:
    """The text at this place; empty where there is none."""
    found = None if element is None else element.find(path)
    return "" if found is None else " ".join("".join(found.itertext()).split())
