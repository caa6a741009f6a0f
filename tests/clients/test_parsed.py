"""Are the clients in C#, Swift and Dart sound programs, and do they send only what was set?

There is no compiler of theirs here that knows all of it, so their grammars are asked, and the
methods that write a body are read. C#'s is also compiled and run, for an older .NET
(test_csharp.py).
"""

import re
from functools import cache

import pytest
import tree_sitter_c_sharp
import tree_sitter_dart
import tree_sitter_swift
import yaml
from tree_sitter import Language, Parser

from tests.clients.generators import CONTRACT, csharp, dart, swift

# One worker of pytest-xdist runs them all, so that each client is made once.
pytestmark = pytest.mark.xdist_group(__name__)
PATCHES = {
    name: set(schema["properties"])
    for name, schema in yaml.safe_load(CONTRACT.read_text("utf-8"))["components"]["schemas"].items()
    if name.startswith("Patched")
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """`made(swift)` is the folder of the client that this makes."""

    @cache
    def made(generate):
        folder = tmp_path_factory.mktemp(generate.__name__)
        generate(folder)
        return folder

    return made


def errors(node):
    if node.type == "ERROR" or node.is_missing:
        yield node.start_point, node.text[:80]
    elif node.has_error:
        for child in node.children:
            yield from errors(child)


@pytest.mark.parametrize(
    ("generate", "grammar", "language", "suffix", "book"),
    [
        pytest.param(
            *(csharp, tree_sitter_c_sharp, "csharp", "cs", "Book.cs"),
            marks=pytest.mark.more_languages,
            id="csharp",
        ),
        pytest.param(swift, tree_sitter_swift, "swift", "swift", "Book.swift", id="swift"),
        pytest.param(dart, tree_sitter_dart, "dart", "dart", "book.dart", id="dart"),
    ],
)
def test_every_file_parses(made, tmp_path, lines, generate, grammar, language, suffix, book):
    client, first = made(generate), tmp_path / f"first.{suffix}"
    first.write_text(lines(language))
    parser = Parser(Language(grammar.language()))
    # What is the same for every contract, the grammar may not know.
    files = [
        file
        for file in [first, *sorted(client.rglob(f"*.{suffix}"))]
        if file.parent.name != "Infrastructure"
    ]
    assert book in [file.name for file in files]
    wrong = {
        str(file): found
        for file in files
        if (found := list(errors(parser.parse(file.read_bytes()).root_node)))
    }
    assert not wrong


def test_swift_sends_what_was_set_alone(made):
    for name, properties in PATCHES.items():
        [file] = made(swift).rglob(f"{name}.swift")
        text = file.read_text("utf-8")
        # Of two words, the case says what it is called in JSON.
        keys = dict(re.findall(r'case (\w+) = "(\w+)"', text))
        cases = re.findall(r"case (\w+)$", text, re.MULTILINE)
        written = re.findall(r"container\.(\w+)\(\w+, forKey: \.(\w+)\)", text)
        assert {keys.get(case, case) for _, case in written} == properties
        assert {method for method, _ in written} == {"encodeIfPresent"}
        assert set(cases) | set(keys) == {case for _, case in written}
        # And nothing is set to begin with.
        defaults = re.findall(r"public init\((.*)\) {", text)
        assert all(each.endswith("= nil") for each in defaults[0].split(", ")), defaults


def test_dart_sends_what_was_set_alone(made):
    guarded = re.compile(r"if \(this\.(\w+)\.isPresent\) {\n.*this\.\1\.value;\n +json\[r'(\w+)'\]")
    for name, properties in PATCHES.items():
        file = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        text = (made(dart) / "lib" / "model" / f"{file}.dart").read_text("utf-8")
        assert {key for _, key in guarded.findall(text)} == properties
        assert len(re.findall(r" json\[r'\w+'\] = ", text)) == len(properties)
        # And nothing is set to begin with.
        defaults = re.findall(r"^    this\.\w+ = (.*),$", text, re.MULTILINE)
        assert defaults == ["const Optional.absent()"] * len(properties)
