"""Tokens for programs: a random text, good for the catalogue and for nothing of the account's."""

import secrets
from hashlib import sha256

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS
from rest_framework_simplejwt.exceptions import InvalidToken

from project.api.writing import replicas

from .models import NOTED_EACH, READS_ITS_WRITES, MachineToken

# So that a scanner of published code knows what it has found, and no JWT looks alike.
PREFIX = "bookcat_"
MAX_TOKENS = 20


def new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    # It is random: a slow hash would protect it no better.
    return sha256(token.encode()).hexdigest()


class NotForMachines(exceptions.PermissionDenied):
    default_code = "machine_token"
    default_detail = "A machine token is not good for this."


def machine_token(text: str) -> MachineToken:
    """The stored token of this text with its user, in one query; 401 for one that is not good."""
    tokens = MachineToken.objects.select_related("user")
    if replicas():
        since = Now() - (READS_ITS_WRITES + NOTED_EACH)
        just_now = ExpressionWrapper(Q(wrote_at__gt=since), BooleanField())
        tokens = tokens.annotate(wrote_just_now=just_now)
    token = tokens.filter(
        digest=digest_of(text), expires_at__gt=timezone.now(), user__is_active=True
    ).first()
    if token is None:
        raise InvalidToken("The machine token has ended, or never was one.")
    return token


def check_method(token: object, method: str | None) -> None:
    """Raise NotForMachines where a token that may only read is to write."""
    if isinstance(token, MachineToken) and token.read_only and method not in SAFE_METHODS:
        raise NotForMachines("This machine token may only read.")
