"""Tokens, sessions and accounts."""

from collections.abc import Callable, Collection
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions, generics, mixins, viewsets
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.views import TokenViewBase

from project.api.lists.parameters import StrictQueryParameters

from . import serializers
from .keys import key_ring
from .models import Session, User, end_sessions
from .permissions import AdminsOnly

# What is written before a refusal stays written, with ATOMIC_REQUESTS too: a session that ends
# because its token was stolen, and the count of failed logins.
outside_of_transactions = method_decorator(transaction.non_atomic_requests, name="dispatch")
# RFC 6749, section 5.1
never_stored = method_decorator(cache_control(no_store=True), name="dispatch")


def described(name: str, summary: str, tag: str, **more: Any) -> Callable[[Any], Any]:
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
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="logOutEverywhere",
        summary="Log out everywhere",
        tags=["tokens"],
        request=None,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        """Ends all sessions of the account, this one too, and those of browsers."""
        request.user.end_sessions()  # type: ignore[union-attr]  # IsAuthenticated
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
    """One's own account.

    Only an admin can change the role. To change the e-mail address, send `current_password` too.
    """

    queryset = User.objects.all()
    serializer_class = serializers.MeSerializer
    permission_classes = [IsAuthenticated]
    http_method_names = ["get", "head", "options", "patch"]

    @property
    def problem_statuses(self) -> Collection[int]:
        """For the contract: a wrong current password counts as a failure."""
        return {429} if self.request.method == "PATCH" else ()

    def get_object(self) -> User:
        return self.request.user  # type: ignore[return-value]  # IsAuthenticated


@described("changePassword", "Change the password", "accounts")
@outside_of_transactions
@never_stored
class PasswordView(StrictQueryParameters, generics.GenericAPIView[User]):
    serializer_class = serializers.PasswordChangeSerializer
    problem_statuses = {429}
    permission_classes = [IsAuthenticated]

    def post(self, request: Request) -> Response:
        """Takes the current password and a new one. All sessions end; the answer starts one."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data)


@extend_schema(tags=["accounts"])
@outside_of_transactions
class UserViewSet(StrictQueryParameters, viewsets.ModelViewSet[User]):
    """All accounts.

    Only another admin can change an admin's role, switch an admin off or delete the account.
    """

    queryset = User.objects.order_by("id")
    serializer_class = serializers.UserSerializer
    permission_classes = [AdminsOnly]
    lookup_value_converter = "id"

    @property
    def problem_statuses(self) -> Collection[int]:
        """For the contract: the last admin stays; a wrong current password counts as a failure."""
        return {"destroy": {409}, "update": {429}, "partial_update": {429}}.get(self.action, ())

    def get_success_headers(self, data: Any) -> dict[str, str]:
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
    permission_classes = [IsAuthenticated]
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

    def perform_destroy(self, instance: Session) -> None:
        end_sessions(OutstandingToken.objects.filter(session=instance))
