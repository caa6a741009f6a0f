"""Accounts and tokens as the API shows them."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import exceptions, serializers
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer
from rest_framework_simplejwt.tokens import Token

from project.api.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictEmailField,
)

from .models import User


class PasswordField(StrictCharField):
    """A password: never shown, and taken as it was typed, spaces at its ends included."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{
                "write_only": True,
                "trim_whitespace": False,
                "max_length": 1000,
                "style": {"input_type": "password"},
                **kwargs,
            }
        )


def checked(password: str, user: User | None = None) -> str:
    """The password, unless it breaks a rule of AUTH_PASSWORD_VALIDATORS."""
    try:
        validate_password(password, user)
    except DjangoValidationError as error:
        raise serializers.ValidationError(error.messages, "weak_password") from error
    return password


class KnownProperties(serializers.Serializer[Any]):
    """Refuses a property that no field has."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            raise serializers.ValidationError(
                {name: ["There is no such property."] for name in unknown}, "unknown_property"
            )
        return super().to_internal_value(data)


class ObtainSerializer(KnownProperties, TokenObtainPairSerializer):
    """Log in with a username or an e-mail address."""

    email = StrictCharField(write_only=True, required=False, max_length=254)
    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"] = StrictCharField(
            write_only=True,
            required=False,
            max_length=254,
            help_text="The username, or the e-mail address. Or send `email` instead.",
        )
        self.fields["password"] = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        identifiers = {"username", "email"} & attrs.keys()
        if len(identifiers) != 1:
            message = "Send a `username` or an `email`, one of the two."
            raise serializers.ValidationError({"username": [message]}, "required")
        attrs["username"] = attrs.pop(identifiers.pop())
        return super().validate(attrs)

    @classmethod
    def get_token(cls, user: Any) -> Token:
        token = super().get_token(user)
        token["username"], token["role"] = user.username, user.role
        return token


class MeSerializer(KnownProperties, serializers.ModelSerializer[User]):
    """One's own account. The role is an admin's to give."""

    email = StrictEmailField(max_length=254)

    class Meta:
        model = User
        fields = ["id", "username", "email", "role"]
        read_only_fields = ["role"]


class UserSerializer(KnownProperties, serializers.ModelSerializer[User]):
    """An account as an admin sees it."""

    email = StrictEmailField(max_length=254)
    role = StrictChoiceField(User.Role.choices, required=False)
    is_active = StrictBooleanField(required=False)
    password = PasswordField(required=False, help_text="Required for a new account.")

    class Meta:
        model = User
        fields = ["id", "username", "email", "role", "is_active", "date_joined", "password"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        user = self.instance
        if user is None and "password" not in attrs:
            raise serializers.ValidationError({"password": ["This field is required."]}, "required")
        if user is not None and user == self.context["request"].user:
            for name in {"role", "is_active"} & attrs.keys():
                if attrs[name] != getattr(user, name):
                    raise exceptions.PermissionDenied("Another admin has to change this account.")
        if password := attrs.get("password"):
            attrs["password"] = checked(password, user)
        return attrs

    def create(self, validated_data: dict[str, Any]) -> User:
        return User.objects.create_user(**validated_data)

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        if password := validated_data.pop("password", None):
            instance.set_password(password)
        return super().update(instance, validated_data)
