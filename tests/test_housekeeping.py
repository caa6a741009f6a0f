"""Does `manage.py housekeeping` remove what nobody can ask for, and nothing else?"""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.sessions.models import Session as BrowserSession
from django.core.management import call_command
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from auth_api.attempts import PERIOD
from auth_api.models import LoginAttempt, LoginRecord, MachineToken, Session
from project.api import housekeeping
from project.api.changes.models import Change, Entry
from project.api.models import StoredAnswer
from tests.catalogue import book, send

pytestmark = pytest.mark.django_db


def keep(librarian, old):
    """One of each, which is old or not quite."""
    now, second = timezone.now(), timedelta(seconds=-1 if old else 60)
    name = "old" if old else "new"
    session = OutstandingToken.objects.create(
        user=librarian.user, jti=name, token=name, expires_at=now + second
    )
    Session.objects.create(token=session, last_used_at=now, device_name=name)
    BlacklistedToken.objects.create(token=session)
    BrowserSession.objects.create(session_key=name, expire_date=now + second)
    MachineToken.objects.create(
        user=librarian.user, name=name, digest=name, expires_at=now + second
    )
    resets_at = now.timestamp() - PERIOD + second.total_seconds()
    LoginAttempt.objects.create(key=name, count=1, resets_at=resets_at)
    LoginRecord.objects.create(succeeded=True, address=name, at=now - timedelta(days=90) + second)
    answer = StoredAnswer.objects.create(user=librarian.user, key=name, **ANSWER)
    answer.created_at = now - timedelta(hours=24) + second
    answer.save()


ANSWER = {"method": "POST", "path": "", "body_digest": "", "status": 200, "content": b""}
KEPT = {
    Session: "device_name",
    BrowserSession: "session_key",
    MachineToken: "name",
    LoginAttempt: "key",
    LoginRecord: "address",
    StoredAnswer: "key",
}


def clean():
    output = StringIO()
    call_command("housekeeping", stdout=output)
    return dict(line.split(": ") for line in output.getvalue().splitlines())


def test_it_removes_what_is_old_and_says_how_much(librarian, monkeypatch):
    monkeypatch.setattr(housekeeping, "BLOCK", 1)
    keep(librarian, old=False)
    keep(librarian, old=True)
    assert clean() == {
        "ended browser sessions": "1 removed",
        "ended machine tokens": "1 removed",
        "ended sessions": "1 removed",
        "failed logins": "1 removed",
        "old changes": "0 removed",
        "old records of logins": "1 removed",
        "stored answers": "1 removed",
    }
    for model, field in KEPT.items():
        names = set(model.objects.values_list(field, flat=True))
        assert names & {"old", "new"} == {"new"}, model
    assert set(clean().values()) == {"0 removed"}
    # The session of the client that asks is one that goes on.
    assert send(librarian, "GET", "/me/")["username"] == "librarian"


def test_history_goes_where_a_setting_says_so(librarian, settings):
    made = book("Emma", [])
    send(librarian, "PATCH", f"/books/{made.pk}/", {"title": "Persuasion"})
    Change.objects.update(at=timezone.now() - timedelta(days=31))
    before = list(Entry.objects.values_list("kind", "object_id", "position"))
    settings.HISTORY_DAYS = 30
    assert clean()["old changes"] == "1 removed"
    assert list(Entry.objects.values_list("kind", "object_id", "position")) == before
