"""Limits on failed logins that hold exactly, however many processes count."""

import math
import re
import time
from collections.abc import Iterable
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any

from django.db import connection
from rest_framework.exceptions import Throttled
from rest_framework.throttling import BaseThrottle

from project.api.writing import transact

from .models import LoginAttempt

PERIOD = 60  # seconds
FAILURES_PER_ADDRESS = 60
FAILURES_PER_IDENTIFIER = 5

# What a proxy may write into X-Forwarded-For: an address with its port, or IPv6 in brackets
# (RFC 7239, section 6; RFC 3986, section 3.2.2).
NODE = re.compile(r"\[(?P<ipv6>.+)\](:[0-9]+)?|(?P<ipv4>[0-9.]+):[0-9]+")

# One statement counts, so no two can read the same number. A window starts with its first failure.
# One that would end later than if it began now has met a clock that was put back, and is cut short.
COUNT = """
    INSERT INTO auth_api_loginattempt AS stored ("key", "count", "resets_at")
    VALUES (%s, 1, %s), (%s, 1, %s)
    ON CONFLICT ("key") DO UPDATE SET
        "count" = CASE WHEN stored."resets_at" <= %s THEN 1 ELSE stored."count" + 1 END,
        "resets_at" =
            CASE WHEN stored."resets_at" <= %s OR stored."resets_at" > excluded."resets_at"
            THEN excluded."resets_at" ELSE stored."resets_at" END
    RETURNING "key", "count", "resets_at"
"""

GOING_ON = """
    SELECT "key", "count", "resets_at" FROM auth_api_loginattempt
    WHERE "key" IN (%s, %s) AND "resets_at" > %s AND "resets_at" <= %s
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
    """An attempt to log in. Raises Throttled, with the seconds to wait, before the password is
    looked at, where so many have failed already, and by `settle` where they have meanwhile.

    A failure counts for the address it comes from, and for the account from there, however it was
    named; without an account (`user_id` is None) for the name, in whatever case. Of many attempts
    at once, those after the last failure that may be hear nothing of the password: as if it had
    not been looked at. Who knows it is in nobody's way.
    """

    def __init__(self, request: Any, identifier: str, user_id: int | None) -> None:
        # X-Forwarded-For is believed as far as the setting NUM_PROXIES says.
        address = _subscriber(BaseThrottle().get_ident(request))
        named = ("name", identifier.casefold()) if user_id is None else ("account", f"{user_id}")
        self._limits = {
            _key(address): FAILURES_PER_ADDRESS,
            _key(address, *named): FAILURES_PER_IDENTIFIER,
        }
        self._refuse_further()

    def settle(self, succeeded: bool) -> None:
        """Count the attempt if it has failed. Raises Throttled where too many have before it."""
        if succeeded:
            self._refuse_further()
            return
        now = time.time()
        first, second = self._limits
        with connection.cursor() as cursor:
            cursor.execute(COUNT, [first, now + PERIOD, second, now + PERIOD, now, now])
            counted = cursor.fetchall()
        if any(count == 1 for _, count, _ in counted):
            forget_windows_before(now - PERIOD)
        self._refuse((key, count - 1, end) for key, count, end in counted)

    def _refuse_further(self) -> None:
        now = time.time()
        with connection.cursor() as cursor:
            cursor.execute(GOING_ON, [*self._limits, now, now + PERIOD])
            self._refuse(cursor.fetchall())

    def _refuse(self, failures: Iterable[tuple[str, int, float]]) -> None:
        exceeded = [
            (end, self._limits[key]) for key, count, end in failures if count >= self._limits[key]
        ]
        if exceeded:
            end, limit = max(exceeded)
            raise TooManyFailures(limit, math.ceil(end - time.time()))


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


def forget_windows_before(end: float) -> int:
    """Remove some of the windows that ended before this moment; how many, and 0 of the last."""
    old = LoginAttempt.objects.filter(resets_at__lt=end)

    def forget() -> int:
        # What another transaction counts on at the moment is left to the next time.
        keys = list(old.select_for_update(skip_locked=True).values_list("key", flat=True)[:100])
        old.filter(key__in=keys).delete()
        return len(keys)

    return transact(forget)
