"""Tokens and accounts."""

from typing import Any

from rest_framework import exceptions, generics, viewsets
from rest_framework.permissions import IsAuthenticated
from rest_framework_simplejwt.views import TokenObtainPairView

from .models import User
from .permissions import AdminsOnly
from .serializers import MeSerializer, ObtainSerializer, UserSerializer


class Obtain(TokenObtainPairView):
    """Log in: a username or an e-mail address, and the password, for a pair of tokens."""

    serializer_class = ObtainSerializer


class Me(generics.RetrieveUpdateAPIView[User]):
    """One's own account."""

    queryset = User.objects.all()
    serializer_class = MeSerializer
    permission_classes = [IsAuthenticated]
    http_method_names = ["get", "patch", "head", "options"]

    def get_object(self) -> User:
        return self.request.user  # type: ignore[return-value]  # IsAuthenticated


class UserViewSet(viewsets.ModelViewSet[User]):
    """Accounts, for admins: create them, give them a role, switch them off."""

    queryset = User.objects.order_by("id")
    serializer_class = UserSerializer
    permission_classes = [AdminsOnly]
    lookup_value_converter = "id"

    def perform_destroy(self, instance: Any) -> None:
        if instance == self.request.user:
            raise exceptions.PermissionDenied("Another admin has to delete this account.")
        instance.delete()
