"""Does an upgrade mend what older rules made, and leave what people wrote?"""

from importlib import import_module
from io import StringIO
from unicodedata import normalize

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from authors.models import Author, AuthorProfile
from books.models import Book, Contribution, Publisher, Series, Subject
from project.api.search.tables import create, find_outdated
from tests.catalogue import authors, book, isbn

pytestmark = pytest.mark.django_db
REWRITING = [("authors", "0004_texts"), ("books", "0007_texts")]


def as_stored(row, **texts):
    """The row with these texts in its columns, past all that would normalise them."""
    type(row).objects.filter(pk=row.pk).update(**texts)
    return row


def operation(app, name, place=0):
    return import_module(f"{app}.migrations.{name}").Migration.operations[place]


def preview(are_to_come=True):
    """What is said where these migrations are still to come, or have come."""
    recorder = MigrationRecorder(connection)
    for app, name in REWRITING:
        (recorder.record_unapplied if are_to_come else recorder.record_applied)(app, name)
    output = StringIO()
    call_command("preview_migrate", stdout=output)
    return output.getvalue().splitlines()


def upgrade():
    for app, name in REWRITING:
        operation(app, name).code(apps, connection.schema_editor())


def test_what_was_filed_by_older_rules_is_filed_anew(capsys):
    [woodrow, society, assis] = authors("W", "S", "M")
    as_stored(woodrow, name="Mrs. Wilson Woodrow", sort_name="Woodrow, Wilson")
    name = "National Geographic Society"
    as_stored(society, name=name, sort_name="Society, Geographic")
    # A person wrote this.
    given = "Assis, Joaquim Maria Machado de"
    as_stored(assis, name="Joaquim Maria Machado de Assis", sort_name=given)
    sangre, hobbit, rings = book("S"), book("H"), book("R")
    as_stored(sangre, title="A sangre fría", language="es", sort_title="sangre fría, A")
    as_stored(hobbit, title="The Hobbit", language="en", sort_title="Hobbit, The")
    as_stored(rings, title="A Ring", language="es", sort_title="Ring")
    said = [
        f"author {woodrow.pk}, sort_name: “Woodrow, Wilson” → “Woodrow, Wilson, Mrs.”",
        f"author {society.pk}, sort_name: “Society, Geographic” → “{name}”",
        f"book {sangre.pk}, sort_title: “sangre fría, A” → “A sangre fría”",
    ]
    anew = "search entries of authors, publishers, series, subjects, books: made anew"
    assert preview() == [*said, anew]
    upgrade()
    # By the words of the new names everything is found after `migrate`.
    assert len(find_outdated(connection)) == 5
    assert capsys.readouterr().out == "\n  2 authors written anew\n  1 books written anew"
    assert list(Author.objects.order_by("pk").values_list("sort_name", "version")) == [
        ("Woodrow, Wilson, Mrs.", 2),
        (name, 2),
        (given, 1),
    ]
    assert list(Book.objects.order_by("pk").values_list("sort_title", "version")) == [
        ("A sangre fría", 2),
        ("Hobbit, The", 1),
        ("Ring", 1),
    ]
    nothing = "Nothing: `migrate` leaves all stored texts as they are."
    assert preview() == [nothing, anew]
    create(connection)
    # A migration that may write texts has them made anew, whatever it writes.
    assert preview() == [nothing, anew]
    assert preview(are_to_come=False) == [nothing]


def test_texts_get_one_spelling_and_no_row_is_merged():
    [stuart, same] = authors("Douglas Stuart", "D")
    as_stored(same, name="Douglas   Stuart", sort_name="Stuart, Douglas")
    profile = AuthorProfile.objects.create(author=stuart)
    as_stored(profile, biography=normalize("NFD", "Né.\n\nÉcrit."))
    seuil, twin, other = (Publisher.objects.create(name=name) for name in ("Seuil", "T", "O"))
    as_stored(twin, name="Seuil ", name_folded="seuil ")
    as_stored(other, name=normalize("NFD", "Éditions  X"), name_folded="éditions  x")
    subject = Subject.objects.create(name="P")
    as_stored(subject, name=normalize("NFD", "Poésie"), name_folded="poésie")
    series = as_stored(Series.objects.create(name="S"), name="A  B")
    text = normalize("NFD", "Prosa  poética.\n")
    stored = book("Young Mungo", [stuart])
    as_stored(stored, title="Young  Mungo", sort_title="Young  Mungo", description=text)
    Contribution.objects.update(credited_as="D.  Stuart")
    said = preview()
    assert f"author {same.pk} has the name of author {stuart.pk} then, “Douglas Stuart”" in said
    assert f"publisher {twin.pk} stays as it is: another has the name_folded “seuil”" in said
    upgrade()
    assert list(Author.objects.order_by("pk").values_list("name", "version")) == [
        ("Douglas Stuart", 2),
        ("Douglas Stuart", 2),
    ]
    assert AuthorProfile.objects.get().biography == "Né.\n\nÉcrit."
    assert list(Publisher.objects.order_by("pk").values_list("name", "name_folded")) == [
        (seuil.name, "seuil"),
        ("Seuil ", "seuil "),
        ("Éditions X", "éditions x"),
    ]
    assert Subject.objects.get().name == "Poésie"
    assert Series.objects.get(pk=series.pk).name == "A B"
    assert Book.objects.values_list("title", "sort_title", "description", "version").get() == (
        "Young Mungo",
        "Young Mungo",
        "Prosa  poética.\n",
        3,
    )
    assert Contribution.objects.get().credited_as == "D. Stuart"


def test_subjects_of_one_name_stay_two_until_a_librarian_decides(capsys):
    magic, same = (Subject.objects.create(name=name) for name in ("Magic", "M"))
    as_stored(same, name="magic")
    operation("books", "0004_subject_names", 1).code(apps, connection.schema_editor())
    said = capsys.readouterr().out
    assert said == f"\n  Subject {same.pk} has the name of subject {magic.pk}, “Magic”."
    assert list(Subject.objects.order_by("pk").values_list("name", "name_folded")) == [
        ("Magic", "magic"),
        ("magic", f"magic #{same.pk}"),
    ]


def test_an_upgrade_stops_before_the_number_of_printed_music():
    operation("books", "0005_isbn").code(apps, connection.schema_editor())
    edition = book("Sonata", isbns=[isbn(1)]).editions.get()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            name = "edition_isbn_has_13_digits"
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(f"ALTER TABLE books_edition DROP CONSTRAINT {name}")
        else:
            cursor.execute("PRAGMA ignore_check_constraints = ON")
    as_stored(edition, isbn13="9790060115615")
    with pytest.raises(RuntimeError, match=rf"9790060115615 \(edition {edition.pk}\)"):
        operation("books", "0005_isbn").code(apps, connection.schema_editor())
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA ignore_check_constraints = OFF")
