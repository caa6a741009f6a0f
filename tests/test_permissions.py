"""Who may do what? One row for each route and method, one column for each role."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.urls import URLResolver, get_resolver
from rest_framework.test import APIClient

from auth_api.models import User
from auth_api.tokens import RefreshToken
from authors.models import Author
from books.models import Book, Contribution, Edition, Publisher, Series, Subject
from tests.pictures import plain

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
ROLES = ["anonymous", "member", "librarian", "admin"]


def row(anonymous, member, librarian, admin):
    return anonymous, member, librarian, admin


def read(*statuses):
    return {method: row(*statuses) for method in ("GET", "HEAD", "OPTIONS")}


EVERYONE = read(200, 200, 200, 200)
PAGE = {method: row(200, 200, 200, 200) for method in ("GET", "HEAD")}
MEMBERS = read(401, 200, 200, 200)
LIST = {**EVERYONE, "POST": row(401, 403, 201, 201)}
DETAIL = {
    **EVERYONE,
    "PUT": row(401, 403, 200, 200),
    "PATCH": row(401, 403, 200, 200),
    "DELETE": row(401, 403, 204, 204),
}
# Shared by many books: only an admin deletes it.
SHARED = {**DETAIL, "DELETE": row(401, 403, 403, 204)}
# Of two objects that are both there
LINK = {
    "OPTIONS": row(200, 200, 200, 200),
    "PUT": row(401, 403, 204, 204),
    "DELETE": row(401, 403, 204, 204),
}
MERGE = {"OPTIONS": row(401, 403, 403, 200), "POST": row(401, 403, 403, 200)}
BULK = {"OPTIONS": row(200, 200, 200, 200), "POST": row(401, 403, 200, 200)}
# The body of a token endpoint says who is asking. These send none.
ANYONE_POSTS = {"OPTIONS": row(200, 200, 200, 200), "POST": row(400, 400, 400, 400)}

# Whose objects are looked up before it is known who may write them.
JUDGED_BY_OBJECT = set()

MATRIX = {
    "": EVERYONE,
    "guides/<slug:name>/": EVERYONE,
    # Forms, which a wrong answer shows again.
    "session/login/": {**EVERYONE, "POST": row(200, 200, 200, 200), "PUT": row(200, 200, 200, 200)},
    "session/logout/": {"OPTIONS": row(200, 200, 200, 200), "POST": row(302, 302, 302, 302)},
    "api/": EVERYONE,
    "livez": {"GET": row(200, 200, 200, 200), "OPTIONS": row(200, 200, 200, 200)},
    "readyz": {"GET": row(200, 200, 200, 200), "OPTIONS": row(200, 200, 200, 200)},
    "api/token/": ANYONE_POSTS,
    "api/token/refresh/": ANYONE_POSTS,
    "api/token/verify/": ANYONE_POSTS,
    "api/token/blacklist/": ANYONE_POSTS,
    "api/token/blacklist/all/": {
        "OPTIONS": row(401, 200, 200, 200),
        "POST": row(401, 204, 204, 204),
    },
    "api/token/blacklist/others/": {
        "OPTIONS": row(401, 200, 200, 200),
        "POST": row(401, 204, 204, 204),
    },
    "api/.well-known/jwks.json/": EVERYONE,
    "api/me/": {**MEMBERS, "PATCH": row(401, 200, 200, 200)},
    "api/me/password/": {"OPTIONS": row(401, 200, 200, 200), "POST": row(401, 400, 400, 400)},
    "api/me/delete/": {"OPTIONS": row(401, 200, 200, 200), "POST": row(401, 400, 400, 400)},
    "api/me/tokens/": {**MEMBERS, "POST": row(401, 400, 400, 400)},
    "api/me/tokens/<id:pk>/": {
        "OPTIONS": row(401, 200, 200, 200),
        "DELETE": row(401, 404, 404, 404),
    },
    "api/changes/": MEMBERS,
    "api/<slug:kind>/<id:pk>/history/": read(401, 403, 200, 200),
    # This one exists.
    "api/<slug:kind>/<id:pk>/restore/": {
        "OPTIONS": row(401, 403, 403, 200),
        "POST": row(401, 403, 403, 409),
    },
    "api/sessions/": MEMBERS,
    "api/sessions/<slug:sid>/": {
        "OPTIONS": row(401, 200, 200, 200),
        "PATCH": row(401, 200, 200, 200),
        "DELETE": row(401, 204, 204, 204),
    },
    "api/users/": {**read(401, 403, 403, 200), "POST": row(401, 403, 403, 201)},
    "api/users/<id:pk>/": {
        **read(401, 403, 403, 200),
        "PUT": row(401, 403, 403, 200),
        "PATCH": row(401, 403, 403, 200),
        "DELETE": row(401, 403, 403, 204),
    },
    "api/schema/": EVERYONE,
    "api/docs/": PAGE,
    "api/redoc/": PAGE,
    "api/authors/": LIST,
    "api/authors/bulk/": BULK,
    "api/authors/<id:pk>/": SHARED,
    "api/authors/<id:pk>/merge/": MERGE,
    "api/authors/<id:author_pk>/books/": LIST,
    "api/authors/<id:author_pk>/books/<id:pk>/": DETAIL,
    "api/books/": LIST,
    "api/books/bulk/": BULK,
    "api/books/<id:pk>/": DETAIL,
    "api/books/<id:book_pk>/contributions/": LIST,
    "api/books/<id:book_pk>/contributions/<id:pk>/": DETAIL,
    "api/books/<id:book_pk>/editions/": LIST,
    "api/books/<id:book_pk>/editions/<id:pk>/": DETAIL,
    "api/books/<id:book_pk>/subjects/<id:pk>/": LINK,
    "api/editions/<id:edition_pk>/identifiers/": LIST,
    "api/editions/<id:edition_pk>/identifiers/<id:pk>/": DETAIL,
    "api/editions/<id:pk>/cover/": {
        "OPTIONS": row(200, 200, 200, 200),
        "PUT": row(401, 403, 200, 200),
        "DELETE": row(401, 403, 204, 204),
    },
    "api/series/": LIST,
    "api/series/bulk/": BULK,
    "api/series/<id:pk>/": SHARED,
    "api/series/<id:pk>/merge/": MERGE,
    "api/series/<id:series_pk>/books/": LIST,
    "api/series/<id:series_pk>/books/<id:pk>/": DETAIL,
    "api/publishers/": LIST,
    "api/publishers/bulk/": BULK,
    "api/publishers/<id:pk>/": SHARED,
    "api/publishers/<id:pk>/merge/": MERGE,
    "api/publishers/<id:publisher_pk>/editions/": LIST,
    "api/publishers/<id:publisher_pk>/editions/<id:pk>/": DETAIL,
    "api/subjects/": LIST,
    "api/subjects/bulk/": BULK,
    "api/subjects/<id:pk>/": SHARED,
    "api/subjects/<id:pk>/merge/": MERGE,
    "api/subjects/<id:subject_pk>/books/": LIST,
    "api/subjects/<id:subject_pk>/books/<id:pk>/": DETAIL,
    # What no route knows.
    "^api/": {method: row(404, 404, 404, 404) for method in METHODS},
}


def routes(patterns, above=""):
    """Every route of the project with its view, as the URL resolver knows them."""
    for pattern in patterns:
        route = above + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route, pattern.callback


def methods_of(view):
    if actions := getattr(view, "actions", None):
        return {method.upper() for method in actions} | ({"HEAD"} if "get" in actions else set())
    of = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if of is None:
        return set(METHODS)
    offered = {m for m in METHODS if m.lower() in of.http_method_names and hasattr(of, m.lower())}
    return offered | ({"HEAD"} if "GET" in offered else set())


ROUTES = dict(routes(get_resolver().url_patterns))
API = {route: view for route, view in ROUTES.items() if not route.startswith("admin/")}


def test_every_route_and_method_has_a_row():
    missing = {
        (route, method)
        for route, view in API.items()
        for method in methods_of(view) - {"HEAD", "OPTIONS"}
        if method not in MATRIX.get(route, {})
    }
    assert not missing, f"Say in {__name__}.MATRIX who may do this: {sorted(missing)}"
    assert MATRIX.keys() == API.keys()


@pytest.fixture
def stored(db):
    """One of everything, as the arguments of the routes name it."""
    author, series = Author.objects.create(name="A"), Series.objects.create(name="S")
    subject, publisher = Subject.objects.create(name="S"), Publisher.objects.create(name="P")
    book = Book.objects.create(title="B", series=series)
    book.subjects.add(subject)
    contribution = Contribution.objects.create(book=book, author=author, position=0)
    edition = Edition.objects.create(book=book, publisher=publisher)
    loose = {
        "authors": Author.objects.create(name="Nobody's"),
        "series": Series.objects.create(name="Empty"),
        "publishers": Publisher.objects.create(name="Idle"),
        "subjects": Subject.objects.create(name="Unread"),
    }
    return {
        "author_pk": author.pk,
        "series_pk": series.pk,
        "subject_pk": subject.pk,
        "publisher_pk": publisher.pk,
        "book_pk": book.pk,
        "books": book.pk,
        "contributions": contribution.pk,
        "edition_pk": edition.pk,
        "identifiers": edition.identifiers.create(scheme="oclc", value="1").pk,
        "editions": edition.pk,
        **{collection: one.pk for collection, one in loose.items()},
    }


@pytest.fixture
def clients(db):
    clients = {"anonymous": APIClient()}
    for role in User.Role.values:
        clients[role] = client = APIClient()
        client.user = User.objects.create_user(role, f"{role}@example.org", "x", role=role)
        token = RefreshToken.for_user(client.user)
        client.sid = token["sid"]
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token.access_token}")
    return clients


def url_of(route, stored, client):
    parts = []
    for part in route.replace("^api/", "api/nothing/").split("/"):
        if part == "<id:pk>":
            part = str(stored[parts[-1]])
        elif part == "<slug:kind>":
            part = "books"
        elif part == "<slug:name>":
            part = "auth"
        elif part == "<slug:sid>":
            part = getattr(client, "sid", "0")
        elif part.startswith("<id:"):
            part = str(stored[part[4:-1]])
        parts.append(part)
    return "/" + "/".join(parts)


NEW_USER = {"username": "new", "email": "new@example.org", "password": "correct horse battery"}
BODIES = {
    "authors": {"name": "New"},
    "series": {"name": "New"},
    "subjects": {"name": "New"},
    "publishers": {"name": "New"},
    "books": {"title": "New"},
    "identifiers": {"scheme": "oclc", "value": "2"},
    "users": NEW_USER,
    "bulk": {},
}
# What is merged goes into the one with books.
SURVIVORS = {
    "authors": "author_pk",
    "series": "series_pk",
    "publishers": "publisher_pk",
    "subjects": "subject_pk",
}


def body_of(route, method, stored):
    collection = route.rstrip("/").removesuffix("/<id:pk>").rpartition("/")[2]
    if collection == "cover" and method == "PUT":
        return {"file": SimpleUploadedFile("cover.jpg", plain())}
    if collection == "merge":
        return {"into": stored[SURVIVORS[route.split("/")[1]]]}
    if method == "PATCH":
        return {}
    if method not in ("POST", "PUT") or MATRIX[route] is LINK:
        return None
    if collection == "contributions":
        role = "editor" if method == "POST" else "author"
        return {"author_id": stored["author_pk"], "role": role}
    if collection == "editions":
        return {"book_id": stored["book_pk"]}
    return BODIES.get(collection)


CASES = [(route, method) for route, rows in MATRIX.items() for method in rows]


@pytest.mark.parametrize(("route", "method"), CASES, ids=[f"{m} {r}" for r, m in CASES])
def test_roles_may_do_what_the_matrix_says(route, method, stored, clients):
    stored["tokens"] = 1
    stored["users"] = User.objects.create_user("other", "other@example.org", "x").pk
    answers = {}
    for role, client in clients.items():
        with transaction.atomic():
            answer = client.generic(
                method,
                url_of(route, stored, client),
                **_json(client, body_of(route, method, stored)),
            )
            answers[role] = answer
            transaction.set_rollback(True)
    statuses = {role: answer.status_code for role, answer in answers.items()}
    assert statuses == dict(zip(ROLES, MATRIX[route][method], strict=True)), {
        role: getattr(answer, "content", b"")[:300] for role, answer in answers.items()
    }
    for answer in answers.values():
        assert ("WWW-Authenticate" in answer) == (answer.status_code == 401)


def _json(client, body):
    form = "multipart" if body and "file" in body else "json"
    data, content_type = client._encode_data(body, form) if body is not None else ("", None)
    return {"data": data, **({"content_type": content_type} if content_type else {})}


UNOFFERED = [
    (route, method)
    for route, rows in MATRIX.items()
    for method in METHODS
    if method not in rows and method != "HEAD"
]


@pytest.mark.parametrize(("route", "method"), UNOFFERED, ids=[f"{m} {r}" for r, m in UNOFFERED])
def test_method_that_a_route_does_not_have_does_nothing(route, method, stored, clients):
    for role, client in clients.items():
        answer = client.generic(method, url_of(route, {**stored, "users": 1, "tokens": 1}, client))
        assert answer.status_code in (401, 403, 405), role
    # 405 is what the one who may do the most sees.
    assert answer.status_code == 405


def test_catalogue_can_be_closed_to_strangers(stored, clients, settings):
    settings.CATALOGUE_REQUIRES_LOGIN = True
    for route, rows in MATRIX.items():
        if rows in (LIST, DETAIL, SHARED):
            for role, client in clients.items():
                answer = client.get(url_of(route, stored, client))
                assert answer.status_code == (401 if role == "anonymous" else 200)
            # Nor does a stranger learn which parents there are.
            nowhere = url_of(route, dict.fromkeys(stored, 999_999), clients["member"])
            if nowhere.count("/") > 3:
                assert clients["anonymous"].get(nowhere).status_code == 401
                assert clients["anonymous"].post(nowhere).status_code == 401
                assert clients["member"].get(nowhere).status_code == 404


# Objects of somebody else


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("role", ROLES)
def test_nested_object_of_another_parent_is_404(method, role, stored, clients):
    other = Book.objects.create(title="Other")
    foreign = {
        "author_pk": stored["authors"],
        "series_pk": stored["series"],
        "subject_pk": stored["subjects"],
        "publisher_pk": stored["publishers"],
        "book_pk": other.pk,
        "edition_pk": other.editions.create().pk,
    }
    nested = [r for r, rows in MATRIX.items() if r.count("<id:") == 2 and rows is not LINK]
    assert len(nested) >= 6
    for route in nested:
        url = url_of(route, {**stored, **foreign}, None)
        status = clients[role].generic(method, url).status_code
        expected = MATRIX[route][method][ROLES.index(role)]
        may_be_asked = expected < 400 or (expected == 403 and route in JUDGED_BY_OBJECT)
        assert status == (404 if may_be_asked else expected), url


# Roles


@pytest.mark.parametrize("role", ["member", "librarian", "admin"])
def test_role_cannot_be_taken(role, clients):
    client = clients[role]
    answer = client.patch("/api/me/", {"role": "admin"}, format="json")
    assert (answer.status_code, answer.json()) == (
        200,
        {"id": client.user.pk, "username": role, "email": f"{role}@example.org", "role": role},
    )
    assert User.objects.get(pk=client.user.pk).role == role


def test_admin_gives_and_takes_roles(clients):
    admin, member = clients["admin"], clients["member"]
    url = f"/api/users/{member.user.pk}/"
    for role, status in [("librarian", 201), ("member", 403)]:
        answer = admin.patch(url, {"role": role}, format="json")
        assert (answer.status_code, answer.json()["role"]) == (200, role)
        made = member.post("/api/subjects/", {"name": "New"}, format="json")
        assert made.status_code == status


@pytest.mark.parametrize("body", [{"role": "member"}, {"is_active": False}])
def test_admin_cannot_be_the_one_who_shuts_the_door(body, clients):
    admin = clients["admin"]
    url = f"/api/users/{admin.user.pk}/"
    answer = admin.patch(url, body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    answer = admin.delete(url)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    account = admin.get(url).json()
    assert (account["role"], account["is_active"]) == ("admin", True)
    assert admin.put(url, account, format="json").json() == account


def test_admin_site_is_for_librarians_and_admins(clients):
    for role, status in zip(ROLES, (302, 302, 200, 200), strict=True):
        browser = APIClient()
        if role != "anonymous":
            browser.force_login(clients[role].user)
        assert browser.get("/admin/").status_code == status


def test_every_page_of_the_admin_site_is_closed_to_members(stored, clients):
    browser = APIClient()
    browser.force_login(clients["member"].user)
    pages = [route for route in ROUTES if route.startswith("admin/") and "(?P" not in route]
    assert len(pages) > 50
    for route in pages:
        if route in ("admin/login/", "admin/logout/", "admin/jsi18n/"):
            continue
        url = "/" + route.replace("<path:object_id>", "1").replace("<id>", "1")
        url = url.replace("<int:content_type_id>", "1").replace("<path:object_id>", "1")
        answer = browser.get(url)
        assert answer.status_code == 302, url
        assert answer["Location"].startswith("/admin/login/"), url


def test_librarian_keeps_the_catalogue_and_no_accounts_in_the_admin(stored, clients):
    browser = APIClient()
    browser.force_login(clients["librarian"].user)
    for page, status in [
        ("books/book/", 200),
        ("books/book/add/", 200),
        (f"books/book/{stored['books']}/change/", 200),
        (f"books/book/{stored['books']}/delete/", 200),
        (f"authors/author/{stored['authors']}/change/", 200),
        (f"authors/author/{stored['authors']}/delete/", 403),
        (f"books/series/{stored['series']}/delete/", 403),
        (f"books/publisher/{stored['publishers']}/delete/", 403),
        (f"books/subject/{stored['subjects']}/delete/", 403),
        ("auth_api/user/", 403),
        ("auth_api/user/add/", 403),
        ("auth_api/session/", 403),
    ]:
        assert browser.get(f"/admin/{page}").status_code == status, page


# Nested writes ask for each object they touch


def test_related_permission_is_what_the_object_itself_would_take(rf, clients):
    from auth_api.permissions import ReadOnlyUnlessLibrarian

    request = rf.post("/")
    for role, expected in [
        ("member", (False, False, False)),
        ("librarian", (True, False, True)),
        ("admin", (True, True, True)),
    ]:
        request.user = clients[role].user
        assert expected == tuple(
            ReadOnlyUnlessLibrarian().has_related_permission(request, None, action, model)
            for action, model in [("create", Author), ("delete", Author), ("delete", Edition)]
        )


# Other ways to say who one is


def test_session_works_with_its_csrf_token_only(clients):
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(clients["librarian"].user)
    answer = browser.post("/api/subjects/", {"name": "New"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert browser.get("/api/me/").status_code == 200
    browser.get("/admin/")
    browser.cookies["csrftoken"] = token = "a" * 32
    answer = browser.post(
        "/api/subjects/", {"name": "New"}, format="json", headers={"X-CSRFToken": token}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(("token", "status"), [("Bearer garbage", 401), (None, 200)])
def test_garbage_is_no_anonymity(token, status, db):
    client = APIClient()
    if token:
        client.credentials(HTTP_AUTHORIZATION=token)
    assert client.get("/api/books/").status_code == status


# Web pages of other origins


def preflight(origin, path="/api/books/"):
    return APIClient().options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )


def test_allowed_origin_may_use_the_api_with_a_token(db):
    answer = preflight("https://app.example.org")
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert "Access-Control-Allow-Credentials" not in answer
    allowed = {name.strip() for name in answer["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type"} <= allowed
    assert "PATCH" in answer["Access-Control-Allow-Methods"]
    answer = APIClient().get("/api/books/", headers={"Origin": "https://app.example.org"})
    assert answer["Access-Control-Allow-Origin"] == "https://app.example.org"
    exposed = {name.strip() for name in answer["Access-Control-Expose-Headers"].split(",")}
    assert {"Location", "WWW-Authenticate", "Retry-After"} <= exposed


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://app.example.org.evil.example", "null"]
)
def test_another_origin_may_not(origin, db):
    for answer in (preflight(origin), APIClient().get("/api/books/", headers={"Origin": origin})):
        assert "Access-Control-Allow-Origin" not in answer


def test_admin_site_is_for_no_other_origin(db):
    assert "Access-Control-Allow-Origin" not in preflight("https://app.example.org", "/admin/")
