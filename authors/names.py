"""Under which words a name is filed.

What a name says of itself decides, and what cannot be told leaves it as it is. Whoever knows better
says `kind`, or sends `sort_name`. No word is ever lost.
"""

import re
import unicodedata

# Latin, Greek and Cyrillic, and what stands inside of a word of theirs. Another sign, a comma, a
# digit or an ampersand says that this is not a given name with a surname behind it.
LETTER = "[A-Za-zªºÀ-ÖØ-öø-ʯ\u0300-\u036f\u0370-\u0373\u0376-\u037dΆΈ-ҁҊ-ԯḀ-῿Ⱡ-ⱿꜢ-ꟿ]"
APOSTROPHE = "['’ʼʻ‘]"
WESTERN = re.compile(rf"(?:{LETTER}|{APOSTROPHE}|[.·‐‑-])+")
INITIALS = re.compile(rf"{LETTER}|(?:{LETTER}\.-?)+")
POSSESSIVE = re.compile(rf".+(?:{APOSTROPHE}s|s{APOSTROPHE})")
ELISION = re.compile(rf"(?:d|l|dell|dall|all){APOSTROPHE}.+")
# "Tolkien J. R. R.": the surname stands first.
DOTTED_INITIALS = re.compile(rf"(?:{LETTER}\.-?)+")
# Behind the name of a ruler or a pope. A grandson has those from II to V, and X is a letter.
NUMBER_OF_A_RULER = re.compile("I|VI{1,3}|IX|X[IVX]+")
# Icelanders are filed by their own name, which a parent's follows: "Arnaldur Indriðason".
PATRONYMIC = re.compile("(?i).+d[óo]ttir|.*[áíóúýðþ].*son")
# As in "Ban Ki-moon": the surname stands first.
KOREAN_GIVEN_NAME = re.compile(f"[A-Z]{LETTER}+[-‐‑][a-z]+")
ARABIC_ARTICLE = re.compile("((?:a[dhlnrstz]|a[sd]h|el|ul)[-‐‑])(.+)")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# All without their dots, in small letters.
BEHIND_A_NAME = _words(
    "jr sr junior senior ii iii iv v fils père esq phd ph.d md m.d mba m.b.a sj s.j osb o.s.b ofm"
    " o.f.m"
)
BEFORE_A_PERSON = _words(
    "mr mrs ms miss dr prof professor sir dame lady lord captain capt colonel col general gen"
    " lieutenant lt sergeant sgt rev reverend father sister mother brother rabbi swami imam"
    " sheikh senator president madame mme mlle monsieur herr frau"
)
# These have no surname: "John Paul II, Pope".
BEFORE_A_GIVEN_NAME = _words("pope papst saint san sor fray queen king emperor empress")
# Two given names, before a number, and a title.
UNDIVIDED = {
    ("john", "paul"),
    ("jean", "paul"),
    ("juan", "pablo"),
    ("giovanni", "paolo"),
    ("dalai", "lama"),
}
# Surnames are left out, as Press, Service and Church would be by their number.
OF_A_BODY = _words(
    "academy agency anonymous archive archives army association associates associated"
    " authority authors books brothers bureau center centre classics clinic club co college"
    " collective comics commission committee company conference congress consortium"
    " cooperative corp corporation council department digest directorate editions editors"
    " enterprises entertainment federation films foundation fund gallery geographic government"
    " group guild hospital inc incorporated initiative institute institution international"
    " investments journal laboratory league library limited llc ltd magazine media ministry"
    " museum national navy network office orchestra organisation organization parliament"
    " partners planet press productions project projects publications publisher publishers"
    " publishing records review school schools services society staff states studio studios"
    " team theater theatre times trust union united university various workshop"
    " gmbh guides llp plc presses"
    " académie auteurs bibliothèque comité conseil école éditions équipe institut librairie"
    " ministère musée société université"
    " akademie autoren bibliothek bundestag gesellschaft ministerium redaktion stiftung"
    " universität verband verein verlag"
    " academia asociación associação autores biblioteca comisión comissão consejo conselho"
    " editora editorial equipe equipo fundación fundação instituto ministerio ministério museo"
    " museu sociedad sociedade universidad universidade"
    " accademia associazione autori edizioni fondazione istituto ministero società università"
    " stichting uitgeverij"
    " академия ассоциация библиотека издательство институт министерство общество университет"
    " фонд"
)
# Between the words of a body, the names of two people, a name and a byname ("Julian of Norwich").
CONNECTIVES = _words("of the and ibn bint abu umm")
SMALL_CONNECTIVES = CONNECTIVES | _words("und et with for in bin binti ben wa ap ferch")
# Written small they stand behind the given names: "Beauvoir, Simone de".
SMALL_BEHIND = _words("de von van der den da zu zum zur vom ten ter te het af av dos das do 't ’t")
# Written small they belong to the surname, and begin it with a capital: "Le Carré, John".
SMALL_BEFORE = _words("le la les lo du di del della delle dello dalla degli des")
# Written with a capital they belong to the surname: "Van Gogh, Vincent".
CAPITAL = SMALL_BEHIND | SMALL_BEFORE | _words("al el st ste saint san santa ó ní nic uí mac mc")
# Such a name is a surname alone: "Le Corbusier", "El Greco".
CAPITAL_ALONE = _words("le la el los las du")
# In Portuguese they belong to the surname: "Melo Neto, João Cabral de".
BEHIND_A_SURNAME = _words("filho neto netto sobrinho júnior")
# The first of two surnames, in Spanish, without their accents.
SPANISH = _words(
    "alvarez benitez bioy bryce cabrera dominguez fernandez garcia gomez gonzalez gutierrez"
    " hernandez jimenez lopez marquez martinez mendez munoz nunez ortiz perez ramirez rodriguez"
    " ruiz sanchez suarez vargas vazquez velez zuniga"
)


def sort_name(name: str, kind: str | None = None) -> str:
    """ "Ursula K. Le Guin" → "Le Guin, Ursula K."; what is no person's name stays as it is.

    `kind` is one of `Kind`, or None where nobody has said it. A person may be called by the words
    of a body; what any other kind is called stays as it is.
    """
    if kind not in (None, "person"):
        return name
    words, behind = _without_generation(name.split())
    plain = [word.casefold().rstrip(".") for word in words]
    if not all(WESTERN.fullmatch(word) for word in words):
        return name
    if kind is None and any(map(_is_of_a_body, words)):
        return name
    if len(words) > 1 and plain[0] in BEFORE_A_GIVEN_NAME:
        return ", ".join([" ".join(words[1:] + behind), words[0]])
    if not CONNECTIVES.isdisjoint(plain) or not SMALL_CONNECTIVES.isdisjoint(words):
        return name
    # Else the title stands for a given name: "Byron, Lord", "Staël, Madame de".
    if (
        len(words) > 2
        and plain[0] in BEFORE_A_PERSON
        and words[1] not in SMALL_BEHIND | SMALL_BEFORE
    ):
        behind.append(words.pop(0))
    if len(words) < 2 or tuple(plain) in UNDIVIDED or _stands_as_it_is(words):
        return name
    start = _start_of_surname(words)
    if start == 0:
        return name
    given, surname = words[:start], words[start:]
    while len(surname) > 1 and surname[0] in SMALL_BEHIND:
        given.append(surname.pop(0))
    if match := ARABIC_ARTICLE.fullmatch(surname[0]):
        given.append(match[1])
        surname[0] = match[2]
    elif surname[0] in SMALL_BEFORE or ELISION.fullmatch(surname[0]):
        surname[0] = surname[0][0].upper() + surname[0][1:]
    return ", ".join([" ".join(surname), " ".join(given), *behind])


def _without_generation(words: list[str]) -> tuple[list[str], list[str]]:
    """The words of the name, and those behind it: "Martin Luther King", "Jr."."""
    end = len(words)
    while end > 1 and words[end - 1].casefold().rstrip(".") in BEHIND_A_NAME:
        end -= 1
    behind = words[end:]
    words = words[:end]
    if behind:
        words[-1] = words[-1].removesuffix(",")
    return words, behind


def _is_of_a_body(word: str) -> bool:
    plain = unicodedata.normalize("NFC", word.casefold().rstrip("."))
    return plain in OF_A_BODY or POSSESSIVE.fullmatch(word) is not None


def _stands_as_it_is(words: list[str]) -> bool:
    """Whether the last word is no surname, or the first one is."""
    first, last = words[0], words[-1]
    return (
        all(map(INITIALS.fullmatch, words))
        or any(each.fullmatch(last) for each in (DOTTED_INITIALS, NUMBER_OF_A_RULER, PATRONYMIC))
        or (
            len(words) == 2
            and (first.casefold() in CAPITAL_ALONE or KOREAN_GIVEN_NAME.fullmatch(last) is not None)
        )
    )


def _start_of_surname(words: list[str]) -> int:
    """The place of the surname's first word, or of the particle before it; 0 if it is all."""
    last = len(words) - 1
    start = last
    if "y" in words[1:last]:  # José Ortega y Gasset
        start = words.index("y", 1) - 1
    elif last > 1 and (
        _without_accents(words[last - 1]) in SPANISH or words[last].casefold() in BEHIND_A_SURNAME
    ):
        start = last - 1
    while start > 1 and (
        words[start - 1] in SMALL_BEHIND | SMALL_BEFORE
        or (words[start - 1][0].isupper() and words[start - 1].casefold().rstrip(".") in CAPITAL)
    ):
        start -= 1
    return start


def _without_accents(word: str) -> str:
    letters = unicodedata.normalize("NFD", word.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
