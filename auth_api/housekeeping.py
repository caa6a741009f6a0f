"""What of accounts `manage.py housekeeping` removes."""

import time
from datetime import timedelta

from django.contrib.sessions.models import Session as BrowserSession
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from project.api.housekeeping import chores, remove

from .attempts import PERIOD, forget_windows_before
from .models import LoginRecord, MachineToken

# How long the log of logins reaches back.
KEPT = timedelta(days=90)


def _forget_attempts() -> int:
    number = 0
    while some := forget_windows_before(time.time() - PERIOD):
        number += some
    return number


def register() -> None:
    now = timezone.now
    chores.update(
        {
            # A token of a session that is not there is refused as that of an ended one is.
            "ended sessions": lambda: remove(
                OutstandingToken.objects.filter(expires_at__lte=now())
            ),
            "ended browser sessions": lambda: remove(
                BrowserSession.objects.filter(expire_date__lte=now())
            ),
            "ended machine tokens": lambda: remove(
                MachineToken.objects.filter(expires_at__lte=now())
            ),
            "failed logins": _forget_attempts,
            "old records of logins": lambda: remove(
                LoginRecord.objects.filter(at__lt=now() - KEPT)
            ),
        }
    )
