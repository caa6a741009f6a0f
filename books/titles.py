"""Under which words a title is filed: without the article that it begins with.

The articles are those of MARC 21, appendix F, "Initial Definite and Indefinite Articles"
(https://www.loc.gov/marc/bibliographic/bdapndxf.html), by the languages' BCP 47 tags. Added are
other forms of the same ones: Greek and Yiddish articles in their own scripts, the letters that the
Arabic and the Maltese one take on, Galician's and Neapolitan's other genders; and Luxembourgish.
Left out is what a title mostly begins with as another word: d', de and ye in English ("De
Profundis"), a and al in Romanian ("A fost odată"), a and an in Haitian Creole.
"""

import re

# An underscore stands for the blank of an article of two words.
_ARTICLES = {
    "af": "die 'n",
    "ar": "al- el- an- ar- as- at- az- ad- ash- ath- adh- aṣ- aḍ- aṭ- aẓ-",
    "bal": "al-",
    "brh": "al-",
    "ca": "el els en l' la les un una",
    "cy": "y yr",
    "da": "de den det en et",
    "de": "das dem den der des die ein eine einem einen einer eines 's",
    "el": "ο η το οι τα τον την τη του της των τους τις ένας έναν μια μία ένα ενός μιας"
    " ho hē hoi hai to ta ton tēn tou tēs tōn heis hen hena henas mia",
    "en": "the a an",
    "eo": "la",
    "es": "el la lo los las un una",
    "eu": "bat",
    "fa": "al-",
    "fil": "ang ang_mga mga",
    "fr": "l' la le les un une",
    "fy": "de 'e 'n in it 't",
    "ga": "an an_t- na na_h-",
    "gd": "a' am an an_t- na na_h-",
    "gl": "a as o os un unha",
    "grc": "ὁ ἡ τὸ τό οἱ αἱ τὰ τά τὸν τόν τὴν τήν τοῦ τῆς τῶν τοὺς τούς τὰς τάς τῷ τῇ τοῖς ταῖς"
    " ho hē to hoi hai ta ton tēn tou tēs tōn tous tas tō tē tois tais",
    "haw": "he ka ke na nā o",
    "he": "ha- he-",
    "hu": "a az egy",
    "is": "hin hina hinar hinir hinn hinna hinnar hinni hins hinu hinum hið 'r",
    "it": "gl' gli i il l' la le lo un un' una uno",
    "lb": "d' dat de déi den eng",
    "mg": "ny",
    "mt": "il- l- iċ- id- in- ir- is- it- ix- iż- iz-",
    "nap": "'a 'e 'o",
    "nl": "de een eene het 'n 't",
    "no": "de dei den det e ei ein eit en et",
    "oc": "ih' il l' la las le les lh lhi li lis lo los lou lu un una uno uns us",
    "pa": "al-",
    "pt": "a as o os um uma",
    "ro": "o un unei unui",
    "sco": "a ane an",
    "sq": "nje një",
    "sv": "de den det en ett",
    "tl": "ang ang_mga mga",
    "tr": "al- bir",
    "ur": "al-",
    "wa": "des ein enne ine l' les li lès on",
    "yi": "אַ אַן א אן דאָס דאס די דער דעם a an der di die dos eyn eyne",
}
_ARTICLES |= {"nb": _ARTICLES["no"], "nn": _ARTICLES["no"]}
APOSTROPHES = "'’ʼ‘"
# With one kind of apostrophe and of hyphen, and without the dot that is left of a Turkish İ.
PLAIN = str.maketrans(
    dict.fromkeys(APOSTROPHES[1:], "'") | dict.fromkeys("‐‑", "-") | {"\u0307": ""}
)


def _plain(text: str) -> str:
    """The text as titles and articles are compared."""
    return text.casefold().translate(PLAIN)


ARTICLES = {
    language: frozenset(_plain(word).replace("_", " ") for word in words.split())
    for language, words in _ARTICLES.items()
}
# What ends in a hyphen or an apostrophe needs no blank behind it.
FIRST_WORD = re.compile(rf"(\S+?[-‐‑{APOSTROPHES}](?=\S)|\S+)\s*(.*)", re.DOTALL)
# "A Is for Alibi", "A to Z": a letter, and no article.
LETTER_A = re.compile(r"an? (?:&|(?:is|to|and|or|for|by)\b).*", re.DOTALL)
# In these the article is a part of the name.
PLACE = re.compile(
    r"(?:a coruña|den haag|el alamein|el alto|el cairo|el dorado|el escorial|el paso|el salvador"
    r"|la coruña|la habana|la haye|la mancha|la paz|la plata|la rioja|la rochelle|la spezia"
    r"|las palmas|las vegas|le havre|le mans|los alamos|los angeles|los ángeles|l'aquila)\b.*",
    re.DOTALL,
)


def sort_title(title: str, language: str | None = None, original_title: str = "") -> str:
    """ "The Hobbit" → "Hobbit, The": the article goes behind.

    "The" does so in every language, all other articles in their own, which is the `language` that
    the work was written in. A title that differs from the original one is a translation, so that
    language says nothing about it.
    """
    whole = title.strip()
    [(first, rest)] = FIRST_WORD.findall(whole) or [("", "")]
    articles = {"the"}
    if language is not None and _plain(original_title) in ("", _plain(title)):
        articles |= ARTICLES.get(language.partition("-")[0], frozenset())
    if _plain(first) not in articles:
        return title
    # "An t-Oileánach", "Ang mga Anak Dalita".
    for _, after in FIRST_WORD.findall(rest):
        if _plain(whole.removesuffix(after).rstrip()) in articles:
            rest = after
    if not rest or rest.startswith(","):
        return title
    if LETTER_A.fullmatch(_plain(whole)) or PLACE.fullmatch(_plain(whole)):
        return title
    return f"{rest}, {whole.removesuffix(rest).rstrip()}"
