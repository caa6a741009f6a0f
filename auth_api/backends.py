"""Who is it? The one place where a password is looked at: API, admin and Basic all come here."""

import logging

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import BasePasswordHasher, get_hashers, identify_hasher
from django.db import IntegrityError
from django.http import HttpRequest
from rest_framework.throttling import BaseThrottle

from project.api.signals import login_tried

from .attempts import LoginThrottle
from .models import LoginRecord, User, normalise

logger = logging.getLogger(__name__)

# What nobody's name or address is longer than; to normalise a megabyte takes a second.
LONGEST_IDENTIFIER = 1000


class AccountBackend(BaseBackend):
    """What Django's ModelBackend does, but failed logins are limited, and all cost the same.

    Raises Throttled (429) where there were too many. ModelBackend itself has a second way in, for
    asynchronous code, where nothing of this would hold.
    """

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: object,
    ) -> User | None:
        if username is None or password is None:
            return None
        username = normalise(username[:LONGEST_IDENTIFIER])
        try:
            user = User.objects.get_by_natural_key(username)
        except User.DoesNotExist:
            user = User()
        # Without a request it is code of ours that asks, and no address.
        throttle = LoginThrottle(request, username, user.pk) if request is not None else None
        algorithms = {_algorithm(user)}
        correct = user.check_password(password)
        # A correct password in an old hash has been hashed anew.
        algorithms.add(_algorithm(user))
        succeeded = correct and user.is_active
        if not succeeded:
            # check_password has worked once, as the hash at hand demands. With the work that the
            # other hashers would have been, time does not tell whose hash is an old one, or that
            # none is. While nobody has a hash of a further one, there is nothing to tell.
            first, *further = get_hashers()
            for hasher in (first, *filter(_is_in_use, further)):
                if hasher.algorithm not in algorithms:
                    hasher.encode(password, hasher.salt())
        if throttle is not None and request is not None:
            throttle.settle(succeeded)
            record(request, user, succeeded)
        return user if succeeded else None


def record(request: HttpRequest, user: User, succeeded: bool) -> None:
    """Note who came from where."""
    values = {
        "succeeded": succeeded,
        "address": str(BaseThrottle().get_ident(request))[:100],  # type: ignore[arg-type]
        "request_id": getattr(request, "id", ""),
    }
    logger.info("login", extra={"user": user.pk, "succeeded": succeeded})
    login_tried.send(None, succeeded=succeeded)
    try:
        LoginRecord.objects.create(user_id=user.pk, **values)
    except IntegrityError:
        # The account has been deleted meanwhile.
        LoginRecord.objects.create(**values)


def _is_in_use(hasher: BasePasswordHasher) -> bool:
    return User.objects.filter(password__startswith=f"{hasher.algorithm}$").exists()


def _algorithm(user: User) -> str | None:
    """The algorithm check_password works with: the hash's own, or the first where there is none."""
    try:
        return identify_hasher(user.password).algorithm
    except ValueError:
        return get_hashers()[0].algorithm
