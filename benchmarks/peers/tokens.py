"""The project's check of a token, for the peers without Django: signature, claims, and one query
for an active user whose session goes on.
"""

import jwt

from benchmarks.settings import JWT_KEY, SIMPLE_JWT

SESSION_QUERY = """
SELECT u.id FROM auth_api_user u
WHERE u.id = :user AND u.is_active AND EXISTS (
    SELECT FROM token_blacklist_outstandingtoken t
    LEFT JOIN token_blacklist_blacklistedtoken b ON b.token_id = t.id
    WHERE t.jti = :sid AND t.user_id = u.id AND b.id IS NULL
)
"""


def user_id_and_session(token: str) -> tuple[int, str]:
    claims = jwt.decode(
        token,
        JWT_KEY,
        algorithms=["HS256"],
        audience=SIMPLE_JWT["AUDIENCE"],
        issuer=SIMPLE_JWT["ISSUER"],
        options={"require": ["exp", "iat"]},
    )
    if claims["token_type"] != "access":
        raise jwt.InvalidTokenError("not an access token")
    return int(claims["user_id"]), claims["sid"]
