"""Is a text cut into the words that people type, whatever its script?"""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from project.api.search.words import (
    LONGEST,
    PLAIN,
    VERSION,
    fold,
    parse,
    plain_parts,
    title_words_of,
    words_of,
)
from tests.search_pairs import pairs

GOLDEN = Path(__file__).with_name("search_words.json")
# Letters, marks, joiners and signs of many scripts, and what stands between words.
BLOCKS = (
    *("Aaéß", "'’-.&_,·", "+#♯ ", "09٣९", "ΩῳςЙйЁі́", "שָׁם״־", "كِ أةی\u200cـ", "हिन्दी़ँ", "গোয়"),
    *(
        "ചൻീ\u200d",
        "กะำาป่",
        "ພາສຳ",
        "ខ្មែ",
        "မြန်",
        "བོད་",
        "漢字々",
        "かがぱー・",
        "ﾊﾟｱ",
        "한국ㅎ",
        "ﷺⅣ½",
        "👍🏽",
    ),
)
TEXTS = st.one_of(
    st.text(st.sampled_from("".join(BLOCKS)), max_size=30),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
)
# What is cut by shorter ways: plain words, and letters with accents.
LATIN = st.text(st.sampled_from("abZé\u0308Åßø09 ,:;.-'’`&#"), max_size=30)


def finds(query, *texts):
    """Whether a search for it finds what has these texts: the definition in its shortest form."""
    words = set().union(*map(words_of, texts))
    groups = parse(query).groups

    def has(word):
        return any(w.startswith(word.text) if word.is_prefix else w == word.text for w in words)

    return bool(groups) and all(
        any(all(map(has, alternative)) for alternative in group.alternatives) for group in groups
    )


@pytest.mark.parametrize(("script", "title", "query", "is_found"), [*pairs()])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_query_finds_what_it_should(script, title, query, is_found, form):
    assert finds(unicodedata.normalize(form, query), title) is is_found
    assert finds(query, unicodedata.normalize(form, title)) is is_found


@settings(max_examples=300)
@given(text=TEXTS, other=TEXTS)
def test_every_text_finds_itself_and_what_stands_beside_others(text, other):
    groups, number, _ = parse(text)
    if groups:
        assert finds(text, text)
        assert finds(text, f"{text} {other}")
        assert 0 < number <= title_words_of(text)[1] or number >= 5
    assert words_of(text) == title_words_of(text)[0]


@settings(max_examples=300)
@given(text=st.from_regex(f"[{PLAIN}]{{0,20}}", fullmatch=True))
def test_a_plain_text_shows_all_words_that_have_parts(text):
    for word in words_of(text):
        for part in plain_parts([word]) or ():
            assert part in text.lower()
    assert plain_parts(["smith", "смит"]) == ["smith"]
    assert plain_parts(["smith", "20000"]) is None


@settings(max_examples=300)
@given(text=st.one_of(TEXTS, LATIN))
def test_what_takes_a_short_way_is_cut_as_beside_what_does_not(text):
    words, number = title_words_of(text)
    assert fold(f"{text} 漢") == f"{fold(text)} 漢"
    assert words_of(f"{text} 漢") == words | {"漢"}
    if "漢" not in fold(text):
        assert title_words_of(f"{text} 漢") == (words | {"漢"}, min(number + 1, LONGEST))


@settings(max_examples=300)
@given(text=TEXTS)
def test_a_text_has_the_same_words_in_every_normal_form(text):
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    assert words_of(forms[0]) == words_of(forms[1]) == words_of(text)


@settings(max_examples=300)
@given(text=TEXTS)
def test_a_word_holds_nothing_that_an_index_would_cut(text):
    asked = [
        w for g in parse(text).groups for alternative in g.alternatives for w, _ in alternative
    ]
    for word in (*words_of(text), *asked):
        assert 0 < len(word) <= 255
        assert all(c.isalnum() or unicodedata.category(c)[0] in "MLN" or ord(c) > 127 for c in word)
        assert not set(word) & set("'\"\\ \n")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("Dune", 1),
        ("The Moon Moon Moon", 2),
        ("Ender's Game", 3),
        ("Pride & Prejudice", 3),
        ("C++", 1),
        ("傭兵と小説家", 3),
        ("ノルウェイの森", 4),
        ("ความสุข", 2),
        ("A Long Way to the Moon", 5),
    ],
)
def test_a_title_has_a_number_of_words(text, number):
    assert title_words_of(text)[1] == number


def test_an_accent_leaves_a_latin_letter_as_it_is():
    for code in range(0x300, 0x370):
        assert fold(f"A{chr(code)}") == "a", hex(code)


def test_a_letter_stays_itself_when_it_is_folded_again():
    for code in range(0x110000):
        letter = chr(code)
        if letter.isalnum():
            assert fold(fold(letter)) == fold(letter), hex(code)


def test_the_version_rises_when_the_words_change():
    """Run this file with `python -m tests.test_search_words` to write the words anew."""
    assert json.loads(GOLDEN.read_text("utf-8")) == golden()


def golden():
    titles = sorted({title for _, title, _, _ in pairs()})
    return {"version": VERSION, "words": {title: sorted(words_of(title)) for title in titles}}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), ensure_ascii=False, indent=1) + "\n", "utf-8")
