"""Tokens, sessions and accounts."""

from collections.abc import Callable, Collection, Mapping

from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_control
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions, generics, mixins, viewsets
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.views import TokenViewBase

from project.api.filters import StrictFilterBackend
from project.api.models import HandedOn
from project.api.viewsets import StrictQueryParameters
from project.api.writing import transact

from . import serializers
from .filters import UserFilter
from .keys import key_ring
from .models import MachineToken, Session, User, end_sessions
from .permissions import AdminsOnly, InPerson
from .tokens import session_of

# What is written before a refusal stays written, with ATOMIC_REQUESTS too: a session that ends
# because its token was stolen, and the count of failed logins.
outside_of_transactions = method_decorator(transaction.non_atomic_requests, name="dispatch")


def never_stored(view_class: type[View]) -> type[View]:
    """Say of a view that nobody may keep what it answers (RFC 6749, section 5.1)."""
    view_class.never_stored = True  # type: ignore[attr-defined]
    return method_decorator(cache_control(no_store=True), name="dispatch")(view_class)


def described(
    name: str, summary: str, tag: str, **more: HandedOn
) -> Callable[[type[View]], type[View]]:
    """Say in the schema what the POST of this view is called."""
    operation = extend_schema(operation_id=name, summary=summary, tags=[tag], **more)
    return extend_schema_view(post=operation)


@outside_of_transactions
@never_stored
class TokenView(StrictQueryParameters, TokenViewBase):
    # For the contract: what it answers beside what its kind of view does.
    problem_statuses: Collection[int] = {401}


@described("obtainTokens", "Log in", "tokens")
class ObtainView(TokenView):
    """Takes a username or an e-mail address with the password, and starts a session.

    Send the `access` token with each request, as `Authorization: Bearer …`; it is good for 5
    minutes. Before it ends, exchange the `refresh` token at `/api/token/refresh/`.

    After five failures in a minute for the same name from the same address, or sixty from the same
    address, the answer is 429; `Retry-After` says when to try again.
    """

    serializer_class = serializers.TokenObtainPairSerializer
    problem_statuses = {401, 429}


@described("refreshTokens", "Exchange a refresh token", "tokens")
class RefreshView(TokenView):
    """Takes a refresh token and gives a new pair. The token that was sent is used up.

    If the answer gets lost, send the same token again: for ten seconds, and until the new refresh
    token is used, the answer is the same pair. Each 401 says to log in again: `token_reused` that
    two parties had the token, `token_not_valid` that the session has ended, `no_active_account`
    that the account is gone or switched off.
    """

    serializer_class = serializers.TokenRefreshSerializer


@described("verifyToken", "Check a token", "tokens", responses=OpenApiTypes.OBJECT)
class VerifyView(TokenView):
    """Takes a token of either kind: 200 if it would be accepted now, 401 otherwise."""

    serializer_class = serializers.TokenVerifySerializer


@described("logOut", "Log out", "tokens", responses=OpenApiTypes.OBJECT)
class LogoutView(TokenView):
    """Takes a refresh token and ends its session: its access tokens are refused at once.

    Other devices stay logged in.
    """

    serializer_class = serializers.TokenBlacklistSerializer


class LogoutEverywhereView(StrictQueryParameters, APIView):
    permission_classes = [InPerson]

    @extend_schema(
        operation_id="logOutEverywhere",
        summary="Log out everywhere",
        tags=["tokens"],
        request=None,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        """Ends all sessions of the account, this one too, and those of browsers."""
        request.user.end_sessions()  # type: ignore[union-attr]  # InPerson
        return Response(status=204)


class LogoutOthersView(StrictQueryParameters, APIView):
    permission_classes = [InPerson]

    @extend_schema(
        operation_id="logOutOtherDevices",
        summary="Log out the other devices",
        tags=["tokens"],
        request=None,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        """Ends all other sessions of the account, and those of other browsers."""
        user: User = request.user  # type: ignore[assignment]  # InPerson
        user.end_sessions(but=session_of(request))
        if request.auth is None:
            # It was asked with the cookie of a browser, which stays.
            update_session_auth_hash(request._request, user)
        return Response(status=204)


class PublicKeysView(StrictQueryParameters, APIView):
    permission_classes = [AllowAny]
    authentication_classes = []

    @extend_schema(
        operation_id="getPublicKeys",
        summary="Keys to verify tokens with",
        tags=["tokens"],
        responses=serializers.KeySetSerializer,
    )
    @method_decorator(cache_control(public=True, max_age=300))
    def get(self, request: Request) -> Response:
        """Gives the public halves of the keys, as a JSON Web Key Set (RFC 7517).

        The set is empty while tokens are signed with a shared secret, which is never shown.
        """
        return Response({"keys": key_ring().public_keys})


@extend_schema(tags=["accounts"])
@extend_schema_view(
    get=extend_schema(summary="Get one's own account"),
    patch=extend_schema(summary="Update one's own account"),
)
@outside_of_transactions
class MeView(StrictQueryParameters, generics.RetrieveUpdateAPIView[User]):
    """One's own account."""

    queryset = User.objects.all()
    serializer_class = serializers.MeSerializer
    permission_classes = [InPerson]
    http_method_names = ["get", "head", "options", "patch"]

    @property
    def problem_statuses(self) -> Collection[int]:
        """For the contract: a wrong current password counts as a failure."""
        return {429} if self.request.method == "PATCH" else ()

    def get_object(self) -> User:
        return self.request.user  # type: ignore[return-value]  # InPerson

    def patch(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Changes the properties of one's own account that are in the body.

        Only an admin can change the role. To change the e-mail address, send `current_password`
        too.
        """
        return super().patch(request, *args, **kwargs)


@described("changePassword", "Change the password", "accounts")
@outside_of_transactions
@never_stored
class PasswordView(StrictQueryParameters, generics.GenericAPIView[User]):
    serializer_class = serializers.PasswordChangeSerializer
    problem_statuses = {429}
    permission_classes = [InPerson]

    def post(self, request: Request) -> Response:
        """Takes the current password and a new one. All sessions end; the answer starts one."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data)


@described("deleteMe", "Delete one's own account", "accounts", responses={204: None})
@outside_of_transactions
class DeletionView(StrictQueryParameters, generics.GenericAPIView[User]):
    serializer_class = serializers.DeletionSerializer
    problem_statuses = {409, 429}
    permission_classes = [InPerson]

    def post(self, request: Request) -> Response:
        """Takes the current password and deletes the account for good.

        Its sessions and machine tokens end with it. The last active admin cannot go: 409
        `last_admin`.
        """
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user: User = request.user  # type: ignore[assignment]  # InPerson
        transact(User.objects.filter(pk=user.pk).delete)
        return Response(status=204)


@extend_schema(tags=["accounts"])
@extend_schema_view(
    list=extend_schema(operation_id="listMachineTokens", summary="List one's machine tokens"),
    create=extend_schema(operation_id="createMachineToken", summary="Create a machine token"),
    destroy=extend_schema(operation_id="deleteMachineToken", summary="Delete a machine token"),
)
@outside_of_transactions
@never_stored
class MachineTokenViewSet(
    StrictQueryParameters,
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[MachineToken],
):
    """Keys to the catalogue for programs, at most 20 of one account.

    A machine token is sent as `Authorization: Bearer …`. It has the role of its owner, and is never
    good for accounts, sessions and tokens: 403 `machine_token`. It ends when the password changes.
    """

    queryset = MachineToken.objects.order_by("id")
    permission_classes = [InPerson]
    lookup_value_converter = "id"

    @property
    def problem_statuses(self) -> Collection[int]:
        """For the contract: the limits on names, tokens and guesses."""
        return {409, 429} if self.action == "create" else ()

    def get_serializer_class(self) -> type[BaseSerializer[MachineToken]]:
        if self.action == "create":
            return serializers.MachineTokenCreateSerializer
        return serializers.MachineTokenSerializer

    def get_queryset(self) -> QuerySet[MachineToken]:
        return super().get_queryset().filter(user=self.request.user.pk)

    def get_success_headers(self, data: Mapping[str, object]) -> dict[str, str]:
        url = reverse("machine-token-detail", args=[data["id"]])
        return {"Location": self.request.build_absolute_uri(url)}


@extend_schema(tags=["accounts"])
@outside_of_transactions
class UserViewSet(StrictQueryParameters, viewsets.ModelViewSet[User]):
    """All accounts.

    Only another admin can change an admin's role, switch an admin off or delete the account.
    """

    queryset = User.objects.order_by("id")
    serializer_class = serializers.UserSerializer
    filter_backends = [StrictFilterBackend]
    filterset_class = UserFilter
    permission_classes = [AdminsOnly]
    lookup_value_converter = "id"

    @property
    def problem_statuses(self) -> Collection[int]:
        """For the contract: a wrong current password counts as a failure."""
        return {429} if self.action in ("update", "partial_update") else ()

    def get_success_headers(self, data: Mapping[str, object]) -> dict[str, str]:
        url = reverse("user-detail", args=[data["id"]])
        return {"Location": self.request.build_absolute_uri(url)}

    def perform_destroy(self, instance: User) -> None:
        if instance == self.request.user:
            raise exceptions.PermissionDenied("Only another admin may delete your account.")
        instance.delete()


@extend_schema(tags=["accounts"])
class SessionViewSet(
    StrictQueryParameters,
    mixins.ListModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Session],
):
    """The sessions of one's own account, one for each login that has not ended, oldest first.

    Deleting a session logs its device out.
    """

    queryset = Session.objects.select_related("token").order_by("token_id")
    serializer_class = serializers.SessionSerializer
    permission_classes = [InPerson]
    lookup_field = "token__jti"
    lookup_url_kwarg = "sid"
    lookup_value_converter = "slug"

    def get_queryset(self) -> QuerySet[Session]:
        return (
            super()
            .get_queryset()
            .filter(
                token__user=self.request.user.pk,
                token__blacklistedtoken=None,
                token__expires_at__gt=timezone.now(),
            )
        )

    def partial_update(self, request: Request, *args: object, **kwargs: object) -> Response:
        serializer = self.get_serializer(self.get_object(), data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    def perform_destroy(self, instance: Session) -> None:
        end_sessions(OutstandingToken.objects.filter(session=instance))
