"""Under which words a title is filed: without the article that it begins with.

The articles are those of MARC 21, appendix F (https://www.loc.gov/marc/bibliographic/bdapndxf.html),
by the languages' BCP 47 tags; Greek and Yiddish ones in their own scripts as well.
"""

import re

_ARTICLES = {
    "af": "die 'n",
    "ar": "al- el- an- ar- as- at- az- ash- ad-",
    "bal": "al-",
    "brh": "al-",
    "ca": "el els en l' la les un una",
    "cy": "y yr",
    "da": "de den det en et",
    "de": "das dem den der des die ein eine einem einen einer eines",
    "el": "ο η το οι τα τον την του της των τους τις ένας μια μία ένα ενός μιας"
    " ho hē hoi hai to ta ton tēn tou tēs tōn henas mia hena",
    "en": "the a an",
    "eo": "la",
    "es": "el la lo los las un una",
    "eu": "bat",
    "fa": "al-",
    "fil": "ang mga",
    "fr": "l' la le les un une",
    "fy": "de 'e 'n een in it 't",
    "ga": "an na",
    "gd": "a' am an na",
    "gl": "a as o os unha",
    "grc": "ὁ ἡ τὸ τό οἱ αἱ τὰ τά τὸν τόν τὴν τήν τοῦ τῆς τῶν τοὺς τούς τὰς τάς τῷ τῇ"
    " ho hē to hoi hai ta ton tēn tou tēs tōn tous tas tō",
    "haw": "he ka ke na nā o",
    "he": "ha- he-",
    "hu": "a az egy",
    "is": "hin hina hinar hinir hinn hinna hinnar hinni hins hinu hinum hið 'r",
    "it": "gl' gli i il l' la le lo un un' una uno",
    "lb": "d' dat de déi den eng",
    "mg": "ny",
    "mt": "il- l-",
    "nl": "de een eene het 'n 't",
    "no": "de dei den det e ei ein eit en et",
    "oc": "il l' la las le les lo los lou un una uns us",
    "pa": "al-",
    "pt": "a as o os um uma",
    "ro": "un o",
    "sco": "a ane an",
    "sq": "nje një",
    "sv": "de den det en ett",
    "tl": "ang mga",
    "tr": "al-",
    "ur": "al-",
    "wa": "enne ine l' les li lès on",
    "yi": "אַ אַן א אן דאָס דאס די דער דעם a an der di die dos eyn eyne",
}
_ARTICLES |= {"nb": _ARTICLES["no"], "nn": _ARTICLES["no"]}
ARTICLES = {language: frozenset(words.split()) for language, words in _ARTICLES.items()}
APOSTROPHES = "'’ʼ‘"
# As titles are compared with these words: with one kind of apostrophe and of hyphen.
PLAIN = str.maketrans(dict.fromkeys(APOSTROPHES[1:], "'") | dict.fromkeys("‐‑", "-"))
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
    [(article, rest)] = FIRST_WORD.findall(title.strip()) or [("", "")]
    rest = rest.strip()
    if not rest or rest.startswith(","):
        return title
    plain = article.casefold().translate(PLAIN)
    is_article = plain == "the"
    if not is_article and language is not None and original_title in ("", title):
        is_article = plain in ARTICLES.get(language.partition("-")[0], ())
    whole = title.strip().casefold().translate(PLAIN)
    if not is_article or LETTER_A.fullmatch(whole) or PLACE.fullmatch(whole):
        return title
    return f"{rest}, {article}"
