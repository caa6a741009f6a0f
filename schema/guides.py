"""The guides, written for readers of the repository, as pages: their links lead to pages, too."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import NamedTuple

from django.urls import reverse
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent
FILES = ("docs/*.md", "CONTRIBUTING.md", "CHANGELOG.md")
CONTRACT = "schema/openapi.yaml"
# Raw HTML in them would be shown as text.
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


class Guide(NamedTuple):
    title: str
    html: SafeString


@cache
def names() -> dict[str, str]:
    """The files that are guides, by the name in the URL of their page."""
    files = sorted(file for pattern in FILES for file in ROOT.glob(pattern))
    return {file.stem.lower(): str(file.relative_to(ROOT).as_posix()) for file in files}


@cache
def guide(name: str) -> Guide:
    """Raises KeyError where there is no such guide."""
    file = names()[name]
    return Guide(_title(file), _render(MARKDOWN.parse(_text(file)), file))


@cache
def section(heading: str) -> SafeString:
    """What stands in the README below this heading, up to the next one."""
    pattern = rf"^## {heading}$(.*?)(?=^## |\Z)"
    [found] = re.findall(pattern, _text("README.md"), re.DOTALL | re.MULTILINE)
    return _render(MARKDOWN.parse(found), "README.md")


def paragraph(text: str) -> SafeString:
    """The first one of this text in Markdown."""
    return SafeString(MARKDOWN.render(text.partition("\n\n")[0]))


def _render(tokens: list[Token], file: str) -> SafeString:
    for token, following in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _anchor(following.content))
    for token in tokens:
        if token.type == "inline":
            token.children = [*_linked(token.children or [], file)]
    html = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
    # A table wider than a phone moves by itself, as a block of code does.
    html = html.replace("<table>", '<div class="wide" tabindex="0"><table>')
    html = html.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')
    return SafeString(html)


def _text(file: str) -> str:
    return (ROOT / file).read_text("utf-8")


def _title(file: str) -> str:
    return _text(file).partition("\n")[0].removeprefix("# ")


def _anchor(heading: str) -> str:
    """As the sites that show repositories make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _linked(tokens: list[Token], file: str) -> Iterator[Token]:
    """Links to the pages of what they lead to; the text alone where no page is it."""
    href, url = "", None
    for token in tokens:
        if token.type == "link_open":
            href = str(token.attrGet("href"))
            if (url := _url(href, file)) is not None:
                token.attrSet("href", url)
        elif token.type == "text" and url and token.content == href and _name(href, file):
            token.content = _title(_path(href, file))
        if url is not None or not token.type.startswith("link_"):
            yield token


def _path(href: str, file: str) -> str:
    return normpath(PurePosixPath(file).parent / href.partition("#")[0])


def _name(href: str, file: str) -> str:
    """The name of the guide that this leads to, if it is one."""
    path = _path(href, file)
    name = PurePosixPath(path).stem.lower()
    return name if names().get(name) == path else ""


def _url(href: str, file: str) -> str | None:
    if re.match("[a-z]+:|#", href):
        return href
    if _path(href, file) == CONTRACT:
        return reverse("schema")
    if name := _name(href, file):
        return reverse("guide", args=[name]) + "".join(href.partition("#")[1:])
    return None
