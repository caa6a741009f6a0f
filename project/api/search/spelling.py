"""Spelling correction: the word that was meant by one that nobody has.

Of five letters or more, such a word gives way to one with the same first letter that is an edit
away (https://norvig.com/spell-correct.html), best of all by two letters swapped, and of
the others the commonest; or else to two known words that it is made of.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TypeAlias

import regex
from django.db.backends.utils import CursorWrapper

from .words import LONGEST, Group, ParsedText, Word, fold

MIN_LETTERS = 5
MAX_LETTERS = 30
# Of each of the two words that were written as one.
MIN_PART = 3
# From the first to the last letter of each alphabet. Of other scripts a letter may be left out, be
# one too many or change places with the next, but not be another.
_RANGES = (
    *("az", "αω", "аџ", "ґґ", "աֆ", "את", "ءے", "აჰ"),
    *("\u0901\u094d", "\u0981\u09cd", "\u0a01\u0a4d", "\u0a81\u0acd", "\u0b82\u0bcd"),
    *("\u0c01\u0c4d", "\u0c81\u0ccd", "\u0d02\u0d4d", "\u0d82\u0ddf"),
)
_ALPHABETS = tuple(
    [
        letter
        for letter in map(chr, range(ord(first), ord(last) + 1))
        if regex.fullmatch(r"[\p{L}\p{M}]", letter) and fold(letter) == letter
    ]
    for first, last in map(tuple, _RANGES)
)
_LETTERS = regex.compile(rf"\p{{L}}[\p{{L}}\p{{M}}]{{{MIN_LETTERS - 1},{MAX_LETTERS - 1}}}")


# One word, or two.
Texts: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Vocabulary:
    """The words that entries have: the dialect's module finds them, by a cursor."""

    engine: ModuleType
    cursor: CursorWrapper
    # The entries that are searched.
    table: str


def correct(parsed: ParsedText, vocabulary: Vocabulary) -> ParsedText | None:
    """What was meant; None where every word is known, or nothing is like one that is not."""
    asked = {word for group in parsed.groups for words in group.alternatives for word in words}
    held = vocabulary.engine.find_words(vocabulary.cursor, asked)
    lost = [
        group
        for group in parsed.groups
        if not any(held.issuperset(words) for words in group.alternatives)
    ]
    # The last alternative has the parts of what was written in one.
    unknown = {word.text for group in lost for word in group.alternatives[-1] if word not in held}
    if not unknown or not all(map(_LETTERS.fullmatch, unknown)):
        return None
    corrections = _find_corrections(unknown, vocabulary)
    if corrections.keys() != unknown:
        return None
    groups: list[Group] = []
    for group in parsed.groups:
        if group not in lost:
            groups.append(group)
            continue
        for word in group.alternatives[-1]:
            texts = corrections.get(word.text)
            words = [word] if texts is None else map(Word, texts)
            groups += (Group(((each,),), 1, group.chunk) for each in words)
    distinct = tuple({group.alternatives: group for group in groups}.values())
    number = min(sum(group.number for group in distinct), LONGEST)
    chunks = [*parsed.chunks]
    for place in {group.chunk for group in lost}:
        here = [group for group in groups if group.chunk == place]
        chunks[place] = " ".join(word.text for group in here for word in group.alternatives[-1])
    return ParsedText(distinct, number, tuple(chunks))


def _find_corrections(unknown: Iterable[str], vocabulary: Vocabulary) -> Mapping[str, Texts]:
    """One word or two for each of these for which there is something."""
    edits = {word: _edits(word) for word in unknown}
    splits = {word: _splits(word) for word in unknown}
    parts = {part for pairs in splits.values() for pair in pairs for part in pair}
    held = vocabulary.engine.find_whole_words(
        vocabulary.cursor, {*parts, *(s for each in edits.values() for s in each)}
    )
    ranked: dict[str, list[list[Texts]]] = {
        word: [
            [(edit,) for edit, rank in edits[word].items() if rank == 0 and edit in held],
            [(edit,) for edit, rank in edits[word].items() if rank == 1 and edit in held],
            [pair for pair in splits[word] if held.issuperset(pair)],
        ]
        for word in edits
    }
    corrections: dict[str, Texts] = {}
    # The next are counted where no entry has one of the better ones: counting takes long.
    for rank in range(3):
        choices = {word: ranked[word][rank] for word in ranked.keys() - corrections.keys()}
        common = _count({texts for each in choices.values() for texts in each}, vocabulary)
        for word, each in choices.items():
            if found := [texts for texts in each if common[texts]]:
                corrections[word] = min(found, key=lambda texts: (-common[texts], texts))
    return corrections


def _count(choices: Collection[Texts], vocabulary: Vocabulary) -> Mapping[Texts, int]:
    """How many entries have each of these."""
    if not choices:
        return {}
    queries = [[[[Word(text)]] for text in texts] for texts in choices]
    cursor, table = vocabulary.cursor, vocabulary.table
    numbers = vocabulary.engine.count_entries(cursor, table, queries)
    return dict(zip(choices, numbers, strict=True))


def _edits(word: str) -> dict[str, int]:
    """All that is one edit away, each with its rank; the first letter stays."""
    letters = next((letters for letters in _ALPHABETS if word[0] in letters), [])
    edits: dict[str, int] = {}
    for i in range(1, len(word) + 1):
        head, tail = word[:i], word[i:]
        edits |= dict.fromkeys((head + letter + tail for letter in letters), 1)
        if tail:
            edits[head + tail[1:]] = 1
            edits |= dict.fromkeys((head + letter + tail[1:] for letter in letters), 1)
    for i in range(1, len(word) - 1):
        edits[word[:i] + word[i + 1] + word[i] + word[i + 2 :]] = 0
    edits.pop(word, None)
    return edits


def _splits(word: str) -> list[tuple[str, str]]:
    places = range(MIN_PART, len(word) - MIN_PART + 1)
    return [(word[:i], word[i:]) for i in places]
