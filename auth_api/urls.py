"""Below /api/; /api/users/ and /api/sessions/ stand in project.router."""

from django.urls import path

from . import views

urlpatterns = [
    path("token/", views.Obtain.as_view()),
    path("token/refresh/", views.Refresh.as_view()),
    path("token/verify/", views.Verify.as_view()),
    path("token/blacklist/", views.Logout.as_view()),
    path("token/blacklist/all/", views.LogoutEverywhere.as_view()),
    path(".well-known/jwks.json/", views.PublicKeys.as_view()),
    path("me/", views.Me.as_view()),
    path("me/password/", views.Password.as_view()),
]
