"""FastAPI, SQLAlchemy's ORM and asyncpg.

https://fastapi.tiangolo.com/tutorial/response-model/, with eager loading as advised by
https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html.
"""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Column, ForeignKey, Table, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

from benchmarks.peers.timestamps import Moment
from benchmarks.peers.tokens import SESSION_QUERY, user_id_and_session

PAGE = 50

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"), pool_size=10
)
Session = async_sessionmaker(engine, expire_on_commit=False)


# Models


class Base(DeclarativeBase):
    id: Mapped[int] = mapped_column(primary_key=True)


class Named(Base):
    __abstract__ = True
    uid: Mapped[UUID]
    name: Mapped[str]


class Series(Named):
    __tablename__ = "books_series"


class Publisher(Named):
    __tablename__ = "books_publisher"


class Subject(Named):
    __tablename__ = "books_subject"
    slug: Mapped[str]


class Author(Named):
    __tablename__ = "authors_author"
    sort_name: Mapped[str]
    kind: Mapped[str | None]
    birth_year: Mapped[int | None]
    death_year: Mapped[int | None]
    openlibrary_key: Mapped[str | None]


subjects_of_books = Table(
    "books_book_subjects",
    Base.metadata,
    Column("book_id", ForeignKey("books_book.id")),
    Column("subject_id", ForeignKey("books_subject.id")),
)


class Contribution(Base):
    __tablename__ = "books_contribution"
    book_id: Mapped[int] = mapped_column(ForeignKey("books_book.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("authors_author.id"))
    role: Mapped[str]
    other_role: Mapped[str]
    position: Mapped[int]
    credited_as: Mapped[str]
    author: Mapped[Author] = relationship()


class Identifier(Base):
    __tablename__ = "books_identifier"
    edition_id: Mapped[int] = mapped_column(ForeignKey("books_edition.id"))
    scheme: Mapped[str]
    value: Mapped[str]


class Edition(Base):
    __tablename__ = "books_edition"
    book_id: Mapped[int] = mapped_column(ForeignKey("books_book.id"))
    isbn13: Mapped[str | None]
    title: Mapped[str]
    volume: Mapped[str]
    publisher_id: Mapped[int | None] = mapped_column(ForeignKey("books_publisher.id"))
    format: Mapped[str]
    pages: Mapped[int | None]
    published_on: Mapped[str | None]
    language: Mapped[str | None]
    cover_name: Mapped[str] = mapped_column("cover")
    cover_thumbnail: Mapped[str]
    publisher: Mapped[Publisher | None] = relationship()
    identifiers: Mapped[list[Identifier]] = relationship(order_by=Identifier.id)

    @property
    def cover(self) -> dict[str, str] | None:
        names = {"url": self.cover_name, "thumbnail": self.cover_thumbnail}
        return {key: f"/media/{name}" for key, name in names.items()} if self.cover_name else None


class Book(Base):
    __tablename__ = "books_book"
    uid: Mapped[UUID]
    title: Mapped[str]
    subtitle: Mapped[str]
    sort_title: Mapped[str]
    original_title: Mapped[str]
    language: Mapped[str | None]
    first_published: Mapped[str]
    first_published_year: Mapped[int | None]
    description: Mapped[str]
    series_id: Mapped[int | None] = mapped_column(ForeignKey("books_series.id"))
    series_position: Mapped[str]
    openlibrary_key: Mapped[str | None]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    series: Mapped[Series | None] = relationship()
    subjects: Mapped[list[Subject]] = relationship(
        secondary=subjects_of_books, order_by=lambda: (Subject.name, Subject.id)
    )
    contributions: Mapped[list[Contribution]] = relationship(
        order_by=(Contribution.position, Contribution.id)
    )
    editions: Mapped[list[Edition]] = relationship(order_by=Edition.id)

    @property
    def subject_ids(self) -> list[int]:
        return [subject.id for subject in self.subjects]

    @property
    def authors(self) -> list[Author]:
        return [each.author for each in self.contributions if each.role == "author"]

    @property
    def author_ids(self) -> list[int]:
        return [each.author_id for each in self.contributions if each.role == "author"]


# Responses


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int


class NamedOut(Out):
    uid: UUID
    name: str


class SubjectOut(NamedOut):
    slug: str


class AuthorOut(NamedOut):
    sort_name: str
    kind: str | None
    birth_year: int | None
    death_year: int | None
    openlibrary_key: str | None


class ContributionOut(Out):
    author: AuthorOut
    author_id: int
    role: str
    other_role: str
    position: int
    credited_as: str


class IdentifierOut(Out):
    scheme: str
    value: str


class CoverOut(BaseModel):
    url: str
    thumbnail: str


class EditionOut(Out):
    isbn13: str | None
    identifiers: list[IdentifierOut]
    title: str
    volume: str
    publisher: NamedOut | None
    publisher_id: int | None
    format: str
    pages: int | None
    published_on: str | None
    language: str | None
    cover: CoverOut | None


class BookOut(Out):
    uid: UUID
    title: str
    subtitle: str
    sort_title: str
    original_title: str
    language: str | None
    first_published: str
    first_published_year: int | None
    description: str
    series: NamedOut | None
    series_id: int | None
    series_position: str
    subjects: list[SubjectOut]
    subject_ids: list[int]
    authors: list[AuthorOut]
    author_ids: list[int]
    contributions: list[ContributionOut]
    editions: list[EditionOut]
    openlibrary_key: str | None
    version: int
    created_at: Moment
    updated_at: Moment


class Page(BaseModel):
    results: list[BookOut]


# Operations


app = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with Session() as session:
        yield session


Database = Annotated[AsyncSession, Depends(get_session)]


async def authenticate(
    session: Database, bearer: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> None:
    try:
        user_id, sid = user_id_and_session(bearer.credentials)
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error
    found = await session.execute(text(SESSION_QUERY), {"user": user_id, "sid": sid})
    if found.one_or_none() is None:
        raise HTTPException(401)


books = select(Book).options(
    joinedload(Book.series),
    selectinload(Book.subjects),
    selectinload(Book.contributions).joinedload(Contribution.author),
    selectinload(Book.editions).options(
        joinedload(Edition.publisher), selectinload(Edition.identifiers)
    ),
)


@app.get("/books/", dependencies=[Depends(authenticate)])
async def list_books(session: Database, first_published_year: int) -> Page:
    query = books.where(Book.first_published_year == first_published_year)
    found = await session.scalars(query.order_by(Book.sort_title, Book.id).limit(PAGE))
    return Page.model_validate({"results": found.all()})


@app.get("/books/{book_id}/", dependencies=[Depends(authenticate)])
async def get_book(session: Database, book_id: int) -> BookOut:
    found = await session.scalar(books.where(Book.id == book_id))
    if found is None:
        raise HTTPException(404)
    return BookOut.model_validate(found)
