"""Tokens that belong to a session.

A session is what one login starts: one row of simplejwt's OutstandingToken for its whole life,
whose `jti` is the session's id, `sid` in the tokens, and whose `token` is the jti of the only
refresh token that can still be used. The table holds no token, so who reads it can redeem nothing.
"""

import logging
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Self
from uuid import UUID, uuid4, uuid5

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from rest_framework.request import Request
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken, TokenError
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.utils import aware_utcnow, datetime_from_epoch

from project.api.fields import MAX_ID
from project.api.writing import beside_on, fetch_all, replicas

from .keys import KeyRing, key_ring
from .models import (
    NOTED_EACH,
    READS_ITS_WRITES,
    Session,
    User,
    end_sessions,
    note_write,
)

# However often it is refreshed, a session ends so long after its login.
SESSION_LIFETIME = timedelta(days=30)
# A client whose connection broke may not have seen the answer of its refresh, or has sent it twice.
ROTATION_GRACE = timedelta(seconds=10)

# Of `look_up`, one for each that is asked beside it, of some 8 kB.
KEPT_STATEMENTS = 64

logger = logging.getLogger(__name__)


class NoActiveAccount(AuthenticationFailed):
    default_detail = "No active account found with the given credentials"
    default_code = "no_active_account"


class _Token(simplejwt.Token):
    # Of its session, as `look_up` has found it where there are standbys.
    has_just_written = False

    @property
    def token_backend(self) -> KeyRing:
        return key_ring()

    def set_jti(self) -> None:
        """Give it an id of its own; what simplejwt sets, JTI_CLAIM, is the session's."""
        super().set_jti()
        self.payload["jti"] = uuid4().hex

    def is_current(self, live: str) -> bool:
        """Whether it may be used while `live` is the session's live refresh token."""
        return True


class AccessToken(_Token, simplejwt.AccessToken):
    def note_write(self) -> None:
        note_write(Session.objects.filter(token__jti=self["sid"]))


class UntypedToken(_Token, simplejwt.UntypedToken):
    """A token of either kind, to be looked at only."""

    def is_current(self, live: str) -> bool:
        return bool(self["token_type"] != RefreshToken.token_type or self["jti"] == live)


class RefreshToken(_Token, simplejwt.RefreshToken):
    access_token_class = AccessToken
    # The session's id is copied.
    no_copy_claims = ("token_type", "exp", "iat", "jti", "auth_time")

    user: User

    @classmethod
    def for_user(cls, user: Any, user_agent: str = "", device_name: str = "") -> Self:
        """Start a session of this user."""
        # Not BlacklistMixin's, which would store the token itself.
        token: Self = super(simplejwt.BlacklistMixin, cls).for_user(user)
        token.user = user
        token["auth_time"] = token["iat"]
        with transaction.atomic(savepoint=False):
            row = OutstandingToken.objects.create(
                user=user,
                jti=token["sid"],
                token=token["jti"],
                created_at=token.current_time,
                expires_at=datetime_from_epoch(token["exp"]),
            )
            Session.objects.create(
                token=row,
                last_used_at=token.current_time,
                user_agent=user_agent,
                device_name=device_name,
            )
            going_on = OutstandingToken.objects.filter(
                user=user, blacklistedtoken=None, expires_at__gt=token.current_time
            )
            if oldest := going_on.order_by("-pk").values_list("pk", flat=True)[
                settings.MAX_SESSIONS :
            ]:
                end_sessions(OutstandingToken.objects.filter(pk__in=list(oldest)))
        return token

    def verify(self) -> None:
        # Not BlacklistMixin's: `look_up` sees user and session together.
        simplejwt.Token.verify(self)
        if not isinstance(self.get("auth_time"), int):
            raise TokenError("Token has no auth_time")

    def end_session(self) -> None:
        end_sessions(OutstandingToken.objects.filter(jti=self["sid"]))

    def set_exp(
        self,
        claim: str = "exp",
        from_time: datetime | None = None,
        lifetime: timedelta | None = None,
    ) -> None:
        super().set_exp(claim, from_time, lifetime)
        if "auth_time" in self:
            end = self["auth_time"] + int(SESSION_LIFETIME.total_seconds())
            self[claim] = min(self[claim], end)

    @property
    def access_token(self) -> AccessToken:
        """The access token of this one, with the user's name and role of now; it ends no later."""
        access: AccessToken = super().access_token  # type: ignore[assignment]
        access["jti"] = self._derived("access")
        access.set_iat(at_time=self.current_time)
        access["username"], access["role"] = self.user.username, self.user.role
        access["exp"] = min(access["exp"], self["exp"])
        return access

    def _derived(self, name: str) -> str:
        """The id of the only token with this name that comes from this one."""
        return uuid5(UUID(self["sid"]), f"{self['jti']} {name}").hex

    def rotate(self) -> None:
        """Become the token that comes after this one.

        However often it is asked within ROTATION_GRACE, that is the very same one, with the same
        access token: an answer may have been lost, or two parts of a client have asked at once.
        Later, or once the next token has been used too, two parties hold this one, one of them
        unrightfully: the session ends, and it is 401 `token_reused`.
        """
        user, live = look_up(self)
        if user is None or not user.is_active:
            raise NoActiveAccount
        if live is None:
            raise InvalidToken("The session has ended.")
        self.user = user
        presented, now = self["jti"], aware_utcnow()
        # It tells which token it comes from. Else a thief who refreshes all the time would never be
        # noticed: there would always have been a rotation just now.
        self["jti"] = self._derived("refresh")
        self._issue_at(now)
        if _swap(self["sid"], presented, self["jti"], datetime_from_epoch(self["exp"]), now):
            return
        session = Session.objects.filter(token__jti=self["sid"], token__token=self["jti"])
        just_now = session.filter(last_used_at__gt=now - ROTATION_GRACE)
        if rotated_at := just_now.values_list("last_used_at", flat=True).first():
            self._issue_at(rotated_at)
            return
        self.end_session()
        logger.warning(
            "A refresh token of user %s was used again; session %s is ended.",
            self["user_id"],
            self["sid"],
        )
        raise InvalidToken(
            "This token was used before. Somebody else may have it: log in again.", "token_reused"
        )

    def _issue_at(self, moment: datetime) -> None:
        self.current_time = moment
        self.set_iat()
        self.set_exp()


# These are written out. To have the ORM compose QUERY, which every request asks, takes four times
# the processor time of all the rest of authentication.
SWAP = """
    UPDATE token_blacklist_outstandingtoken SET token = %s, expires_at = %s
    WHERE jti = %s AND token = %s RETURNING id
"""
NOTE_USE = "UPDATE auth_api_session SET last_used_at = %s"
LOADED = ("id", "username", "email", "role", "is_active")
QUERY = f"""
    SELECT {", ".join(f"account.{name}" for name in LOADED)},
           CASE WHEN ended.id IS NULL THEN session.token END, {{has_just_written}}, {{beside}}
    FROM auth_api_user account
    LEFT JOIN token_blacklist_outstandingtoken session
           ON session.user_id = account.id AND session.jti = %s
    LEFT JOIN token_blacklist_blacklistedtoken ended ON ended.token_id = session.id
    WHERE account.id = %s
"""  # noqa: S608  (names of our own)
# Whether its session has just written: with no standbys nobody asks.
HAS_JUST_WRITTEN = f"""
    (SELECT wrote_at > now() - interval '{(READS_ITS_WRITES + NOTED_EACH).seconds} seconds'
     FROM auth_api_session WHERE token_id = session.id)
"""  # noqa: S608
# What nobody is told who may not ask is not asked, either.
BESIDE = """
    CASE WHEN account.is_active AND session.id IS NOT NULL AND ended.id IS NULL
         THEN ({sql}) END
"""


def _swap(sid: str, presented: str, successor: str, expires_at: datetime, now: datetime) -> bool:
    """Whether `presented` was the session's live refresh token, in whose place is `successor` now.

    Of several at once, one is. No join in here: PostgreSQL, when it has waited for another's update
    of the row, checks these conditions again on the new row, but no condition on another table.
    """
    end, moment = map(connection.ops.adapt_datetimefield_value, (expires_at, now))
    values = [successor, end, sid, presented]
    if connection.vendor == "postgresql":
        # One statement is a transaction without a beginning and an end to be sent.
        both = f"WITH swapped AS ({SWAP}) {NOTE_USE} FROM swapped WHERE token_id = swapped.id"
        with connection.cursor() as cursor:
            cursor.execute(both, [*values, moment])
            return bool(cursor.rowcount)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SWAP, values)
        if (swapped := cursor.fetchone()) is None:
            return False
        cursor.execute(f"{NOTE_USE} WHERE token_id = %s", [moment, *swapped])
        return True


@lru_cache(maxsize=KEPT_STATEMENTS)
def _query(sql: str | None) -> str:
    beside = "NULL" if sql is None else BESIDE.format(sql=sql)
    return QUERY.format(has_just_written=HAS_JUST_WRITTEN if replicas() else "NULL", beside=beside)


def look_up(token: _Token) -> tuple[User | None, str | None]:
    """The token's user, and the jti of the live refresh token of its session, if that goes on.

    One query, beside which the request's next one is asked, if that is known. What the user has
    beyond LOADED is fetched when somebody asks for it.
    """
    try:
        user_id = int(token["user_id"])
    except (ValueError, TypeError):
        return None, None
    if user_id > MAX_ID:
        return None, None
    beside = beside_on(DEFAULT_DB_ALIAS)
    sql, params = (beside.sql, beside.params) if beside else (None, ())
    params = [*params, str(token["sid"]), user_id]
    rows = fetch_all(connections[DEFAULT_DB_ALIAS], _query(sql), params)
    if not rows:
        return None, None
    *values, is_active, live, has_just_written, value = rows[0]
    if beside is not None:
        beside.note(value)
    token.has_just_written = bool(has_just_written)
    # SQLite knows no booleans.
    return User.from_db(DEFAULT_DB_ALIAS, LOADED, [*values, bool(is_active)]), live


def session_of(request: Request) -> str | None:
    """The id of the session whose access token has come with this request, if one has."""
    return request.auth["sid"] if isinstance(request.auth, AccessToken) else None


def user_of(token: _Token) -> User:
    """The active user whose session this token belongs to; 401 without."""
    user, live = look_up(token)
    if user is None:
        raise AuthenticationFailed("User not found", code="user_not_found")
    if not user.is_active:
        raise AuthenticationFailed("User is inactive", code="user_inactive")
    if live is None or not token.is_current(live):
        raise InvalidToken("The session has ended, or goes on with another token.")
    return user
