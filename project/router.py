"""The whole map of the catalogue's URLs, each line under the URL it makes."""

from django.urls import path
from rest_framework.routers import DefaultRouter
from rest_framework_nested.routers import NestedSimpleRouter

from auth_api.views import SessionViewSet, UserViewSet
from authors.views import AuthorViewSet
from books import views as books
from project.api.changes.views import ChangeViewSet, HistoryViewSet, RestoreViewSet
from project.api.links import links
from schema.views import RootView

# /  with the URLs of all lists
router = DefaultRouter(use_regex_path=False)
router.APIRootView = RootView
router.include_format_suffixes = False


def below(parent: str, lookup: str) -> NestedSimpleRouter:
    """The router for what lies under /{parent}/{lookup_id}/."""
    return NestedSimpleRouter(router, parent, lookup=lookup, use_regex_path=False)


# /authors/  /authors/{id}/
router.register("authors", AuthorViewSet, "author")
author = below("authors", "author")
# /authors/{author_id}/books/  …/{id}/
author.register("books", books.AuthorBookViewSet, "author-book")

# /books/  /books/{id}/
router.register("books", books.BookViewSet, "book")
book = below("books", "book")
# /books/{book_id}/contributions/  …/{id}/
book.register("contributions", books.BookContributionViewSet, "book-contribution")
# /books/{book_id}/editions/  …/{id}/
book.register("editions", books.BookEditionViewSet, "book-edition")

# /books/{book_id}/subjects/{id}/
book.register("subjects", links(books.BookViewSet, "subjects"), "book-subject")

# /editions/{id}/cover/
router.register("editions", books.CoverViewSet, "edition")
edition = below("editions", "edition")
# /editions/{edition_id}/identifiers/  …/{id}/
edition.register("identifiers", books.EditionIdentifierViewSet, "edition-identifier")

# /series/  /series/{id}/
router.register("series", books.SeriesViewSet, "series")
series = below("series", "series")
# /series/{series_id}/books/  …/{id}/
series.register("books", books.SeriesBookViewSet, "series-book")

# /publishers/  /publishers/{id}/
router.register("publishers", books.PublisherViewSet, "publisher")
publisher = below("publishers", "publisher")
# /publishers/{publisher_id}/editions/  …/{id}/
publisher.register("editions", books.PublisherEditionViewSet, "publisher-edition")

# /subjects/  /subjects/{id}/
router.register("subjects", books.SubjectViewSet, "subject")
subject = below("subjects", "subject")
# /subjects/{subject_id}/books/  …/{id}/
subject.register("books", books.SubjectBookViewSet, "subject-book")

# /changes/
router.register("changes", ChangeViewSet, "change")

# /users/  /users/{id}/
router.register("users", UserViewSet, "user")
# /sessions/  /sessions/{sid}/
router.register("sessions", SessionViewSet, "session")

urlpatterns = [
    *(
        url
        for each in (router, author, book, edition, series, publisher, subject)
        for url in each.urls
    ),
    # Below whatever is an aggregate root
    path("<slug:kind>/<id:pk>/history/", HistoryViewSet.as_view({"get": "list"})),
    path("<slug:kind>/<id:pk>/restore/", RestoreViewSet.as_view({"post": "restore"})),
]
