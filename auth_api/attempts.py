"""Limits on failed logins that hold exactly, however many processes count."""

import math
import re
import time
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from rest_framework.exceptions import Throttled
from rest_framework.throttling import BaseThrottle

from .models import LoginAttempt

PERIOD = 60  # seconds
FAILURES_PER_ADDRESS = 60
FAILURES_PER_IDENTIFIER = 5

# What a proxy may write into X-Forwarded-For: an address with its port, or IPv6 in brackets
# (RFC 7239, section 6; RFC 3986, section 3.2.2).
NODE = re.compile(r"\[(?P<ipv6>.+)\](:[0-9]+)?|(?P<ipv4>[0-9.]+):[0-9]+")

# One statement counts, so no two can read the same number. A window starts with its first attempt.
COUNT = """
    INSERT INTO auth_api_loginattempt AS stored ("key", "count", "resets_at")
    VALUES (%s, 1, %s), (%s, 1, %s)
    ON CONFLICT ("key") DO UPDATE SET
        "count" = CASE WHEN stored."resets_at" <= %s THEN 1 ELSE stored."count" + 1 END,
        "resets_at" =
            CASE WHEN stored."resets_at" <= %s THEN excluded."resets_at" ELSE stored."resets_at" END
    RETURNING "key", "count", "resets_at"
"""


class TooManyFailures(Throttled):
    """So many failures (`limit`) in PERIOD were too many; 429 with the seconds to `wait`.

    The headers say which limit it was, by draft-ietf-httpapi-ratelimit-headers.
    """

    def __init__(self, limit: int, wait: int) -> None:
        super().__init__(wait)
        self.headers = {
            "Retry-After": f"{wait}",
            "RateLimit-Policy": f'"failures";q={limit};w={PERIOD}',
            "RateLimit": f'"failures";r=0;t={wait}',
        }


class LoginThrottle:
    """An attempt to log in. It counts as failed, before anybody looks at it, until it succeeds.

    It counts for the address it comes from, and for the account from there, however it was named;
    without an account (`user_id` is None) for the name, in whatever case. Raises Throttled, with
    the seconds to wait, when one of the two has failed as often as it may.
    """

    def __init__(self, request: Any, identifier: str, user_id: int | None) -> None:
        # X-Forwarded-For is believed as far as the setting NUM_PROXIES says.
        address = _subscriber(BaseThrottle().get_ident(request))
        named = ("name", identifier.casefold()) if user_id is None else ("account", f"{user_id}")
        limits = {
            _key(address): FAILURES_PER_ADDRESS,
            _key(address, *named): FAILURES_PER_IDENTIFIER,
        }
        now = time.time()
        first, second = limits
        with connection.cursor() as cursor:
            cursor.execute(COUNT, [first, now + PERIOD, second, now + PERIOD, now, now])
            self._counted = cursor.fetchall()
        if any(count == 1 for _, count, _ in self._counted):
            _forget_windows_before(now - PERIOD)
        exceeded = [(end, limits[key]) for key, count, end in self._counted if count > limits[key]]
        if exceeded:
            end, limit = max(exceeded)
            raise TooManyFailures(limit, math.ceil(end - now))

    def succeeded(self) -> None:
        """Take the count back, where its window is still the same."""
        # One row a statement: two rows could be locked in another order than they were counted in.
        for key, _, resets_at in self._counted:
            row = LoginAttempt.objects.filter(key=key, resets_at=resets_at, count__gt=0)
            row.update(count=F("count") - 1)


def _subscriber(address: str) -> str:
    """The address, or the IPv6 network of 64 bits that it lies in.

    Nobody is given less than that (RFC 6177), which is as many addresses as anybody could want.
    """
    if node := NODE.fullmatch(address):
        address = node["ipv6"] or node["ipv4"]
    try:
        parsed = ip_address(address)
    except ValueError:
        # `unknown`, which a proxy may write too, or no address at all: a socket's.
        return address
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), 64), strict=False))


def _key(*parts: str) -> str:
    """A digest: the table shows nobody's address, and has room for whatever was typed."""
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _forget_windows_before(end: float) -> None:
    old = LoginAttempt.objects.filter(resets_at__lt=end)
    with transaction.atomic():
        # What another transaction counts on at the moment is left to the next time.
        keys = list(old.select_for_update(skip_locked=True).values_list("key", flat=True)[:100])
        old.filter(key__in=keys).delete()
