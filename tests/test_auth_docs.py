"""Does docs/auth.md tell the truth? Its examples are run, in order, against a server."""

import doctest
import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db.models import F
from jwt.algorithms import ECAlgorithm

from auth_api.keys import KeyRing
from auth_api.models import Session, User
from auth_api.tokens import RefreshToken

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "auth.md").read_text()
SERVER = "http://127.0.0.1:8000"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def server(live_server, settings):
    """The address of a server that signs with a key pair and has the demo's users."""
    pair = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    settings.JWT_KEYS = json.dumps([{**pair, "kid": "2026-12", "alg": "ES256"}])
    for number, role in enumerate(User.Role.values, start=1):
        User.objects.create_user(role, f"{role}@example.org", f"demo-{role}", role=role, pk=number)
    return live_server.url


@pytest.fixture
def clients_closed(monkeypatch):
    """What the page leaves to the end of the process."""
    opened = []

    class Client(httpx.Client):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            opened.append(self)

    monkeypatch.setattr(httpx, "Client", Client)
    yield
    for client in opened:
        client.close()


def test_examples_do_what_the_page_says(server, clients_closed):
    def sleep(seconds):
        Session.objects.update(last_used_at=F("last_used_at") - timedelta(seconds=seconds))

    code = "\n".join(blocks("pycon")).replace(SERVER, server)
    # Whoever reads waits; here the last refresh is moved back instead.
    code = code.replace("import time\n", "\n")
    names = {"time": SimpleNamespace(sleep=sleep)}
    page = doctest.DocTestParser().get_doctest(code, names, "docs/auth.md", "docs/auth.md", 0)
    assert len(page.examples) > 40
    told = []
    result = doctest.DocTestRunner().run(page, out=told.append, clear_globs=False)
    assert result.failed == 0, "".join(told)
    assert len(KeyRing(page.globs["JWT_KEYS"]).public_keys) == 1


@pytest.mark.engineless
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_another_service_verifies_with_jose(server, tmp_path):
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "tests" / "clients" / "jose" / name, tmp_path)
    npm = ["npm", "ci", "--no-audit", "--no-fund"]
    subprocess.run(npm, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    [code] = blocks("js")
    (tmp_path / "verify.js").write_text(code.replace(SERVER, server))
    token = RefreshToken.for_user(User.objects.get(username="librarian"))

    def verify(text):
        node = ["node", "verify.js", str(text)]
        return subprocess.run(node, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    accepted = verify(token.access_token)
    assert (accepted.returncode, accepted.stdout) == (0, "librarian librarian\n"), accepted.stderr
    header, payload, signature = str(token.access_token).split(".")
    forged = verify(f"{header}.{payload}.{signature[::-1]}")
    assert "JWSSignatureVerificationFailed" in forged.stderr
    assert "not an access token" in verify(token).stderr


def test_every_token_url_is_on_the_page():
    from auth_api.urls import urlpatterns

    for pattern in urlpatterns:
        path = str(pattern.pattern).replace("jwks.json/", "jwks.json").replace("<id:pk>", "{id}")
        assert f"`/api/{path}`" in PAGE
