"""What does `make run` find in its database, and what does it leave alone?"""

import shutil
import subprocess
import sys

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from auth_api.models import User
from books.models import Book
from tests.server import ROOT


@pytest.fixture
def development(settings, db):
    settings.DEBUG = True


def load_demo():
    call_command("load_demo", verbosity=0)


def everything_stored():
    return {
        model._meta.label: list(model.objects.order_by("pk").values_list())
        for model in apps.get_models(include_auto_created=True)
    }


def test_the_database_stands_in_the_checkout_whatever_that_is_called(tmp_path):
    checkout = tmp_path / "C# at 100%20?"
    shutil.copytree(ROOT / "project", checkout / "project")
    (checkout / "schema").mkdir()
    shutil.copy(ROOT / "schema" / "description.md", checkout / "schema")
    name = "from project.settings.dev import DATABASES; print(DATABASES['default']['NAME'])"
    done = subprocess.run(
        [sys.executable, "-c", name],
        cwd=checkout,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{checkout / 'db.sqlite3'}\n"


@pytest.mark.parametrize("role", User.Role.values)
def test_each_role_has_a_user_who_can_log_in(development, anonymous, role):
    load_demo()
    credentials = {"username": role, "password": f"demo-{role}"}
    tokens = anonymous.post("/api/token/", credentials, format="json")
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.data['access']}")
    me = anonymous.get("/api/me/").json()
    assert (me["username"], me["role"]) == (role, role)


def test_the_catalogue_holds_at_least_200_books(development, anonymous):
    load_demo()
    assert anonymous.get("/api/books/", {"count": "true"}).json()["count"] >= 200


def test_a_second_run_changes_nothing(development):
    load_demo()
    before = everything_stored()
    load_demo()
    assert everything_stored() == before


def test_what_was_edited_stays_as_it_was_edited(development):
    load_demo()
    Book.objects.order_by("pk").first().delete()
    Book.objects.filter(pk=Book.objects.latest("pk").pk).update(title="Renamed")
    librarian = User.objects.get(username="librarian")
    librarian.set_password("a new password")
    librarian.save()
    before = everything_stored()
    load_demo()
    assert everything_stored() == before


def test_production_gets_no_users_whose_passwords_everybody_knows(settings, db):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="for development only"):
        load_demo()
    assert not User.objects.exists()
    assert not Book.objects.exists()
