"""Is everything filed where a librarian looks for it, and does no word get lost?"""

import re
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from authors.models import Kind
from authors.names import sort_name
from books.titles import ARTICLES, sort_title
from tests.catalogue import book, send

pytestmark = pytest.mark.django_db

NAMES = """
Ursula K. Le Guin | Le Guin, Ursula K.
Plato | Plato
Martin Luther King Jr. | King, Martin Luther, Jr.
Kurt Vonnegut, Jr. | Vonnegut, Kurt, Jr.
Alexandre Dumas fils | Dumas, Alexandre, fils
Dumas fils | Dumas fils
Mrs. Wilson Woodrow | Woodrow, Wilson, Mrs.
Captain Charles Johnson | Johnson, Charles, Captain
Sir Arthur Conan Doyle | Doyle, Arthur Conan, Sir
Dr. Seuss | Seuss, Dr.
Pope John Paul II | John Paul II, Pope
John Paul II | John Paul II
Saint Augustine of Hippo | Augustine of Hippo, Saint
Queen Noor | Noor, Queen
Simone de Beauvoir | Beauvoir, Simone de
Ludwig van Beethoven | Beethoven, Ludwig van
Laurens van der Post | Post, Laurens van der
Maarten 't Hart | Hart, Maarten 't
Antoine de Saint-Exupéry | Saint-Exupéry, Antoine de
Jean de La Fontaine | La Fontaine, Jean de
John le Carré | Le Carré, John
Daphne du Maurier | Du Maurier, Daphne
Guillermo del Toro | Del Toro, Guillermo
Gabriele d’Annunzio | D’Annunzio, Gabriele
Eddie Van Halen | Van Halen, Eddie
Charles De Lint | De Lint, Charles
Khaled al-Khamissi | Khamissi, Khaled al-
Alaa Al-Aswany | Al-Aswany, Alaa
Emily St. John Mandel | Mandel, Emily St. John
Gabriel García Márquez | García Márquez, Gabriel
Mario Vargas Llosa | Vargas Llosa, Mario
José Ortega y Gasset | Ortega y Gasset, José
Ortega y Gasset | Ortega y Gasset
Robert W. Service | Service, Robert W.
Лев Толстой | Толстой, Лев
Νίκος Καζαντζάκης | Καζαντζάκης, Νίκος
bell hooks | hooks, bell
J. R. R. Tolkien | Tolkien, J. R. R.
H. D. | H. D.
J.R.R. | J.R.R.
Tolkien J. R. R. | Tolkien J. R. R.
Christiane F. | Christiane F.
Malcolm X | X, Malcolm
Anthony de Mello S.J. | Mello, Anthony de, S.J.
Benedict XVI | Benedict XVI
Papst Benedikt XVI | Benedikt XVI, Papst
Elizabeth I | Elizabeth I
Charles V | Charles V
Franz Joseph I | Franz Joseph I
Loudon Wainwright III | Wainwright, Loudon, III
Dalai Lama XIV | Dalai Lama XIV
Sor Juana Inés de la Cruz | Juana Inés de la Cruz, Sor
Madame de Staël | Staël, Madame de
Mme. de La Fayette | La Fayette, Mme. de
Lord Byron | Byron, Lord
Dr. Al Sears | Sears, Al, Dr.
Le Corbusier | Le Corbusier
El Greco | El Greco
Al Gore | Gore, Al
Les Murray | Murray, Les
Seán Ó Faoláin | Ó Faoláin, Seán
Éilís Ní Dhuibhne | Ní Dhuibhne, Éilís
Mac Barnett | Barnett, Mac
Dafydd ap Gwilym | Dafydd ap Gwilym
Ngũgĩ wa Thiong'o | Ngũgĩ wa Thiong'o
João Cabral de Melo Neto | Melo Neto, João Cabral de
Agostinho Neto | Neto, Agostinho
Arnaldur Indriðason | Arnaldur Indriðason
Björk Guðmundsdóttir | Björk Guðmundsdóttir
Halldór Laxness | Laxness, Halldór
Éric Masson | Masson, Éric
Ban Ki-moon | Ban Ki-moon
Ki-moon Ban | Ban, Ki-moon
Jean-Paul Sartre | Sartre, Jean-Paul
Thomas Percy, Bishop | Thomas Percy, Bishop
Julian of Norwich | Julian of Norwich
Ibn Battuta | Ibn Battuta
Muhammad ibn Musa al-Khwarizmi | Muhammad ibn Musa al-Khwarizmi
National Geographic Society | National Geographic Society
Fabian Society | Fabian Society
Autores varios | Autores varios
Équipe éditoriale | Équipe éditoriale
Presses universitaires de France | Presses universitaires de France
Rough Guides | Rough Guides
Arthur Andersen LLP | Arthur Andersen LLP
Golden Books | Golden Books
Mayo Clinic | Mayo Clinic
Alcoholics Anonymous | Alcoholics Anonymous
Deutscher Bundestag | Deutscher Bundestag
1st World Library | 1st World Library
United States. Central Intelligence Agency | United States. Central Intelligence Agency
America's Test Kitchen | America's Test Kitchen
The Beatles | The Beatles
Simon & Schuster | Simon & Schuster
Società Dante Alighieri | Società Dante Alighieri
한강 | 한강
村上 春樹 | 村上 春樹
نجيب محفوظ | نجيب محفوظ
"""
TITLES = [
    # Title, language, original title, as it is filed
    ("The Hobbit", None, "", "Hobbit, The"),
    ("THE END", "de", "", "END, THE"),
    ("The Little Prince", "fr", "Le Petit Prince", "Little Prince, The"),
    ("A Game of Thrones", "en", "", "Game of Thrones, A"),
    ("A Game of Thrones", "en-US", "A Game of Thrones", "Game of Thrones, A"),
    ("A Game of Thrones", None, "", "A Game of Thrones"),
    ("A Game of Thrones", "en", "A game of thrones", "Game of Thrones, A"),
    ("An Apple a Day", "en", "", "Apple a Day, An"),
    ("A Is for Alibi", "en", "", "A Is for Alibi"),
    ("A to Z", "en", "", "A to Z"),
    ("A & P", "en", "", "A & P"),
    ("A, B, C", "en", "", "A, B, C"),
    ("A Tomb", "en", "", "Tomb, A"),
    ("Andorra", "en", "", "Andorra"),
    ("A Doll's House", "nb", "Et dukkehjem", "A Doll's House"),
    ("A la recherche du temps perdu", "fr", "", "A la recherche du temps perdu"),
    ("A sangre fría", "es", "", "A sangre fría"),
    ("A Hora da Estrela", "pt-BR", "", "Hora da Estrela, A"),
    ("L'Étranger", "fr", "", "Étranger, L'"),
    ("L’ Étranger", "fr", "", "Étranger, L’"),
    ("Un, deux, trois", "fr", "", "Un, deux, trois"),
    ("Le Havre", "fr", "", "Le Havre"),
    ("Le Petit Prince", "fr", "", "Petit Prince, Le"),
    ("Los Angeles", "es", "", "Los Angeles"),
    ("Los detectives salvajes", "es", "", "detectives salvajes, Los"),
    ("La Mancha", "es", "", "La Mancha"),
    ("Die Verwandlung", "de", "", "Verwandlung, Die"),
    ("Die Hard", "en", "", "Die Hard"),
    ("'t Hooge Nest", "nl", "", "Hooge Nest, 't"),
    ("Un'estate", "it", "", "estate, Un'"),
    ("al-Kitab", "ar", "", "Kitab, al-"),
    ("Η Φόνισσα", "el", "", "Φόνισσα, Η"),
    ("Της νύχτας", "el", "", "νύχτας, Της"),
    ("Τοὺς νόμους", "grc", "", "νόμους, Τοὺς"),
    ("דער שׂטן", "yi", "", "שׂטן, דער"),
    ("An t-Oileánach", "ga", "", "Oileánach, An t-"),
    ("Na h-Eileanan", "gd", "", "Eileanan, Na h-"),
    ("Na Luing", "gd", "", "Luing, Na"),
    ("Ang mga Anak Dalita", "tl", "", "Anak Dalita, Ang mga"),
    ("Bir Düğün Gecesi", "tr", "", "Düğün Gecesi, Bir"),
    ("BİR GÜN", "tr", "", "GÜN, BİR"),
    ("'A livella", "nap", "", "livella, 'A"),
    ("Lou Pouèmo dóu Rose", "oc", "", "Pouèmo dóu Rose, Lou"),
    ("Id-Dinja", "mt", "", "Dinja, Id-"),
    ("aṭ-Ṭarīq", "ar", "", "Ṭarīq, aṭ-"),
    ("'s Bretzel", "de", "", "Bretzel, 's"),
    ("Unei fete", "ro", "", "fete, Unei"),
    ("A fost odată", "ro", "", "A fost odată"),
    ("Een nij begjin", "fy", "", "Een nij begjin"),
    ("De Profundis", "en", "", "De Profundis"),
    ("The", "en", "", "The"),
    ("The, or Not", "en", "", "The, or Not"),
]


def words(text):
    return Counter(re.findall(r"\w+", text.casefold()))


# Names


@pytest.mark.parametrize("line", NAMES.strip().splitlines())
def test_a_name_is_filed_by_the_surname_that_it_shows(line):
    name, filed = line.split(" | ")
    assert sort_name(name) == filed
    assert words(filed) == words(name)


# Names of the words that the rules know, and of anything.
PARTS = st.sampled_from(sorted({word for line in NAMES.split() for word in line.split()}))
ANY = st.text() | st.lists(PARTS | st.text(max_size=5), max_size=6).map(" ".join)


@given(ANY, st.sampled_from([None, *Kind.values]))
def test_no_name_loses_a_word(name, kind):
    assert words(sort_name(name, kind)) == words(name)


ARTICLE = st.sampled_from(sorted({word for each in ARTICLES.values() for word in each}))
TITLE = st.text() | st.builds("{}{}{}".format, ARTICLE, st.sampled_from(["", " ", ", "]), ANY)


@given(TITLE, st.sampled_from([None, *ARTICLES]), st.sampled_from(["", "Title"]))
def test_no_title_loses_a_word(title, language, original_title):
    assert words(sort_title(title, language, original_title)) == words(title)


@pytest.mark.parametrize(
    ("name", "kind", "filed"),
    [
        ("Melissa Press", None, "Melissa Press"),
        ("Melissa Press", "person", "Press, Melissa"),
        ("Mo Yan", None, "Yan, Mo"),
        ("Mo Yan", "pseudonym", "Mo Yan"),
        ("Random House", "body", "Random House"),
        ("Monty Python", "collective", "Monty Python"),
    ],
)
def test_whoever_knows_what_a_name_stands_for_says_so(librarian, name, kind, filed):
    made = send(librarian, "POST", "/authors/", {"name": name, "kind": kind}, 201)
    assert (made["kind"], made["sort_name"]) == (kind, filed)
    nested = {"title": "T", "authors": [{"name": name, "kind": kind}]}
    [author] = send(librarian, "POST", "/books/", nested, 201)["authors"]
    assert (author["kind"], author["sort_name"]) == (kind, filed)


# Titles


@pytest.mark.parametrize(("title", "language", "original_title", "filed"), TITLES)
def test_a_title_is_filed_without_the_article_of_its_language(
    librarian, title, language, original_title, filed
):
    body = {"title": title, "language": language, "original_title": original_title}
    assert send(librarian, "POST", "/books/", body, 201)["sort_title"] == filed
    assert words(filed) == words(title)


def test_what_is_too_long_to_be_filed_otherwise_stays_as_it_is(librarian):
    title = "The " + "x" * 496
    assert send(librarian, "POST", "/books/", {"title": title}, 201)["sort_title"] == title


# What was made follows, what was given stays


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_mended_title_is_filed_anew(librarian, method):
    made = send(librarian, "POST", "/books/", {"title": "The Hobit"}, 201)
    one = f"/books/{made['id']}/"
    mended = send(librarian, method, one, {"title": "The Hobbit"})
    assert mended["sort_title"] == "Hobbit, The"
    # Whoever sends back what was read says nothing of it.
    mended = send(librarian, method, one, {**mended, "title": "A Hobbit", "language": "en"})
    assert mended["sort_title"] == "Hobbit, A"
    mended = send(librarian, method, one, {"title": "A Hobbit", "language": "fr"})
    assert mended["sort_title"] == "A Hobbit"
    given = send(librarian, method, one, {"title": "A Hobbit", "sort_title": "Hobbit (A)"})
    assert given["sort_title"] == "Hobbit (A)"
    mended = send(librarian, method, one, {**given, "title": "Two Hobbits", "language": "en"})
    assert mended["sort_title"] == "Hobbit (A)"
    mended = send(librarian, method, one, {"title": "The Hobbit", "sort_title": ""})
    assert mended["sort_title"] == "Hobbit, The"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_mended_name_is_filed_anew(librarian, method):
    made = send(librarian, "POST", "/authors/", {"name": "Jane Asten"}, 201)
    one = f"/authors/{made['id']}/"
    assert send(librarian, method, one, {"name": "Jane Austen"})["sort_name"] == "Austen, Jane"
    body = {"name": "Jane Austen", "kind": "collective"}
    assert send(librarian, method, one, body)["sort_name"] == "Jane Austen"
    given = {"name": "Jane Austen", "kind": None, "sort_name": "Austen (J.)"}
    assert send(librarian, method, one, given)["sort_name"] == "Austen (J.)"
    kept = send(librarian, method, one, {"name": "Jane A. Austen", "sort_name": "Austen (J.)"})
    assert kept["sort_name"] == "Austen (J.)"


def test_what_was_filed_by_older_rules_stays_until_its_title_changes(librarian):
    stored = book("A sangre fría", sort_title="sangre fría, A", language="es")
    body = {"description": "Kansas, 1959."}
    changed = send(librarian, "PATCH", f"/books/{stored.pk}/", body)
    assert changed["sort_title"] == "sangre fría, A"


# Slugs


def test_subjects_whose_slugs_meet_are_several(librarian):
    body = {"title": "B", "subjects": [{"name": name} for name in ("C", "C++", "C#", "A.I.", "Ai")]}
    subjects = send(librarian, "POST", "/books/", body, 201)["subjects"]
    assert {each["name"]: each["slug"] for each in subjects} == {
        "C": "c",
        "C++": "c-2",
        "C#": "c-3",
        "A.I.": "ai",
        "Ai": "ai-2",
    }
    assert send(librarian, "POST", "/subjects/", {"name": "C?"}, 201)["slug"] == "c-4"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Science  Fiction!", "science-fiction"),
        ("हिन्दी साहित्य", "हिन्दी-साहित्य"),
        ("ที่รัก", "ที่รัก"),
        ("İstanbul", "istanbul"),
        ("Poésie", "poésie"),
        ("— & —Ｃ_", "c"),
    ],
)
def test_a_slug_has_all_letters_of_the_name(librarian, name, slug):
    made = send(librarian, "POST", "/subjects/", {"name": name}, 201)
    assert made["slug"] == slug
    [found] = send(librarian, "GET", f"/subjects/?search={name.strip('— &')}&exact=true")["results"]
    assert found == made


def test_a_slug_with_a_number_has_room_for_it(librarian):
    for name, slug in [("x" * 200, "x" * 200), ("X" * 199 + "!", "x" * 199)]:
        assert send(librarian, "POST", "/subjects/", {"name": name}, 201)["slug"] == slug
    made = send(librarian, "POST", "/subjects/", {"name": "?" + "x" * 199}, 201)
    assert made["slug"] == "x" * 198 + "-2"


def test_a_slug_that_is_given_and_taken_is_refused(librarian):
    made = send(librarian, "POST", "/subjects/", {"name": "Sea stories"}, 201)
    body = {"name": "Ships", "slug": "sea-stories"}
    [fault] = send(librarian, "POST", "/subjects/", body, 409)["errors"]
    assert (fault["pointer"], fault["code"]) == ("/slug", "unique")
    assert fault["existing_id"] == made["id"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_slug_that_was_made_follows_the_name(librarian, method):
    send(librarian, "POST", "/subjects/", {"name": "C"}, 201)
    made = send(librarian, "POST", "/subjects/", {"name": "C+"}, 201)
    one = f"/subjects/{made['id']}/"
    # Nothing is made anew that stays the same but for its number.
    assert send(librarian, method, one, {"name": "C++"})["slug"] == "c-2"
    assert send(librarian, method, one, {"name": "Go"})["slug"] == "go"
    assert send(librarian, method, one, {"name": "C!", "slug": "go"})["slug"] == "c-2"
    assert send(librarian, method, one, {"name": "C!", "slug": "sea"})["slug"] == "sea"
    assert send(librarian, method, one, {"name": "Ada"})["slug"] == "sea"
    assert send(librarian, method, one, {"name": "Ada", "slug": ""})["slug"] == "ada"


def test_what_looks_into_slugs_costs_the_same_however_many_meet(librarian):
    def cost(number):
        words = (f"c{number}", f"d{number}")
        names = [f"{word}{'+' * n}" for n in range(number) for word in words]
        body = {"title": "B", "subjects": [{"name": name} for name in names]}
        with CaptureQueriesContext(connection) as queries:
            send(librarian, "POST", "/books/", body, 201)
        return len(queries)

    assert cost(20) == cost(2)
