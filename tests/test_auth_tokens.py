"""Which tokens does the API accept?"""

import base64
import hashlib
import hmac
import itertools
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from unittest.mock import ANY

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.core.exceptions import ImproperlyConfigured
from rest_framework.test import APIClient
from rest_framework_simplejwt.exceptions import TokenBackendExpiredToken

from auth_api.keys import KeyRing, key_ring
from auth_api.models import User
from auth_api.tokens import RefreshToken

UNAUTHORISED = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "detail": "Given token not valid for any token type",
    "code": "token_not_valid",
    "instance": "/api/me/",
    "request_id": ANY,
}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# Of 32 bytes each
A, B, X = (hashlib.sha256(name).digest() for name in (b"a", b"b", b"x"))


def secret(kid, key=A):
    return {"kty": "oct", "kid": kid, "alg": "HS256", "k": b64(key)}


def ec_key(kid, curve=None):
    key = ec.generate_private_key(curve or ec.SECP256R1())
    return {**jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True), "kid": kid, "alg": "ES256"}


def ed_key(kid):
    key = ed25519.Ed25519PrivateKey.generate()
    return {**jwt.algorithms.OKPAlgorithm.to_jwk(key, as_dict=True), "kid": kid, "alg": "EdDSA"}


def rsa_key(kid, bits=2048):
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return {**jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True), "kid": kid, "alg": "RS256"}


def forge(header, payload, key=b"", digest="sha256"):
    """A token with this header and payload, signed by HMAC whatever the header says."""
    signed = f"{b64(json.dumps(header, separators=(',', ':')).encode())}.{b64(payload)}"
    return f"{signed}.{b64(hmac.new(key, signed.encode(), digest).digest())}"


def me(token):
    return APIClient().get("/api/me/", HTTP_AUTHORIZATION=f"Bearer {token}")


@pytest.fixture
def keys(settings):
    settings.JWT_KEYS = json.dumps([secret("a", A), secret("b", B)])


@pytest.fixture
def access(keys, member):
    return RefreshToken.for_user(member.user).access_token


@pytest.fixture
def payload(access):
    return unb64(str(access).split(".")[1])


def test_access_token_carries_these_claims_and_no_others(access, member):
    header, claims = (
        jwt.get_unverified_header(str(access)),
        jwt.decode(str(access), options={"verify_signature": False}),
    )
    assert header == {"alg": "HS256", "kid": "a", "typ": "JWT"}
    assert {name: claims[name] for name in claims.keys() - {"jti", "sid", "iat", "exp"}} == {
        "token_type": "access",
        "user_id": str(member.user.pk),
        "username": "member",
        "role": "member",
        "iss": "book-catalogue",
        "aud": "book-catalogue",
    }
    assert claims["exp"] - claims["iat"] == 5 * 60
    assert claims["jti"] != claims["sid"]


def test_refresh_token_names_no_role_and_says_when_the_login_was(keys, member):
    token = str(RefreshToken.for_user(member.user))
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.keys() == {
        *("token_type", "user_id", "sid", "jti", "iat", "exp", "iss", "aud", "auth_time")
    }
    assert claims["auth_time"] == claims["iat"]
    assert claims["exp"] - claims["iat"] == 24 * 60 * 60


HS256 = {"alg": "HS256", "kid": "a", "typ": "JWT"}


@pytest.mark.parametrize(
    ("header", "key", "digest"),
    [
        pytest.param({**HS256, "alg": "none"}, b"", "sha256", id="alg none"),
        pytest.param({**HS256, "alg": "HS512"}, A, "sha512", id="HS512, same secret"),
        pytest.param({**HS256, "kid": "c"}, A, "sha256", id="unknown kid"),
        pytest.param({"alg": "HS256", "typ": "JWT"}, A, "sha256", id="no kid"),
        pytest.param({**HS256, "kid": "../../etc/passwd"}, b"", "sha256", id="kid is a path"),
        pytest.param({**HS256, "kid": 7}, A, "sha256", id="kid is a number"),
        pytest.param({**HS256, "kid": None}, A, "sha256", id="kid is null"),
        pytest.param({**HS256, "kid": ["a"]}, A, "sha256", id="kid is a list"),
        pytest.param(HS256, B, "sha256", id="kid of a, signed by b"),
        pytest.param({**HS256, "crit": ["x"]}, A, "sha256", id="unknown crit"),
        pytest.param({**HS256, "jwk": secret("x", X)}, X, "sha256", id="jwk"),
    ],
)
def test_forged_header_is_401(header, key, digest, payload):
    answer = me(forge(header, payload, key, digest))
    assert (answer.status_code, answer.json()) == (401, UNAUTHORISED)
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("name", ["jku", "x5u"])
def test_address_of_keys_in_a_header_is_401_and_is_not_visited(name, payload):
    with socket.create_server(("127.0.0.1", 0)) as thief:
        header = {**HS256, "kid": "x", name: f"http://127.0.0.1:{thief.getsockname()[1]}/jwks.json"}
        # Whoever went there would wait for an answer.
        with ThreadPoolExecutor(1) as visited:
            thief.settimeout(0.5)
            visit = visited.submit(thief.accept)
            answer = me(forge(header, payload, X))
            with pytest.raises(TimeoutError):
                visit.result()
    assert (answer.status_code, answer.json()) == (401, UNAUTHORISED)


def test_none_without_a_signature_is_401(payload):
    header = b64(json.dumps({**HS256, "alg": "none"}).encode())
    assert me(f"{header}.{b64(payload)}.").json() == UNAUTHORISED


def test_the_forger_can_forge(payload):
    """Or else the tests above would prove nothing."""
    assert me(forge(HS256, payload, A)).status_code == 200


def test_hs256_with_the_public_key_of_an_es256_ring_is_401(settings, member):
    key = ec_key("e")
    settings.JWT_KEYS = json.dumps([key])
    public = jwt.PyJWK(key).key.public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    token = str(RefreshToken.for_user(member.user).access_token)
    assert me(token).status_code == 200
    payload = unb64(token.split(".")[1])
    for kid in ("e", "f"):
        answer = me(forge({**HS256, "kid": kid}, payload, pem))
        assert (answer.status_code, answer.json()) == (401, UNAUTHORISED)


def test_edited_payload_is_401(access, payload):
    header, _, signature = str(access).split(".")
    edited = b64(payload.replace(b'"role":"member"', b'"role":"admin"'))
    assert me(f"{header}.{edited}.{signature}").json() == UNAUTHORISED


@pytest.mark.parametrize(
    "claim", ["exp", "iat", "jti", "sid", "user_id", "token_type", "iss", "aud"]
)
def test_token_without_a_claim_is_401(claim, payload):
    claims = json.loads(payload)
    del claims[claim]
    answer = me(forge(HS256, json.dumps(claims).encode(), A))
    assert (answer.status_code, answer.json()) == (401, UNAUTHORISED)


@pytest.mark.parametrize(
    ("claim", "value", "code"),
    [
        ("iss", "another", "token_not_valid"),
        ("aud", "another", "token_not_valid"),
        ("exp", "soon", "token_not_valid"),
        ("iat", 4_000_000_000, "token_not_valid"),
        ("jti", 7, "token_not_valid"),
        ("sid", {}, "token_not_valid"),
        ("sid", "0" * 32, "token_not_valid"),
        ("user_id", "0", "user_not_found"),
        ("user_id", "x", "user_not_found"),
        ("user_id", {}, "user_not_found"),
        ("user_id", "1" * 30, "user_not_found"),
        ("token_type", "refresh", "token_not_valid"),
    ],
)
def test_token_with_a_wrong_claim_is_401(claim, value, code, payload):
    claims = {**json.loads(payload), claim: value}
    answer = me(forge(HS256, json.dumps(claims).encode(), A))
    assert (answer.status_code, answer.json()["code"]) == (401, code)


@pytest.mark.parametrize(("seconds_ago", "code"), [(0, None), (8, "token_not_valid")])
def test_expired_token_is_401_after_five_seconds_of_leeway(seconds_ago, code, payload):
    claims = {**json.loads(payload), "exp": int(time.time()) - seconds_ago}
    answer = me(forge(HS256, json.dumps(claims).encode(), A))
    assert (answer.status_code, answer.json().get("code")) == (401 if code else 200, code)


# Tokens that have been verified


@pytest.fixture
def verifications(monkeypatch, keys):
    """The tokens whose signatures have been checked."""
    key_ring()  # which tries its keys when it is made
    checked, decode = [], jwt.decode

    def recording(text, *args, **options):
        checked.append(text)
        return decode(text, *args, **options)

    monkeypatch.setattr(jwt, "decode", recording)
    return checked


def test_the_signature_of_a_token_is_checked_once(verifications, access):
    token = str(access)
    assert [me(token).status_code for _ in range(3)] == [200, 200, 200]
    assert verifications == [token.encode()]


def test_a_token_that_was_refused_is_checked_again(verifications, payload):
    forged = forge(HS256, payload, B)
    assert [me(forged).json() for _ in range(2)] == [UNAUTHORISED, UNAUTHORISED]
    assert verifications == [forged.encode()] * 2


def test_the_claims_of_one_request_are_not_those_of_the_next(keys, access):
    ring, token = key_ring(), str(access)
    claims = ring.decode(token)
    claims["user_id"] = "0"
    assert ring.decode(token)["user_id"] == access["user_id"]


@pytest.mark.parametrize("as_text", [False, True])
def test_a_verified_token_is_good_until_its_leeway_ends(as_text, verifications, payload):
    # Time enough to verify it on a busy machine.
    exp = int(time.time()) - 2
    claims = {**json.loads(payload), "exp": str(exp) if as_text else exp}
    token, ring = forge(HS256, json.dumps(claims).encode(), A), key_ring()
    assert ring.decode(token) == ring.decode(token)
    assert len(verifications) == 1
    time.sleep(exp + 5 - time.time())
    with pytest.raises(TokenBackendExpiredToken):
        ring.decode(token)


def test_no_more_tokens_are_remembered_than_there_is_room_for(monkeypatch, verifications, payload):
    monkeypatch.setattr("auth_api.keys.REMEMBERED_TOKENS", 3)
    ring = KeyRing(json.dumps([secret("a", A)]))
    bodies = ({**json.loads(payload), "jti": str(i)} for i in range(4))
    tokens = [forge(HS256, json.dumps(each).encode(), A) for each in bodies]
    verifications.clear()
    for token in [*tokens, tokens[3], tokens[0]]:
        ring.decode(token)
    assert verifications == [each.encode() for each in (*tokens, tokens[0])]


def test_a_role_and_an_account_that_end_do_so_at_once_for_a_verified_token(librarian):
    token = RefreshToken.for_user(librarian.user).access_token
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    post = partial(client.post, "/api/subjects/", format="json")
    assert post({"name": "A"}).status_code == 201
    User.objects.filter(pk=librarian.user.pk).update(role="member")
    assert post({"name": "B"}).status_code == 403
    User.objects.filter(pk=librarian.user.pk).update(is_active=False)
    assert post({"name": "C"}).json()["code"] == "user_inactive"


def test_refresh_token_as_bearer_is_401(keys, member):
    assert me(RefreshToken.for_user(member.user)).json() == UNAUTHORISED


@pytest.mark.parametrize("path", ["refresh", "blacklist"])
def test_access_token_where_a_refresh_token_is_due_is_401(path, access, anonymous):
    answer = anonymous.post(f"/api/token/{path}/", {"refresh": str(access)}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


@pytest.mark.parametrize(
    "token",
    [
        "x" * 100_000,
        "." * 100_000,
        b64(b"[" * 75_000) + ".e30.e30",
        f"{b64(json.dumps(HS256).encode())}.{'x' * 100_000}.x",
        "x",
        "..",
        "ä.ö.ü",
    ],
    ids=["long", "dots", "nested", "long payload", "short", "empty parts", "not ASCII"],
)
def test_garbage_is_401(token, keys, db):
    assert me(token).json() == UNAUTHORISED
    for path, name in [("refresh", "refresh"), ("verify", "token"), ("blacklist", "refresh")]:
        answer = APIClient().post(f"/api/token/{path}/", {name: token}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_scheme_may_be_written_in_any_case(scheme, access):
    for token, status in [(access, 200), ("garbage", 401)]:
        answer = APIClient().get("/api/books/", HTTP_AUTHORIZATION=f"{scheme} {token}")
        assert answer.status_code == status
    assert APIClient().get("/api/me/", HTTP_AUTHORIZATION=f"{scheme} {access}").status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "bearer", "Bearer a b"])
def test_authorization_that_is_no_token_is_401(header, db):
    answer = APIClient().get("/api/books/", HTTP_AUTHORIZATION=header)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_authorization_header")


# Keys


def test_keys_are_added_promoted_and_dropped_without_a_logout(settings, member):
    old, new = secret("old", A), secret("new", B)
    settings.JWT_KEYS = json.dumps([old])
    first = str(RefreshToken.for_user(member.user).access_token)
    settings.JWT_KEYS = json.dumps([old, new])
    second = str(RefreshToken.for_user(member.user).access_token)
    settings.JWT_KEYS = json.dumps([new, old])
    third = str(RefreshToken.for_user(member.user).access_token)
    assert [jwt.get_unverified_header(t)["kid"] for t in (first, second, third)] == [
        *("old", "old", "new")
    ]
    assert [me(t).status_code for t in (first, second, third)] == [200, 200, 200]
    settings.JWT_KEYS = json.dumps([new])
    assert [me(t).status_code for t in (first, second, third)] == [401, 401, 200]


@pytest.mark.parametrize("make", [ec_key, ed_key, rsa_key])
def test_other_algorithms_work_unchanged(make, settings, member, anonymous):
    settings.JWT_KEYS = json.dumps([make("k"), secret("s")])
    token = RefreshToken.for_user(member.user)
    assert me(token.access_token).status_code == 200
    answer = anonymous.post("/api/token/refresh/", {"refresh": str(token)}, format="json")
    assert answer.status_code == 200


def test_jwks_shows_public_halves_only(settings, anonymous):
    first, second = ec_key("e"), ed_key("d")
    settings.JWT_KEYS = json.dumps([first, second, secret("s")])
    answer = anonymous.get("/api/.well-known/jwks.json")
    assert answer.json() == {
        "keys": [
            {
                **{name: first[name] for name in ("kty", "crv", "x", "y")},
                "kid": "e",
                "alg": "ES256",
                "use": "sig",
            },
            {
                **{name: second[name] for name in ("kty", "crv", "x")},
                "kid": "d",
                "alg": "EdDSA",
                "use": "sig",
            },
        ]
    }
    assert answer["Cache-Control"] == "public, max-age=300"


def test_jwks_never_shows_a_shared_secret(anonymous):
    assert anonymous.get("/api/.well-known/jwks.json").json() == {"keys": []}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("", "JWT_KEYS is not a JSON list of keys."),
        ("[]", "JWT_KEYS is not a JSON list of keys."),
        ("7", "JWT_KEYS is not a JSON list of keys."),
        ('["x"]', "JWT_KEYS is not a JSON list of keys."),
        ('[{"kty": "oct"}]', "JWT_KEYS is not a JSON list of keys."),
        ('[{"kid": 7, "kty": "oct"}]', "The key “7” of JWT_KEYS is not valid."),
        ('[{"kid": "a"}]', "The key “a” of JWT_KEYS is not valid."),
        ('[{"kid": "a", "kty": "oct", "alg": "none"}]', "The key “a” of JWT_KEYS is not valid."),
        ('[{"kid": "a", "kty": "EC", "alg": "HS256"}]', "The key “a” of JWT_KEYS is not valid."),
        (
            json.dumps([secret("a", A[:31])]),
            "The key “a” of JWT_KEYS is too short.",
        ),
        (
            json.dumps([{**secret("a"), "alg": "HS512"}]),
            "The key “a” of JWT_KEYS is too short.",
        ),
        (json.dumps([rsa_key("a", bits=1024)]), "The key “a” of JWT_KEYS is too short."),
        (
            json.dumps([secret("a", b"change-me-" * 7)]),
            "The key “a” of JWT_KEYS is not a random one.",
        ),
        (json.dumps([secret("a"), ec_key("a")]), "Two keys of JWT_KEYS have the same kid."),
        (json.dumps([secret("a"), secret("a", B)]), "Two keys of JWT_KEYS have the same kid."),
        (
            json.dumps([{k: v for k, v in ec_key("a").items() if k != "d"}]),
            "The first key of JWT_KEYS cannot sign.",
        ),
        *(
            (json.dumps(keys), "The key “a” of JWT_KEYS ")
            for keys in (
                [ed_key("a") | {"x": ed_key("b")["x"]}],
                [secret("s"), ed_key("a") | {"x": ed_key("b")["x"]}],
                [ec_key("a") | {name: ec_key("b")[name] for name in ("x", "y")}],
                [ec_key("a") | {"alg": "ES384"}],
                [ec_key("a", ec.SECP521R1()) | {"alg": "ES256"}],
            )
        ),
    ],
    # By number: the keys among them are made anew each time.
    ids=itertools.count(),
)
def test_keys_that_are_no_use_stop_the_start(keys, message):
    with pytest.raises(ImproperlyConfigured, match=message):
        KeyRing(keys)


def test_secret_key_is_refused_as_a_key(settings):
    settings.SECRET_KEY = A.hex()
    with pytest.raises(ImproperlyConfigured, match="tokens need their own"):
        KeyRing(json.dumps([secret("a", A.hex().encode())]))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/token/"),
        ("post", "/api/token/refresh/"),
        ("post", "/api/token/verify/"),
        ("post", "/api/token/blacklist/"),
        ("post", "/api/token/blacklist/all/"),
        ("get", "/api/.well-known/jwks.json"),
        ("get", "/api/me/"),
        ("patch", "/api/me/"),
        ("post", "/api/me/password/"),
    ],
)
def test_query_parameter_that_nobody_knows_is_400(method, path, member):
    answer = getattr(member, method)(f"{path}?usernam=x")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {
            "parameter": "usernam",
            "code": "unknown",
            "detail": "There is no such parameter here.",
        }
    ]
