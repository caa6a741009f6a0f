"""Accounts, sessions and tokens as the API shows them."""

from collections.abc import Iterator
from datetime import timedelta

from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework_simplejwt import serializers as simplejwt

from project.api.fields import NameField, StrictCharField, StrictIntegerField, TimestampField
from project.api.models import Attrs, HandedOn
from project.api.problems import Fault, Refused, pointer
from project.api.serializers import StrictModelSerializer, StrictSerializer
from project.api.writing import transact

from .backends import LONGEST_IDENTIFIER
from .machine_tokens import MAX_TOKENS, digest_of, new_token
from .models import MachineToken, Session, User, keeping_an_admin, normalise
from .tokens import NoActiveAccount, RefreshToken, UntypedToken, session_of, user_of


class PasswordField(StrictCharField):
    """A password: never shown, and taken as it was typed, with the spaces at its ends."""

    def __init__(self, **kwargs: HandedOn) -> None:
        style = {"input_type": "password"}
        super().__init__(
            write_only=True, trim_whitespace=False, max_length=1000, style=style, **kwargs
        )


# AUTH_PASSWORD_VALIDATORS, in the contract's words
STRENGTH = (
    "At least 8 characters; not only digits, not a common password, and not similar to the "
    "username or the e-mail address."
)


def locked(user: User) -> User:
    """The account as it is stored now, for the rest of the transaction; 404 if it has gone."""
    return get_object_or_404(User.objects.select_for_update(), pk=user.pk)


def still_open(user: User) -> User | None:
    """The account, locked as `locked` does, if the password that has let `user` in still would.

    Whoever came in while the password was being changed, or the account switched off, waits here,
    and starts no session that would outlive that.
    """
    accounts = User.objects.select_for_update()
    return accounts.filter(pk=user.pk, password=user.password, is_active=True).first()


def check_current_password(request: Request, password: str | None) -> User:
    """The user who asks, if this is the password; a guess counts as a failed login."""
    if password is None:
        message = "Send the current password to change this."
        raise serializers.ValidationError({"current_password": [message]}, "required")
    name = request.user.username
    user = authenticate(request, username=name, password=password)
    if not isinstance(user, User):
        message = "This is not the current password."
        raise serializers.ValidationError({"current_password": [message]}, "wrong_password")
    return user


def check_strength(field: str, password: str, user: User) -> None:
    """Raise what AUTH_PASSWORD_VALIDATORS have against this password."""
    try:
        validate_password(password, user)
    except DjangoValidationError as error:
        raise serializers.ValidationError({field: error.messages}, "weak_password") from error


# Tokens


def user_agent(request: HttpRequest) -> str:
    return str(request.META.get("HTTP_USER_AGENT", "")).replace("\0", "")[:200]


class TokenObtainPairSerializer(StrictSerializer, simplejwt.TokenObtainPairSerializer):
    """A login, by `username` or `email`, and the pair of tokens that it gives."""

    email = StrictCharField(
        write_only=True, required=False, help_text="The e-mail address, instead of `username`."
    )
    device_name = NameField(
        write_only=True,
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="What the user calls the device, for the list of sessions.",
    )
    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"] = StrictCharField(
            write_only=True, required=False, help_text="The username or the e-mail address."
        )
        self.fields["password"] = PasswordField()

    def validate(self, attrs: Attrs) -> dict[str, str]:
        identifiers = {"username", "email"} & attrs.keys()
        if len(identifiers) != 1:
            message = "Send either `username` or `email`."
            raise serializers.ValidationError({"username": [message]}, "required")
        attrs["username"] = attrs.pop(identifiers.pop())
        self._device_name = attrs.pop("device_name", "")
        return super().validate(attrs)

    def get_token(self, user: User) -> RefreshToken:  # type: ignore[override]  # is called on self
        def start() -> RefreshToken:
            # As `still_open` does, with the statement that has to be sent anyway.
            account = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
            if not account.update(last_login=timezone.now()):
                raise NoActiveAccount
            agent = user_agent(self.context["request"])
            return RefreshToken.for_user(user, agent, self._device_name)

        # What judged the password has noted that by now, so the request cannot be made again.
        return transact(start)


class TokenRefreshSerializer(StrictSerializer):
    """A refresh token, and the pair of tokens that takes its place."""

    refresh = StrictCharField()
    access = serializers.CharField(read_only=True)

    def validate(self, attrs: Attrs) -> dict[str, str]:
        token = RefreshToken(attrs["refresh"])
        token.rotate()
        return {"access": str(token.access_token), "refresh": str(token)}


class TokenVerifySerializer(StrictSerializer):
    """A token to verify, of either kind."""

    token = StrictCharField(write_only=True)

    def validate(self, attrs: Attrs) -> dict[str, str]:
        user_of(UntypedToken(attrs["token"]))
        return {}


class TokenBlacklistSerializer(StrictSerializer):
    """The refresh token of the session to end."""

    refresh = StrictCharField(write_only=True)

    def validate(self, attrs: Attrs) -> dict[str, str]:
        token = RefreshToken(attrs["refresh"])
        user_of(token)
        token.end_session()
        return {}


class PasswordChangeSerializer(StrictSerializer):
    """The old password of an account and its new one, and the tokens to go on with."""

    current_password = PasswordField()
    new_password = PasswordField(help_text=STRENGTH)
    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)

    def validate(self, attrs: Attrs) -> dict[str, str]:
        request, password = self.context["request"], attrs["new_password"]
        confirmed = check_current_password(request, attrs["current_password"])

        def change() -> RefreshToken:
            if (user := still_open(confirmed)) is None:
                message = "This is not the current password."
                raise serializers.ValidationError({"current_password": [message]}, "wrong_password")
            check_strength("new_password", password, user)
            user.set_password(password)
            user.save(update_fields=["password"])
            return RefreshToken.for_user(user, user_agent(request))

        token = transact(change)
        return {"access": str(token.access_token), "refresh": str(token)}


class KeySerializer(serializers.Serializer[object]):
    """A public key, as a JSON Web Key (RFC 7517)."""

    kty = serializers.CharField()
    kid = serializers.CharField()
    alg = serializers.CharField()
    use = serializers.CharField()
    crv = serializers.CharField(required=False)
    x = serializers.CharField(required=False)
    y = serializers.CharField(required=False)
    n = serializers.CharField(required=False)
    e = serializers.CharField(required=False)


class KeySetSerializer(serializers.Serializer[object]):
    """The public keys that verify access tokens, as a JWK Set (RFC 7517, section 5)."""

    keys = KeySerializer(many=True)


# Accounts

STORED_FORMS = {"username": normalise, "email": User._meta.get_field("email").to_python}


class AccountSerializer(StrictModelSerializer):
    current_password = PasswordField(required=False)

    # What of one's own account nobody changes with a token alone, which may be stolen.
    confirmed_fields = frozenset({"email", "password"})

    def validate(self, attrs: Attrs) -> Attrs:
        current_password = attrs.pop("current_password", None)
        request = self.context["request"]
        if self.instance == request.user and any(
            name == "password" or attrs[name] != getattr(self.instance, name)
            for name in self.confirmed_fields & attrs.keys()
        ):
            check_current_password(request, current_password)
        return attrs

    def to_internal_value(self, data: object) -> object:
        """Judge a name and an address as they are stored, which is how a login looks for them."""
        if isinstance(data, dict):
            data = dict(data)
            for name, stored_form in STORED_FORMS.items():
                text = data.get(name)
                if isinstance(text, str) and len(text) <= LONGEST_IDENTIFIER:
                    data[name] = stored_form(text)
        return super().to_internal_value(data)

    def save(self, **kwargs: object) -> User:
        instance, save = self.instance, super().save

        def attempt() -> User:
            self.instance = instance
            user: User = save(**kwargs)
            return user

        try:
            user = transact(attempt)
        except IntegrityError:
            if taken := list(self._taken()):
                raise Refused(taken) from None
            raise
        return user

    def update(self, instance: User, validated_data: Attrs) -> User:
        user = locked(instance)
        for name, value in validated_data.items():
            if name == "password":
                user.set_password(value)
            else:
                setattr(user, name, value)
        # Nothing else: another request may be taking the role away.
        user.save(update_fields=validated_data)
        return user

    def _taken(self) -> Iterator[Fault]:
        others = User.objects.all()
        if self.instance is not None:
            others = others.exclude(pk=self.instance.pk)
        asking = self.context["request"].user
        for name, key, kind in [
            ("username", "username_key", "username"),
            ("email", "email", "e-mail address"),
        ]:
            taken = name in self.validated_data
            if taken and (holder := others.filter(**{key: self.validated_data[name]}).first()):
                existing_id = holder.pk if asking.is_superuser else None
                message = f"Another user has this {kind}."
                yield Fault("unique", message, pointer(name), existing_id=existing_id)


class MeSerializer(AccountSerializer):
    """One's own account."""

    current_password = PasswordField(required=False, help_text="Required for a new e-mail address.")

    class Meta:
        model = User
        fields = ["id", "username", "email", "role", "current_password"]
        # An admin's to give.
        read_only_fields = ["role"]


class DeletionSerializer(StrictSerializer):
    """The password of who deletes the own account."""

    current_password = PasswordField()

    def validate(self, attrs: Attrs) -> Attrs:
        check_current_password(self.context["request"], attrs["current_password"])
        return attrs


class UserSerializer(AccountSerializer):
    """An account, as an admin sees it."""

    password = PasswordField(required=False, help_text=f"Required for a new account. {STRENGTH}")
    current_password = PasswordField(
        required=False,
        help_text="Your own; required for a new password or e-mail address of your own account.",
    )

    class Meta:
        model = User
        fields = [
            *("id", "username", "email", "role", "is_active", "date_joined", "last_login"),
            *("password", "current_password"),
        ]
        read_only_fields = ["last_login"]

    def validate(self, attrs: Attrs) -> Attrs:
        attrs = super().validate(attrs)
        user = self.instance
        if user is None and "password" not in attrs:
            raise serializers.ValidationError({"password": ["This field is required."]}, "required")
        # So there is always an admin left.
        if user == self.context["request"].user and any(
            attrs.get(name, stored) != stored
            for name, stored in [("role", user.role), ("is_active", user.is_active)]
        ):
            raise exceptions.PermissionDenied("Only another admin may change this of your account.")
        if "password" in attrs:
            names = {name: attrs.get(name, getattr(user, name, "")) for name in STORED_FORMS}
            check_strength("password", attrs["password"], User(**names))
        return attrs

    def create(self, validated_data: Attrs) -> User:
        return User.objects.create_user(**validated_data)

    def update(self, instance: User, validated_data: dict[str, object]) -> User:
        # Before it locks the account: two admins who lock each other first would wait for ever.
        with keeping_an_admin():
            return super().update(instance, validated_data)


class SessionSerializer(StrictModelSerializer):
    """A device that is logged in."""

    id = serializers.CharField(
        source="token.jti", read_only=True, help_text="The `sid` of its tokens."
    )
    created_at = TimestampField(source="token.created_at", read_only=True)
    last_used_at = TimestampField(
        read_only=True, help_text="When it was last given tokens, by a login or a refresh, in UTC."
    )
    current = serializers.SerializerMethodField(help_text="Whether it is the one that asks.")

    class Meta:
        model = Session
        fields = ["id", "created_at", "last_used_at", "user_agent", "device_name", "current"]
        read_only_fields = ["user_agent"]

    def update(self, instance: Session, validated_data: Attrs) -> Session:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        # Nothing else: a refresh may be setting the time of its last use.
        instance.save(update_fields=validated_data)
        return instance

    def get_current(self, session: Session) -> bool:
        return session.token.jti == session_of(self.context["request"])


# Machine tokens


class TooManyTokens(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = f"An account has at most {MAX_TOKENS} machine tokens. Delete one first."
    default_code = "too_many"


class MachineTokenSerializer(StrictModelSerializer):
    """A machine token, without the token itself."""

    class Meta:
        model = MachineToken
        fields = ["id", "name", "read_only", "created_at", "expires_at"]
        read_only_fields = ["created_at", "expires_at"]


class MachineTokenCreateSerializer(MachineTokenSerializer):
    """A machine token as it is made: the only time that the token itself is shown."""

    name = NameField(max_length=100, help_text="What it is for.")
    expires_in = StrictIntegerField(
        write_only=True,
        default=90,
        min_value=1,
        max_value=365,
        help_text="In days; 90 unless said.",
    )
    current_password = PasswordField()
    token = serializers.CharField(read_only=True, help_text="Shown this once. Send it as Bearer.")

    class Meta(MachineTokenSerializer.Meta):
        fields = [*MachineTokenSerializer.Meta.fields, "expires_in", "current_password", "token"]

    def validate(self, attrs: Attrs) -> Attrs:
        self._user = check_current_password(self.context["request"], attrs.pop("current_password"))
        return attrs

    def create(self, validated_data: Attrs) -> MachineToken:
        days, text = validated_data.pop("expires_in"), new_token()

        def store() -> MachineToken:
            if (user := still_open(self._user)) is None:
                raise NoActiveAccount
            tokens, now = MachineToken.objects.filter(user=user), timezone.now()
            tokens.filter(expires_at__lte=now).delete()
            if same := tokens.filter(name=validated_data["name"]).first():
                message = "Another of your tokens has this name."
                raise Refused([Fault("unique", message, "/name", existing_id=same.pk)])
            if tokens.count() >= MAX_TOKENS:
                raise TooManyTokens
            return MachineToken.objects.create(
                user=user,
                digest=digest_of(text),
                created_at=now,
                expires_at=now + timedelta(days=days),
                **validated_data,
            )

        token = transact(store)
        token.token = text  # type: ignore[attr-defined]  # for this answer alone
        return token
