"""Are the Swift and Dart clients that the contract makes sound programs?

There is no compiler of theirs here, so their grammars are asked.
"""

import pytest
import tree_sitter_dart
import tree_sitter_swift
from tree_sitter import Language, Parser

from tests.clients.generators import dart, swift


def errors(node):
    if node.type == "ERROR" or node.is_missing:
        yield node.start_point, node.text[:80]
    elif node.has_error:
        for child in node.children:
            yield from errors(child)


@pytest.mark.parametrize(
    ("generate", "grammar", "suffix", "book"),
    [
        (swift, tree_sitter_swift, "swift", "Book.swift"),
        (dart, tree_sitter_dart, "dart", "book.dart"),
    ],
    ids=["swift", "dart"],
)
def test_every_file_parses(tmp_path, lines, generate, grammar, suffix, book):
    generate(tmp_path)
    (tmp_path / f"first.{suffix}").write_text(lines(suffix))
    parser = Parser(Language(grammar.language()))
    # What is the same for every contract, the grammar may not know.
    files = [
        file
        for file in sorted(tmp_path.rglob(f"*.{suffix}"))
        if file.parent.name != "Infrastructure"
    ]
    assert book in [file.name for file in files]
    wrong = {
        str(file.relative_to(tmp_path)): found
        for file in files
        if (found := list(errors(parser.parse(file.read_bytes()).root_node)))
    }
    assert not wrong
