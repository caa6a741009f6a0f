"""What a search word is: one definition for the entries of both engines and for the query.

A text is folded, so that what people type alike is alike, and cut into words. Unicode's rules for
words (UAX 29) leave open what matters here: an apostrophe or a hyphen may be left out, `C++` is a
word, and Chinese, Japanese, Korean and Thai put no blanks between words. Those are cut into pairs
or threes of neighbours, without a dictionary, which would find another word with each version.
docs/search.md has the rules.

Raise VERSION with every change of what `words_of` returns; a test knows what it returns today.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, groupby
from typing import NamedTuple

import regex

VERSION = 2
# Of this many characters a word counts, since an index of PostgreSQL takes 2,704 bytes.
MAX_WORD = 255
# A title of this many words is as long as one of more.
LONGEST = 5


# Folding

_APOSTROPHES = str.maketrans(
    dict.fromkeys(
        "’‘ʼʻ‛`´′ʹ＇׳״\u1fbd\u1fbf\u1fef\u1ffd\u0374"
        # Of other scripts, and of those who write them in Latin: Qurʾān, obʺekt, kʼicheʼ, չ՚եմ.
        "\u02ba\u02bd\u02be\u02bf\u02c0\u02c1\u02ee\u055a\ua78b\ua78c",
        "'",
    )
)
# NFKD would make letters of the first and tie the others to a number before them, as in 9½.
_UNTIED = str.maketrans(
    {"™": " ", "℠": " ", **{fraction: f" {fraction}" for fraction in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞↉"}}
)
_GONE = regex.compile(
    # Soft hyphen, tatweel, joiners and marks of direction; what asks, stresses or shortens in the
    # midst of an Armenian word, and what chooses a Mongolian letter's form; what only breaks lines
    # in Thai and its like, and the non-joiner where it does not part two Arabic letters.
    r"[\u00ad\u0640\u200d\u2060\ufeff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
    r"|[\u055b\u055c\u055e\u055f\u180b-\u180f]"
    r"|(?<=\p{lb=SA})\u200b(?=\p{lb=SA})"
    r"|(?<!\p{sc=Arabic}\p{M}*)\u200c|\u200c(?!\p{sc=Arabic})"
)
# Accents, vowel points and variation selectors. The marks of kana, of India's and of South-East
# Asia's scripts have a script of their own, or are named here: they make another letter.
_MARKS = regex.compile(
    r"(?V1)[[\p{Mn}\p{Me}]&&[\p{sc=Inherited}\p{sc=Greek}\p{sc=Cyrillic}\p{sc=Hebrew}\p{sc=Arabic}"
    r"\p{sc=Syriac}\p{sc=Ethiopic}\p{sc=Coptic}]--[\u3099\u309a]]+"
)
# Those of them that stand above and below Latin letters.
_ACCENTS = re.compile("[\u0300-\u036f]+")
_CYRILLIC = regex.compile(r"\p{sc=Cyrillic}[\u0300-\u036f]")
_DEVANAGARI = (
    (regex.compile("\u093c"), ""),
    (regex.compile("\u0901"), "\u0902"),
    # A nasal before a stop of its own class.
    (
        regex.compile(
            "(?:\u0919\u094d(?=[\u0915-\u0918])|\u091e\u094d(?=[\u091a-\u091d])"
            "|\u0923\u094d(?=[\u091f-\u0922])|\u0928\u094d(?=[\u0924-\u0927])"
            "|\u092e\u094d(?=[\u092a-\u092d]))"
        ),
        "\u0902",
    ),
)
_DIGITS = regex.compile(r"(?V1)[\p{Nd}--[0-9]]")


_WITH_STROKE = regex.compile("LATIN SMALL LETTER ([A-Z]) WITH .*")
_LATIN_D = (*range(0x2C60, 0x2C80), *range(0xA720, 0xA800), *range(0xAB30, 0xAB70))
# Letters that have no accent to lose, and yet a plain form that people type.
_LETTERS = str.maketrans(
    {
        **{
            letter: found[1].lower()
            for letter in map(chr, (*range(0xDF, 0x2B0), *range(0x1D00, 0x1F00), *_LATIN_D))
            if (found := _WITH_STROKE.fullmatch(unicodedata.name(letter, "")))
        },
        "æ": "ae",
        "œ": "oe",
        "ð": "d",
        "þ": "th",
        "ı": "i",
        "ə": "e",
        "ŋ": "n",
        "װ": "וו",
        "ױ": "וי",
        "ײ": "יי",
        "ى": "ي",
        "ی": "ي",
        "ک": "ك",
        "ة": "ه",
        "ۃ": "ه",
        "ہ": "ه",
        "ە": "ه",
        "ٱ": "ا",
        # Letters for a base and a virama: Bengali's khanda ta, Malayalam's chillus.
        "ৎ": "ত্",
        "ൺ": "ണ്",
        "ൻ": "ന്",
        "ർ": "ര്",
        "ൽ": "ല്",
        "ൾ": "ള്",
        "ൿ": "ക്",
        "ൔ": "മ്",
        "ൕ": "യ്",
        "ൖ": "ഴ്",
    }
)


def _one_cyrillic_letter(pair: regex.Match[str]) -> str:
    """й is no и; but ё is written е, and ѐ and ѝ bear an accent."""
    letter = unicodedata.normalize("NFC", pair[0])
    return letter if len(letter) == 1 and letter not in "ёѐѝЁЀЍ" else pair[0]


def fold(text: str) -> str:
    """The text without case, accents and whatever else people leave out, in NFC."""
    if text.isascii():
        return text.replace("`", "'").lower()
    text = unicodedata.normalize("NFC", text).translate(_UNTIED).translate(_APOSTROPHES)
    text = unicodedata.normalize("NFKD", text).translate(_APOSTROPHES)
    if (plain := _ACCENTS.sub("", text)).isascii():
        # Of Latin letters with accents nothing below leaves anything else.
        return plain.lower()
    text = _CYRILLIC.sub(_one_cyrillic_letter, _GONE.sub("", text))
    # Marks before the case, or ῳ would become ωι.
    text = _MARKS.sub("", text).casefold().translate(_LETTERS)
    for pattern, replacement in _DEVANAGARI:
        text = pattern.sub(replacement, text)
    text = unicodedata.normalize("NFC", text)
    # The library knows digits that are too new for Python's own table.
    return _DIGITS.sub(lambda digit: str(unicodedata.decimal(digit[0], digit[0])), text)


# Cutting

_CHARACTER = r"[\p{L}\p{M}\p{N}]"
_INITIAL = rf"(?<!{_CHARACTER})\p{{L}}\p{{M}}*\."
# What stands between initials: J. R. R., or J.-P.
_BETWEEN_INITIALS = regex.compile(rf"(?<={_INITIAL})[\s\-]+(?=\p{{L}}\p{{M}}*\.)")
_KANA = r"[\p{sc=Hiragana}\p{sc=Katakana}ー]"
# What joins two words to one, as -' and '- in rock-'n'-roll, and = in サン＝テグジュペリ.
_JOINER = (
    r"(?:-'|'-|['\-‐‑־֊·・.&_\u200c]"
    rf"|(?<=\p{{N}}),(?=\p{{N}})|(?<={_KANA})[=\u30a0](?={_KANA}))"
)
_TOKEN = regex.compile(
    # J.R.R., but not the beginning of U.S.A
    rf"(?P<initials>{_INITIAL}(?:\p{{L}}\p{{M}}*\.)+(?!\p{{L}}\p{{M}}*(?!{_CHARACTER})))"
    rf"|(?P<dot>(?<!{_CHARACTER})\.)?"
    rf"(?P<written>{_CHARACTER}+(?:{_JOINER}{_CHARACTER}+)*)(?P<sign>\+\+|[#♯])?"
    r"|(?P<and>&)"
)
_WRITTEN = regex.compile(f"{_CHARACTER}+")
_LETTER = regex.compile(r"\p{L}\p{M}*")
_PAIRED = r"[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Bopomofo}\p{sc=Hangul}ー\u3099\u309a]"
_RUNS = regex.compile(
    rf"(?V1)(?P<pairs>{_PAIRED}+)|(?P<threes>\p{{lb=SA}}+)|(?:[{_CHARACTER}--{_PAIRED}--\p{{lb=SA}}])+"
)
# Between these and others, so that C++ and .NET are words in 独習C++ and .NET入門.
_UNSPACED = rf"[{_PAIRED}\p{{lb=SA}}]"
_SPACED = rf"[[\p{{L}}\p{{N}}]--{_UNSPACED}]"
_BORDER = regex.compile(
    rf"(?V1)(?<={_UNSPACED})(?=\.?{_SPACED})|(?<={_SPACED}\p{{M}}*)(?={_UNSPACED})"
)
_SIZES = {"pairs": 2, "threes": 3, None: 1}
# In catch22, but in neither 1Q84 nor MI6.
_AT_DIGITS = regex.compile(
    r"(?<=\p{L}\p{M}*\p{L}\p{M}*)(?=\p{N}\p{N})|(?<=\p{N}\p{N})(?=\p{L}\p{M}*\p{L})"
)
_CLUSTER = regex.compile(r"\P{M}?\p{M}+|\P{M}")
# Neither joiners nor signs.
_STOPS = '()[]{}<>,:;!?"'
_SIGNS = {"++": "plusplus", "#": "sharp", "♯": "sharp"}
# How an & in a title is said.
_ANDS = ("and", "et", "und", "y")


class Word(NamedTuple):
    """A word that is looked for, or all that begin with it."""

    text: str
    is_prefix: bool = False

    @property
    def last(self) -> str:
        """Nothing that it stands for comes behind this by code points."""
        return self.text + chr(0x10FFFF) * self.is_prefix


# All of these; of each, all words of one of its alternatives.
Terms = Iterable[Iterable[Iterable[Word]]]


class _Run(NamedTuple):
    """Characters that are cut in one way: into one word, or windows of `size` neighbours."""

    text: str
    size: int = 1

    @property
    def number(self) -> int:
        """How many words of a title it is."""
        return 1 if self.size == 1 else -(-len(self._clusters) // self.size)

    @property
    def _clusters(self) -> list[str]:
        """Characters, each with its marks."""
        return _CLUSTER.findall(self.text)

    def entry_words(self) -> list[str]:
        if self.size == 1:
            return [self.text[:MAX_WORD]]
        return self._windows(self._clusters)

    def query_words(self, is_last: bool) -> list[Word]:
        if self.size == 1:
            return [Word(self.text[:MAX_WORD], is_last)]
        clusters = self._clusters
        if len(clusters) < self.size:
            return [Word(self.text[:MAX_WORD], is_prefix=True)]
        *others, last = self._windows(clusters)[: len(clusters) - self.size + 1]
        # The last letter of threes may go on with a vowel sign.
        return [*map(Word, others), Word(last, is_prefix=self.size == 3)]

    def _windows(self, clusters: list[str]) -> list[str]:
        places = range(len(clusters))
        return ["".join(clusters[i : i + self.size])[:MAX_WORD] for i in places]


def _runs(text: str) -> list[_Run]:
    if text.isascii():
        return [_Run(text)]
    return [_Run(found[0], _SIZES[found.lastgroup]) for found in _RUNS.finditer(text)]


class _Token(NamedTuple):
    """What is written without a blank: its parts, and all of them in one."""

    parts: tuple[_Run, ...]
    joined: tuple[_Run, ...]
    # The word for it and a sign, as in C++, which is all that a query asks for.
    signed: str = ""
    # What else it is found by.
    others: tuple[str, ...] = ()

    def entry_words(self) -> Iterator[str]:
        yield from self.others
        if self.signed:
            yield self.signed[:MAX_WORD]
        if not self.signed or len(self.joined[0].text) > 1:
            for run in (*self.parts, *self.joined):
                yield from run.entry_words()

    def query_groups(
        self, is_last: bool, chunk: int, *, is_spaced: bool = False
    ) -> Iterator["Group"]:
        if self.signed:
            yield Group(((Word(self.signed[:MAX_WORD]),),), 1, chunk)
            return
        joined = [run.query_words(is_last and run is self.joined[-1]) for run in self.joined]
        if self.parts == self.joined:
            for run, words in zip(self.joined, joined, strict=True):
                yield Group((tuple(words),), run.number, chunk)
        elif self.joined:
            # The s of ender's is not the beginning of a word.
            *others, last = self.parts
            is_last = is_last and (is_spaced or len(last.text) > 1)
            parts = [*(run.query_words(False) for run in others), last.query_words(is_last)]
            alternatives = (tuple(chain(*joined)), tuple(chain(*parts)))
            yield Group(alternatives, sum(run.number for run in self.joined), chunk)


class Group(NamedTuple):
    """A token of a query: all words of one of the alternatives are to be there."""

    alternatives: tuple[tuple[Word, ...], ...]
    # How many words of a title it is, at the least.
    number: int
    # Where in the query it stands.
    chunk: int

    @property
    def only_word(self) -> Word | None:
        """The word, where it is no more than one."""
        first = self.alternatives[0]
        return first[0] if len(self.alternatives) == len(first) == 1 else None


@lru_cache(maxsize=2**11)
def _tokens(chunk: str) -> tuple[_Token, ...]:
    text = fold(chunk)
    if word := _plain_word(text):
        return (_Token((_Run(word),), (_Run(word),)),)
    return _cut(text)


def _plain_word(text: str) -> str:
    """The only word of a folded chunk, where that is plain to see; else nothing.

    Nine of ten are such, and this is a good deal faster.
    """
    word = text.strip(_STOPS)
    return word if word.isascii() and (word.isalpha() or word.isdecimal()) else ""


def _cut(text: str) -> tuple[_Token, ...]:
    if not text.isascii():
        text = _BORDER.sub(" ", text)
    return tuple(map(_token, _TOKEN.finditer(text)))


def _token(found: regex.Match[str]) -> _Token:
    if found["and"]:
        return _Token((_Run("&"),), (), others=_ANDS)
    if found["initials"]:
        letters = _LETTER.findall(found[0])
        return _Token(tuple(map(_Run, letters)), (_Run("".join(letters)),))
    written = _WRITTEN.findall(found["written"])
    in_one = "".join(written)
    parts: list[_Run] = []
    for run in chain(*map(_runs, written)):
        has_digits = run.size == 1 and not run.text.isalpha()
        parts += map(_Run, _AT_DIGITS.split(run.text)) if has_digits else [run]
    signed = ""
    others = _ANDS if "&" in found["written"] else ()
    if found["sign"]:
        signed = in_one + _SIGNS[found["sign"]]
    elif found["dot"] and found["written"] == "net":
        signed = "dotnet"
    elif (found["dot"] and written[0] == "net") or found["written"].endswith(".net"):
        others = (*others, "dotnet")
    return _Token(tuple(parts), tuple(_runs(in_one)), signed, others)


def _chunks(text: str) -> list[str]:
    if "." in text:
        text = _BETWEEN_INITIALS.sub("", text)
    return text.split()


# A few thousand words are nine of ten; these take some 5 MB of a process.
@lru_cache(maxsize=2**13)
def _chunk_words(chunk: str) -> tuple[tuple[str, ...], dict[_Run, int]]:
    text = fold(chunk)
    if word := _plain_word(text):
        return (word[:MAX_WORD],), {_Run(word): 1}
    tokens = _cut(text)
    words = dict.fromkeys(chain.from_iterable(token.entry_words() for token in tokens))
    words.pop("&", None)
    return tuple(words), {run: run.number for token in tokens for run in token.parts}


def words_of(*texts: str) -> set[str]:
    """The words by which these texts are found."""
    return set().union(*(title_words_of(text)[0] for text in texts))


# Names come up again and again, as those of authors with each of their books.
@lru_cache(maxsize=2**11)
def title_words_of(text: str) -> tuple[frozenset[str], int]:
    """The words by which a title is found, and how many it has: LONGEST at the most."""
    # Commas and colons stand at the ends of chunks, which lose them.
    plain = text.replace(", ", " ").replace(": ", " ")
    if plain.isascii() and len(plain) <= MAX_WORD and plain.replace(" ", "").isalpha():
        words = frozenset(plain.lower().split())
        return words, min(len(words), LONGEST)
    found: set[str] = set()
    numbers: dict[_Run, int] = {}
    for chunk in _chunks(text):
        of_chunk, numbers_of_chunk = _chunk_words(chunk)
        found.update(of_chunk)
        numbers.update(numbers_of_chunk)
    return frozenset(found), min(sum(numbers.values()), LONGEST)


# A text of these alone has no other words than it shows: nothing in it joins or is folded, but for
# a comma between digits.
PLAIN = "A-Za-z0-9 ,"


def plain_parts(words: Iterable[str]) -> list[str] | None:
    """What a plain text has in it, whatever its case, that has one of these words; None where that
    cannot be told."""
    parts = [word for word in words if word.isascii()]
    return parts if all(map(str.isalpha, parts)) else None


class Entry(NamedTuple):
    """What an object is found by: the words of its titles, each behind their number, and all."""

    key: int
    title_words: set[str]
    words: set[str]

    @classmethod
    def of(cls, key: int, titles: Iterable[str], texts: Iterable[str]) -> "Entry":
        title_words: set[str] = set()
        words = words_of(*texts)
        for title in titles:
            found, number = title_words_of(title)
            title_words.update(f"{number}{word}" for word in found)
            words |= found
        return cls(key, title_words, words)


class ParsedText(NamedTuple):
    """What a query asks for: all of its groups, which are all different."""

    groups: tuple[Group, ...]
    # The number of words that a title has at the least which has them all.
    number: int
    # The query as it is written, for the groups' places.
    chunks: tuple[str, ...]


def parse(text: str) -> ParsedText:
    """The words of a query, the last of which may be a beginning."""
    chunks = _chunks(text)
    tokens = [(i, token) for i, chunk in enumerate(chunks) for token in _tokens(chunk)]
    tokens = [(i, token) for i, token in tokens if token.joined]
    groups: list[Group] = []
    for is_letters, same in groupby(enumerate(tokens, 1), lambda each: _is_letter(each[1][1])):
        found = list(same)
        place, (chunk, token) = found[-1]
        if is_letters and len(found) > 1:
            # J R R, as people type initials.
            letters = tuple(run for _, (_, token) in found for run in token.parts)
            one = _Token(letters, (_Run("".join(run.text for run in letters)),))
            groups += one.query_groups(place == len(tokens), chunk, is_spaced=True)
        else:
            for place, (chunk, token) in found:
                groups += token.query_groups(place == len(tokens), chunk)
    distinct = {group.alternatives: group for group in reversed(groups)}
    if groups and (last := groups[-1].only_word) and last.is_prefix:
        # What begins with it is asked for already.
        words = (group.only_word for group in groups[:-1])
        if any(word and not word.is_prefix and word.text.startswith(last.text) for word in words):
            del distinct[groups[-1].alternatives]
    groups = [*distinct.values()][::-1]
    number = min(sum(group.number for group in groups), title_words_of(text)[1])
    return ParsedText(tuple(groups), number, tuple(chunks))


def _is_letter(token: _Token) -> bool:
    """Whether it is a single letter, without a dot."""
    if token.signed or len(token.parts) > 1:
        return False
    run = token.parts[0]
    return run.size == 1 and _LETTER.fullmatch(run.text) is not None
