"""Reads from streaming standbys: which of them may answer, and which one this request reads from.

A standby is asked how it is before each request that reads from it, which takes one statement. It
is passed over while it is away, far behind, or of another history than the primary; and it is not
asked again for some seconds then.
"""

import logging
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from time import monotonic
from typing import NamedTuple, Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DEFAULT_DB_ALIAS, Error, connections, models, transaction

from .connections import fetch_row

logger = logging.getLogger(__name__)

# How far behind a standby may be for a request that names no position.
MAX_LAG = 10.0  # seconds
# How often the primary is asked how far it is.
SAMPLED_EACH = 1.0  # seconds
# A standby that lacks no more than that is catching up.
ON_ITS_WAY = 1.0  # seconds
# How long a standby that has failed is not asked: the first time, twice as long each time, at most.
SHORTEST, LONGEST = 1.0, 30.0  # seconds
POSITION = re.compile(r"([1-9A-F][0-9A-F]{0,7}):([0-9A-F]{1,8})/([0-9A-F]{1,8})", re.ASCII)
# Only the primary knows whether somebody is who they say, and what has changed.
OF_PRIMARY = frozenset({"token_blacklist", "sessions", "changes"})


class WALPosition(NamedTuple):
    """How far the primary had written its log, and on which timeline."""

    timeline: int
    lsn: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The position of `1:16/B374D848`, in hexadecimal digits as PostgreSQL has them.

        Raises ValueError.
        """
        found = POSITION.fullmatch(text)
        if found is None:
            raise ValueError(text)
        timeline, high, low = (int(each, 16) for each in found.groups())
        return cls(timeline, high << 32 | low)

    def __str__(self) -> str:
        return f"{self.timeline:X}:{self.lsn >> 32:X}/{self.lsn & 0xFFFFFFFF:X}"


# What no standby ever has, so that who sends it reads from the primary.
BEYOND_ALL = WALPosition(0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)


class _Primary(NamedTuple):
    at: float
    cluster: int
    position: WALPosition
    # What has left its memory, and so may be with a standby.
    flushed: int


# The insertion point is behind each commit, whatever `synchronous_commit` is.
PRIMARY = """
    SELECT system_identifier,
           left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
           (pg_current_wal_insert_lsn() - '0/0')::bigint,
           (pg_current_wal_flush_lsn() - '0/0')::bigint
    FROM pg_control_system()
"""


class Standby(NamedTuple):
    is_standby: bool
    cluster: int
    # A standby that has followed a new primary knows by its next restartpoint, and says so at once
    # to who may read `pg_stat_wal_receiver`.
    timeline: int
    # Of its log, what can be read. None where it is no standby.
    replayed: int | None


STANDBY = """
    SELECT pg_is_in_recovery(),
           system_identifier,
           greatest(timeline_id, min_recovery_end_timeline,
                    (SELECT max(received_tli) FROM pg_stat_wal_receiver)),
           (pg_last_wal_replay_lsn() - '0/0')::bigint
    FROM pg_control_system(), pg_control_checkpoint(), pg_control_recovery()
"""


@cache
def replicas() -> tuple[str, ...]:
    """The aliases of DATABASE_REPLICAS."""
    return tuple(alias for alias in settings.DATABASES if alias.startswith("replica"))


# The primary


class _Samples:
    """Where the primary was in the last seconds, as this process has seen it."""

    def __init__(self) -> None:
        # Replaced and never changed, since other threads read it.
        self._samples: tuple[_Primary, ...] = ()
        self._next = 0.0

    def take(self) -> None:
        """Ask the primary, unless that was done just now."""
        now = monotonic()
        if now < self._next:
            return
        # No other thread asks meanwhile, however long this takes.
        self._next = now + MAX_LAG
        try:
            sample = _primary()
        except Error as error:
            logger.warning("The primary does not answer: %s", error)
            self._next = monotonic() + MAX_LAG / 2
            return
        self._next = now + SAMPLED_EACH
        earlier = (
            each
            for each in self._samples
            if each.at > now - MAX_LAG and each.position.timeline == sample.position.timeline
        )
        self._samples = (*earlier, sample)

    @property
    def newest(self) -> _Primary | None:
        return self._samples[-1] if self._samples else None

    @property
    def required(self) -> _Primary | None:
        """What a standby must have, not to be further behind than MAX_LAG; None where the primary
        has not answered for that long."""
        since = monotonic() - MAX_LAG
        return next((each for each in self._samples if each.at > since), None)


_samples = _Samples()


def _primary() -> _Primary:
    at = monotonic()
    cluster, timeline, lsn, flushed = fetch_row(connections[DEFAULT_DB_ALIAS], PRIMARY)
    return _Primary(at, cluster, WALPosition(int(timeline, 16), lsn), flushed)


def position_after_write() -> WALPosition:
    """Where all that is committed is; BEYOND_ALL if the primary has gone since."""
    try:
        return _primary().position
    except Error as error:
        logger.warning("The primary does not say how far it is: %s", error)
        return BEYOND_ALL


# The standbys


def _fault_of(standby: Standby, newest: _Primary) -> str | None:
    """Why this standby is not read from, whatever is asked, in words that follow its name."""
    required = _samples.required
    if not standby.is_standby:
        return "is no standby"
    if standby.cluster != newest.cluster:
        return "is a standby of another cluster"
    if standby.timeline != newest.position.timeline:
        return f"is on timeline {standby.timeline}, the primary on {newest.position.timeline}"
    if required is not None and _lacks(standby, required.flushed):
        behind = monotonic() - required.at
        if behind > ON_ITS_WAY:
            return f"is more than {behind:.0f} s behind"
    return None


def _lacks(standby: Standby, lsn: int) -> bool:
    return standby.replayed is None or standby.replayed < lsn


class _Aside(NamedTuple):
    until: float
    seconds: float
    reason: str


# Those that are not asked at the moment, by alias.
_aside: dict[str, _Aside] = {}


def set_aside(alias: str, reason: str) -> None:
    """Read from this standby no more for some seconds."""
    before = _aside.get(alias)
    seconds = SHORTEST if before is None else min(2 * before.seconds, LONGEST)
    _aside[alias] = _Aside(monotonic() + seconds, seconds, reason)
    connections[alias].close()
    if before is None:
        logger.warning("%s is not read from: it %s.", alias, reason)


def _look_at(alias: str) -> Standby | str:
    """How this standby is; or why it is not read from, for some seconds from now on."""
    if (newest := _samples.newest) is None:
        # It may be asked right now, by the first request.
        return "cannot be compared with the primary, which does not answer"
    if (aside := _aside.get(alias)) is not None and monotonic() < aside.until:
        return aside.reason
    try:
        standby = Standby(*fetch_row(connections[alias], STANDBY))
        fault = _fault_of(standby, newest)
    except Error as error:
        fault = silence(error)
    if fault is not None:
        set_aside(alias, fault)
        return fault
    if _aside.pop(alias, None) is not None:
        logger.warning("%s is read from again.", alias)
    return standby


def standby_with(position: WALPosition | None) -> str | None:
    """The alias of a standby that has all up to this position, or that is not far behind; None
    where there is none now, and the primary is to be asked."""
    _samples.take()
    aliases = [*replicas()]
    random.shuffle(aliases)
    for alias in aliases:
        standby = _look_at(alias)
        if isinstance(standby, str):
            continue
        required = _samples.required
        has_it = not _lacks(standby, required.flushed if required else 0)
        if position is not None:
            has_it = position.timeline <= standby.timeline and not _lacks(standby, position.lsn)
        if has_it:
            return alias
    return None


class State(NamedTuple):
    """Why a standby is not read from, if it is not; and the bytes that it is behind."""

    fault: str | None
    behind: int = 0


def states() -> dict[str, State]:
    """How each standby is, by alias; the primary and those that are not set aside are asked."""
    if replicas():
        _samples.take()
    found = {}
    for alias in replicas():
        standby, newest = _look_at(alias), _samples.newest
        if isinstance(standby, str):
            found[alias] = State(standby)
        else:
            lsn = newest.flushed if newest else 0
            found[alias] = State(None, max(0, lsn - (standby.replayed or lsn)))
        connections[alias].close()
    return found


def are_read() -> dict[str, bool]:
    """By alias, which standbys this process reads from, as far as it has noticed."""
    return {alias: alias not in _aside for alias in replicas()}


def silence(error: Error) -> str:
    return f"does not answer: {' '.join(str(error).split())}"


# The request


_reads_from: ContextVar[str | None] = ContextVar("reads from", default=None)


@contextmanager
def reading_from(alias: str) -> Iterator[None]:
    """What is read in here is all of one moment of this standby.

    Raises Error if the standby has gone just now, and not if it goes while it is read from.
    """
    snapshot = transaction.atomic(alias)
    snapshot.__enter__()
    token = _reads_from.set(alias)
    try:
        yield
    finally:
        _reads_from.reset(token)
        transaction.set_rollback(True, alias)
        try:
            snapshot.__exit__(None, None, None)
        except Error:
            connections[alias].close()


@cache
def _is_of_primary(model: type[models.Model]) -> bool:
    return model._meta.app_label in {*OF_PRIMARY, get_user_model()._meta.app_label}


class ReplicaRouter:
    """Django's router: what is read in `reading_from` is read from there, and nothing written.

    https://docs.djangoproject.com/en/stable/topics/db/multi-db/#database-routers
    """

    def db_for_read(self, model: type[models.Model], **hints: object) -> str | None:
        alias = _reads_from.get()
        return None if alias is None or _is_of_primary(model) else alias

    def db_for_write(self, model: type[models.Model], **hints: models.Model) -> str | None:
        instance = hints.get("instance")
        is_of_replica = instance is not None and instance._state.db in replicas()
        return DEFAULT_DB_ALIAS if is_of_replica else None

    def allow_relation(
        self, first: models.Model, second: models.Model, **hints: object
    ) -> bool | None:
        """A standby has the same rows as the primary."""
        same = {DEFAULT_DB_ALIAS, *replicas()}
        return {first._state.db, second._state.db} <= same or None

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool | None:
        return False if db in replicas() else None
