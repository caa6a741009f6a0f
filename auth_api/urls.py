"""Below /api/."""

from django.urls import path
from rest_framework_simplejwt import views as simplejwt

from . import views

urlpatterns = [
    path("token/", views.Obtain.as_view()),
    path("token/refresh/", simplejwt.TokenRefreshView.as_view()),
    path("token/verify/", simplejwt.TokenVerifyView.as_view()),
    path("token/blacklist/", simplejwt.TokenBlacklistView.as_view()),
    path("me/", views.Me.as_view()),
]
