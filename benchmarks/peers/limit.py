"""The limit: a bare WSGI function, and prepared SQL written by hand, on one connection a thread.

It knows two URLs and no errors. What a framework adds is measured from here.
"""

import os
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

import psycopg

from benchmarks.peers.tokens import SESSION_QUERY, user_id_and_session

PAGE = 50


def _moment(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


BOOK = f"""
SELECT json_build_object(
    'id', b.id, 'uid', b.uid,
    'title', b.title, 'subtitle', b.subtitle, 'sort_title', b.sort_title,
    'original_title', b.original_title, 'language', b.language,
    'first_published', b.first_published, 'first_published_year', b.first_published_year,
    'description', b.description,
    'series', CASE WHEN s.id IS NOT NULL
                   THEN json_build_object('id', s.id, 'uid', s.uid, 'name', s.name) END,
    'series_id', b.series_id, 'series_position', b.series_position,
    'subjects', coalesce(subjects.items, '[]'), 'subject_ids', coalesce(subjects.ids, '[]'),
    'authors', coalesce(contributions.authors, '[]'),
    'author_ids', coalesce(contributions.author_ids, '[]'),
    'contributions', coalesce(contributions.items, '[]'),
    'editions', coalesce(editions.items, '[]'),
    'openlibrary_key', b.openlibrary_key, 'version', b.version,
    'created_at', {_moment("b.created_at")}, 'updated_at', {_moment("b.updated_at")}
) AS document, b.sort_title, b.id
FROM books_book b
LEFT JOIN books_series s ON s.id = b.series_id
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object('id', s.id, 'uid', s.uid, 'name', s.name, 'slug', s.slug)
                    ORDER BY s.name, s.id) AS items,
           json_agg(s.id ORDER BY s.name, s.id) AS ids
    FROM books_book_subjects bs JOIN books_subject s ON s.id = bs.subject_id
    WHERE bs.book_id = b.id
) subjects
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
               'id', c.id, 'author', a.document, 'author_id', c.author_id, 'role', c.role,
               'other_role', c.other_role, 'position', c.position, 'credited_as', c.credited_as
           ) ORDER BY c.position, c.id) AS items,
           json_agg(a.document ORDER BY c.position, c.id)
               FILTER (WHERE c.role = 'author') AS authors,
           json_agg(c.author_id ORDER BY c.position, c.id)
               FILTER (WHERE c.role = 'author') AS author_ids
    FROM books_contribution c
    JOIN LATERAL (
        SELECT json_build_object(
            'id', a.id, 'uid', a.uid, 'name', a.name, 'sort_name', a.sort_name, 'kind', a.kind,
            'birth_year', a.birth_year,
            'death_year', a.death_year, 'openlibrary_key', a.openlibrary_key
        ) AS document FROM authors_author a WHERE a.id = c.author_id OFFSET 0
    ) a ON true
    WHERE c.book_id = b.id
) contributions
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
        'id', e.id, 'isbn13', e.isbn13,
        'identifiers', (
            SELECT coalesce(
                json_agg(json_build_object('id', i.id, 'scheme', i.scheme, 'value', i.value)
                         ORDER BY i.id), '[]')
            FROM books_identifier i WHERE i.edition_id = e.id
        ),
        'title', e.title, 'volume', e.volume,
        'publisher', CASE WHEN p.id IS NOT NULL
                     THEN json_build_object('id', p.id, 'uid', p.uid, 'name', p.name) END,
        'publisher_id', e.publisher_id, 'format', e.format, 'pages', e.pages,
        'published_on', e.published_on, 'language', e.language,
        'cover', CASE WHEN e.cover > ''
                 THEN json_build_object('url', '/media/' || e.cover,
                                        'thumbnail', '/media/' || e.cover_thumbnail) END
    ) ORDER BY e.id) AS items
    FROM books_edition e LEFT JOIN books_publisher p ON p.id = e.publisher_id
    WHERE e.book_id = b.id
) editions
"""  # noqa: S608
ONE = f"SELECT document::text FROM ({BOOK} WHERE b.id = %s) d"  # noqa: S608
LIST = f"""
SELECT coalesce(json_agg(document), '[]')::text FROM (
    {BOOK} WHERE b.first_published_year = %s ORDER BY b.sort_title, b.id LIMIT {PAGE}
) d
"""  # noqa: S608
SESSION = SESSION_QUERY.replace(":user", "%(user)s").replace(":sid", "%(sid)s")

local = threading.local()


def _fetch(query: str, params: Any) -> Any:
    if not hasattr(local, "connection"):
        local.connection = psycopg.connect(
            os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0
        )
    return local.connection.execute(query, params).fetchone()


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], Any]
) -> Iterable[bytes]:
    user, sid = user_id_and_session(environ["HTTP_AUTHORIZATION"].removeprefix("Bearer "))
    assert _fetch(SESSION, {"user": user, "sid": sid})  # noqa: S101
    if found := re.fullmatch(r"/books/(\d+)/", environ["PATH_INFO"]):
        body = _fetch(ONE, [int(found[1])])[0].encode()
    else:
        year = int(parse_qs(environ["QUERY_STRING"])["first_published_year"][0])
        body = b'{"results":' + _fetch(LIST, [year])[0].encode() + b"}"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
