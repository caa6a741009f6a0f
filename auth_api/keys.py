"""The keys that sign tokens (JSON Web Keys, RFC 7517), and simplejwt's backend that uses them."""

import json
import time
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256
from typing import Any, TypeAlias

import jwt
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from rest_framework_simplejwt.backends import ALLOWED_ALGORITHMS, TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken
from rest_framework_simplejwt.settings import api_settings

# What a token says (RFC 7519, 4).
Claims: TypeAlias = dict[str, Any]
# A key, in the members of RFC 7517.
JWK: TypeAlias = dict[str, str]

# The members of a key that anybody may see (RFC 7518, section 6; RFC 8037, section 2).
PUBLIC_MEMBERS = ("kty", "crv", "x", "y", "n", "e")
# What every token of ours has, whatever it is for.
CLAIMS = ["token_type", "user_id", "sid", "jti", "iat", "exp", "iss", "aud"]
# Of a random secret; 32 random bytes in hexadecimal digits have 12 or more.
FEWEST_DIFFERENT_BYTES = 10
# How many tokens a ring remembers to be signed, with some 500 bytes of claims each.
REMEMBERED_TOKENS = 4096


class KeyRing(TokenBackend):
    """The keys of JWT_KEYS, a JSON list of JWKs: the first one signs, all of them verify.

    A key's `kid` names it in the header of a token, and its own algorithm is the only one it is
    used with. Raises ImproperlyConfigured, which never shows a key.
    """

    def __init__(self, keys: str) -> None:
        try:
            self._keys = [self._key(jwk) for jwk in json.loads(keys)]
            first, self._signing_key = self._keys[0]
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise ImproperlyConfigured("JWT_KEYS is not a JSON list of keys.") from error
        if first["kty"] != "oct" and "d" not in first:
            raise ImproperlyConfigured("The first key of JWT_KEYS cannot sign.")
        super().__init__(
            self._signing_key.algorithm_name,
            audience=api_settings.AUDIENCE,
            issuer=api_settings.ISSUER,
            leeway=api_settings.LEEWAY,
        )
        self._kid = first["kid"]
        # The header of a token of ours is one of these texts, to the letter. So nothing that a
        # stranger writes into a header (alg, crit, jku, jwk …) is read before the signature is
        # checked, and there is no choice to be made that could be confused.
        self._by_header = {
            self._header(jwk["kid"], key.algorithm_name): key for jwk, key in self._keys
        }
        # A private RSA key signs and does not verify.
        for public in self.public_keys:
            self._by_header[self._header(public["kid"], public["alg"])] = jwt.PyJWK(public)
        if len({jwk["kid"] for jwk, _ in self._keys}) < len(self._keys):
            raise ImproperlyConfigured("Two keys of JWT_KEYS have the same kid.")
        # By the digest of a token, when it expires, and its claims.
        self._verified: dict[bytes, tuple[int, Claims]] = {}
        for jwk, key in self._keys:
            if jwk["kty"] == "oct" or "d" in jwk:
                self._try_out(jwk["kid"], key)

    def _try_out(self, kid: str, key: jwt.PyJWK) -> None:
        """Sign once: the halves of a pair may not belong together, or a curve not be ours."""
        claims = dict.fromkeys(CLAIMS, "") | {"iat": 0, "exp": 2**31}
        try:
            self.decode(self._encode(claims, kid, key))
        except (ValueError, TypeError, jwt.PyJWTError, TokenBackendError):
            message = f"The key “{kid}” of JWT_KEYS does not verify what it signs."
            raise ImproperlyConfigured(message) from None

    @staticmethod
    def _key(jwk: JWK) -> tuple[JWK, jwt.PyJWK]:
        kid = jwk["kid"]
        try:
            if not isinstance(kid, str) or jwk.get("alg", "HS256") not in ALLOWED_ALGORITHMS:
                raise jwt.InvalidKeyError
            key = jwt.PyJWK(jwk)
        except jwt.PyJWTError:
            raise ImproperlyConfigured(f"The key “{kid}” of JWT_KEYS is not valid.") from None
        # RFC 7518, section 3.2 and 3.3
        if key.Algorithm.check_key_length(key.key):
            raise ImproperlyConfigured(f"The key “{kid}” of JWT_KEYS is too short.")
        if jwk["kty"] == "oct":
            if len(set(key.key)) < FEWEST_DIFFERENT_BYTES:
                raise ImproperlyConfigured(f"The key “{kid}” of JWT_KEYS is not a random one.")
            if key.key == settings.SECRET_KEY.encode():
                raise ImproperlyConfigured("JWT_KEYS holds SECRET_KEY; tokens need their own.")
        return jwk, key

    @staticmethod
    def _header(kid: str, algorithm: str) -> bytes:
        header = {"alg": algorithm, "kid": kid, "typ": "JWT"}
        return urlsafe_b64encode(json.dumps(header, separators=(",", ":")).encode()).rstrip(b"=")

    @property
    def public_keys(self) -> list[dict[str, str]]:
        """The halves that another service needs to verify our tokens; never a shared secret."""
        return [
            {
                **{name: jwk[name] for name in PUBLIC_MEMBERS if name in jwk},
                "kid": jwk["kid"],
                "alg": key.algorithm_name,
                "use": "sig",
            }
            for jwk, key in self._keys
            if jwk["kty"] != "oct"
        ]

    def encode(self, payload: Claims) -> str:
        return self._encode(payload, self._kid, self._signing_key)

    def _encode(self, payload: Claims, kid: str, key: jwt.PyJWK) -> str:
        claims = {**payload, "iss": self.issuer, "aud": self.audience}
        return jwt.encode(claims, key, headers={"kid": kid})

    def decode(self, token: Any, verify: bool = True) -> Claims:
        """The claims of a token; TokenBackendError unless one of the keys has signed it.

        A client sends its token with each request, and one that was good is so until it expires: to
        remember it takes a document 0.8 of the processor time. What it says of an account or a
        session is looked up all the same.
        """
        text = token if isinstance(token, bytes) else token.encode()
        if not verify:
            return self._decode(text, verify=False)
        digest = sha256(text).digest()
        expires_at, claims = self._verified.get(digest, (0, {}))
        if time.time() - self.get_leeway().total_seconds() >= expires_at:
            claims = self._decode(text)
            if len(self._verified) >= REMEMBERED_TOKENS:
                self._verified.clear()
            self._verified[digest] = int(claims["exp"]), claims
        return dict(claims)

    def _decode(self, text: bytes, verify: bool = True) -> Claims:
        key = self._by_header.get(text.partition(b".")[0])
        if key is None:
            raise TokenBackendError("Token is invalid")
        try:
            return jwt.decode(
                text,
                key,
                algorithms=[key.algorithm_name],
                audience=self.audience,
                issuer=self.issuer,
                leeway=self.get_leeway(),
                options={"require": CLAIMS, "verify_signature": verify},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenBackendExpiredToken("Token is expired") from error
        except jwt.InvalidTokenError as error:
            raise TokenBackendError("Token is invalid") from error


_ring = lru_cache(maxsize=8)(KeyRing)


def key_ring() -> KeyRing:
    """The ring of the setting JWT_KEYS."""
    return _ring(settings.JWT_KEYS)
