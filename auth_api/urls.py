"""Below /api/; /api/users/ and /api/sessions/ stand in project.router."""

from django.urls import path

from . import views

urlpatterns = [
    path("token/", views.ObtainView.as_view()),
    path("token/refresh/", views.RefreshView.as_view()),
    path("token/verify/", views.VerifyView.as_view()),
    path("token/blacklist/", views.LogoutView.as_view()),
    path("token/blacklist/all/", views.LogoutEverywhereView.as_view()),
    path("token/blacklist/others/", views.LogoutOthersView.as_view()),
    path(".well-known/jwks.json/", views.PublicKeysView.as_view()),
    path("me/", views.MeView.as_view()),
    path("me/password/", views.PasswordView.as_view()),
    path("me/delete/", views.DeletionView.as_view()),
    path(
        "me/tokens/",
        views.MachineTokenViewSet.as_view({"get": "list", "post": "create"}),
        name="machine-token-list",
    ),
    path(
        "me/tokens/<id:pk>/",
        views.MachineTokenViewSet.as_view({"delete": "destroy"}, detail=True),
        name="machine-token-detail",
    ),
]
