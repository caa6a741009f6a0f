"""Does docs/accounts.md tell the truth? Its files are written and its examples run with them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engineless
ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "accounts.md").read_text()

# In a process of its own: these settings are other ones than the tests'.
RUN = """
import doctest, os, re, sys
import django
from django.conf import settings

django.setup()
settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
settings.ALLOWED_HOSTS = ["testserver"]
from django.core import mail
from django.core.management import call_command

call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
mail.outbox = []
import httpx
from project.wsgi import application


def code_in_the_mail():
    [code] = re.findall(r"^([A-Z0-9]{3,}-?[A-Z0-9]{3,})$", mail.outbox[-1].body, re.MULTILINE)
    return code


transport = httpx.WSGITransport(app=application)
api = httpx.Client(transport=transport, base_url="http://testserver")
names = {"api": api, "code_in_the_mail": code_in_the_mail}
page = doctest.DocTestParser().get_doctest(sys.stdin.read(), names, "accounts", "accounts.md", 0)
result = doctest.DocTestRunner().run(page)
print(f"{result.attempted} examples")
sys.exit(result.failed > 0)
"""


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_code_registers_verifies_and_resets(tmp_path):
    for code in blocks("python"):
        (tmp_path / code.partition("\n")[0].removeprefix("# ")).write_text(code)
    unset = {"TEST_DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in unset}
        | {
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
            "DJANGO_SETTINGS_MODULE": "accounts_settings",
            "DATABASE_URL": f"sqlite:///{tmp_path}/accounts.sqlite3",
        },
        input="\n".join(blocks("pycon")),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{PAGE.count('>>> ')} examples"
