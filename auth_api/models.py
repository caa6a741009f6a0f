"""Users, what they may do, and what is remembered of their logins."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, validate_email
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework import exceptions, status
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from project.api.models import HandedOn, NameField

from .usernames import folded, validate_username, validate_visible

# What a librarian may write, and what of it only an admin may delete; an admin may do everything.
# A model of an app that is not here is the admins' alone.
CATALOGUE_APPS = frozenset({"authors", "books"})
DELETED_BY_ADMINS = frozenset({"author", "series", "publisher", "subject"})
# Who follows the feed of changes, and who sees by whom they were made.
READ_BY_MEMBERS = frozenset({"changes.view_entry"})
READ_BY_LIBRARIANS = frozenset({"changes.view_change"})


class NormalisedEmailField(models.EmailField):  # type: ignore[type-arg]  # no generic at run time
    """An e-mail address in one form: NFKC, lower case, no space around it.

    Values to store and values to compare with take that form, so a plain unique constraint is
    case-insensitive on every engine; SQLite's LOWER() knows only ASCII.
    """

    # Django takes what is not seen in a domain, which mail then leaves out.
    default_validators = [validate_email, validate_visible]

    def to_python(self, value: str | None) -> object:
        value = super().to_python(value)
        return value and normalise(value).lower()

    def pre_save(self, model_instance: models.Model, add: bool) -> object:
        value = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value


def normalise(identifier: str) -> str:
    """Full-width and other compatibility letters as the ordinary ones, no space around."""
    return unicodedata.normalize("NFKC", identifier).strip()


class FoldedUsernameField(models.CharField):  # type: ignore[type-arg]  # no generic at run time
    """The username without its case, which makes it unique on every engine.

    Values to compare with take that form.
    """

    def get_prep_value(self, value: str | None) -> object:
        value = super().get_prep_value(value)
        return value and folded(value.strip())

    def pre_save(self, model_instance: models.Model, add: bool) -> object:
        value = folded(model_instance.username)  # type: ignore[attr-defined]  # of User alone
        setattr(model_instance, self.attname, value)
        return value


class LastAdmin(exceptions.APIException):
    """This write would leave no admin who is active: 409 `last_admin`."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "This is the last active admin. Make somebody else an admin first."
    default_code = "last_admin"


@contextmanager
def keeping_an_admin() -> Iterator[None]:
    """A transaction that raises LastAdmin if there was an active admin before and is none after.

    Of all that may take an admin away, one at a time is in here: they lock all admins, in one
    order, before they lock or write anything else.
    """
    with transaction.atomic():
        admins = User.objects.filter(role=User.Role.ADMIN, is_active=True).order_by("pk")
        before = list(admins.select_for_update().values_list("pk", flat=True))
        yield
        if before and not admins.exists():
            raise LastAdmin


# What says whether somebody is an active admin.
ADMIN_FIELDS = frozenset({"role", "is_active"})


class UserQuerySet(models.QuerySet["User"]):
    """However accounts are written, an admin stays: `bulk_update` comes by here, too."""

    def update(self, **values: object) -> int:
        if isinstance(values.get("username"), str):
            values["username_key"] = values["username"]
        if ADMIN_FIELDS.isdisjoint(values):
            return super().update(**values)
        with keeping_an_admin():
            return super().update(**values)

    def delete(self) -> tuple[int, dict[str, int]]:
        with keeping_an_admin():
            forget_sessions(self)
            return super().delete()


class UserManager(BaseUserManager["User"]):
    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def create_user(
        self, username: str, email: str, password: str | None = None, **fields: object
    ) -> "User":
        """Store a user; without a password, one who cannot log in with any."""
        user = self.model(username=self.model.normalize_username(username), email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(
        self, username: str, email: str, password: str | None = None, **fields: object
    ) -> "User":
        return self.create_user(username, email, password, **{"role": User.Role.ADMIN, **fields})

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user with this username or e-mail address; an `@` tells which of the two it is."""
        identifier = normalise(username or "")
        if "\0" in identifier:
            raise self.model.DoesNotExist("PostgreSQL could not even be asked.")
        return self.get(**{"email" if "@" in identifier else "username_key": identifier})


class User(AbstractBaseUser):
    """An account. Its role alone says what it may do, in the API as in the admin."""

    class Role(models.TextChoices):
        MEMBER = "member"
        LIBRARIAN = "librarian"
        ADMIN = "admin"

    username = models.CharField(
        max_length=150,
        unique=True,
        validators=[
            RegexValidator(r"^[\w.+-]+\Z", "A username has letters, digits and . + - _ only."),
            validate_username,
        ],
        help_text="Letters of one script, digits and . + - _ only.",
        error_messages={"unique": "Another user has this username."},
    )
    # A name of 150 letters has up to three times as many without its case.
    username_key = FoldedUsernameField(max_length=450, unique=True, editable=False)
    email = NormalisedEmailField(
        "e-mail address",
        unique=True,
        error_messages={"unique": "Another user has this e-mail address."},
    )
    role = models.CharField(max_length=20, choices=Role, default=Role.MEMBER)
    is_active = models.BooleanField(
        "active",
        default=True,
        help_text="Switch it off instead of deleting the account: logins and tokens end at once.",
    )
    date_joined = models.DateTimeField(default=timezone.now, editable=False)
    # How often all sessions were ended: a browser's cookie is good for one value of it.
    sessions_ended = models.PositiveIntegerField(default=0, editable=False)

    objects = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        ordering = ["username"]
        constraints = [
            # With an @ it could be another user's e-mail address.
            models.CheckConstraint(
                condition=~Q(username="") & ~Q(username__contains="@"),
                name="user_username_is_no_email",
            ),
            models.CheckConstraint(condition=Q(email__contains="@"), name="user_email_has_at"),
            models.CheckConstraint(
                condition=Q(role__in=["member", "librarian", "admin"]), name="user_role_is_known"
            ),
        ]

    def clean(self) -> None:
        super().clean()
        others = User.objects.exclude(pk=self.pk)
        if self.username and others.filter(username_key=self.username).exists():
            raise ValidationError({"username": "Another user has this username."})

    def has_role(self, least: Role) -> bool:
        """Whether the role is this one or stands above it."""
        roles = list(self.Role)
        return self.is_active and roles.index(self.Role(self.role)) >= roles.index(least)

    def save(self, *args: HandedOn, **kwargs: HandedOn) -> None:
        """Store the account; when its password changes or it is switched off, its sessions end.

        `_password` is set by a change of the password alone. When Django replaces a hash by a
        better one of the same password, it clears it.
        """
        ends_sessions = self._password is not None or not self.is_active
        fields = kwargs.get("update_fields")
        if fields is not None and "username" in fields:
            kwargs["update_fields"] = {*fields, "username_key"}
        may_depose = not self._state.adding and (fields is None or ADMIN_FIELDS & {*fields})
        with keeping_an_admin() if may_depose else transaction.atomic():
            super().save(*args, **kwargs)
            if ends_sessions:
                self.end_sessions()
                MachineToken.objects.filter(user=self.pk).delete()

    def delete(self, *args: HandedOn, **kwargs: HandedOn) -> tuple[int, dict[str, int]]:
        with keeping_an_admin():
            forget_sessions(User.objects.filter(pk=self.pk))
            return super().delete(*args, **kwargs)

    def end_sessions(self, but: str | None = None) -> None:
        """End all sessions of the account, those of browsers too, but the one with this id.

        A deleted account has none.
        """
        with transaction.atomic():
            stored = User.objects.filter(pk=self.pk)
            if stored.update(sessions_ended=F("sessions_ended") + 1):
                end_sessions(OutstandingToken.objects.filter(user=self).exclude(jti=but))
                self.refresh_from_db(fields=["sessions_ended"])

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        digest = super()._get_session_auth_hash(secret)  # type: ignore[misc]  # stubs
        return f"{digest}.{self.sessions_ended}"

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self._password = ""

    # What Django's admin asks

    @property
    def is_staff(self) -> bool:
        return self.has_role(self.Role.LIBRARIAN)

    @property
    def is_superuser(self) -> bool:
        return self.has_role(self.Role.ADMIN)

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Whether the role includes a permission in Django's form, `books.change_edition`."""
        if perm in READ_BY_MEMBERS:
            return self.has_role(self.Role.MEMBER)
        if perm in READ_BY_LIBRARIANS:
            return self.has_role(self.Role.LIBRARIAN)
        app_label, _, codename = perm.partition(".")
        action, _, model = codename.partition("_")
        if app_label not in CATALOGUE_APPS or (action == "delete" and model in DELETED_BY_ADMINS):
            return self.has_role(self.Role.ADMIN)
        return self.has_role(self.Role.LIBRARIAN)

    def has_module_perms(self, app_label: str) -> bool:
        return self.has_perm(f"{app_label}.view")


# How long a client that has written reads from the primary, by the clock of that; and what a note
# of it may be old, so that of many writes in a row each second has one note.
READS_ITS_WRITES = timedelta(seconds=5)
NOTED_EACH = timedelta(seconds=1)


class Writer(models.Model):
    """A row of somebody's access to the API, which knows when it was last used to write.

    It does where there are standbys: these may not have yet what was written.
    """

    wrote_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


def note_write(writers: models.QuerySet[Writer]) -> None:
    """Note that these have written just now."""
    is_old = Q(wrote_at=None) | Q(wrote_at__lt=Now() - NOTED_EACH)
    writers.filter(is_old).update(wrote_at=Now())


class Session(Writer):
    """What the row of simplejwt does not know about a session: the device, its last refresh, and
    its last write."""

    token = models.OneToOneField(OutstandingToken, on_delete=models.CASCADE, primary_key=True)
    last_used_at = models.DateTimeField()
    user_agent = models.CharField(max_length=200, blank=True)
    device_name = NameField(
        max_length=100,
        blank=True,
        default="",
        help_text="What the user calls the device; empty as long as nobody has said.",
    )

    def __str__(self) -> str:
        return self.device_name or self.user_agent


def end_sessions(sessions: models.QuerySet[OutstandingToken]) -> None:
    """End these sessions: their tokens, access tokens too, are refused from the next request on."""
    going_on = sessions.filter(blacklistedtoken=None).values_list("pk", flat=True)
    BlacklistedToken.objects.bulk_create(
        [BlacklistedToken(token_id=pk) for pk in going_on], ignore_conflicts=True
    )


def forget_sessions(users: models.QuerySet[User]) -> None:
    """Delete these accounts' sessions, which simplejwt would keep, with the devices' names."""
    OutstandingToken.objects.filter(user__in=users.order_by().values("pk")).delete()


class MachineToken(Writer):
    """A key to the catalogue for a program, with the role that its owner has at the time.

    Only the digest of the token is stored: who reads the table can use none.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="machine_tokens")
    name = NameField(max_length=100, help_text="What it is for.")
    read_only = models.BooleanField(
        default=True, help_text="Whether it is refused with all methods that write."
    )
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="machine_token_once_per_name")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_just_written(self) -> bool:
        """As `machine_token` has found it, where there are standbys."""
        return bool(getattr(self, "wrote_just_now", False))

    def note_write(self) -> None:
        note_write(MachineToken.objects.filter(pk=self.pk))


class LoginRecord(models.Model):
    """A password that was given: at a login, or to confirm a change.

    What was typed is not kept, since it may have been the password. A failure without a user named
    no account.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    succeeded = models.BooleanField()
    address = models.CharField(max_length=100)
    request_id = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.user or '?'}"


class LoginAttempt(models.Model):
    """How often something was tried since `resets_at` was set, in seconds since 1970."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField()
    resets_at = models.FloatField(db_index=True)

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"
