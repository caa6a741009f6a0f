from django.urls import include, path
from rest_framework.routers import SimpleRouter

from project.urls import urlpatterns as project

from .peers.ninja import api
from .peers.plain_drf import PlainBookViewSet

router = SimpleRouter(use_regex_path=False)
router.register("books", PlainBookViewSet, "plain-book")

urlpatterns = [
    path("plain-drf/", include(router.urls)),
    path("ninja/", api.urls),
    # On the level that they have by themselves
    *project,
]
