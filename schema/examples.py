"""Requests that work when their button is pressed, by operation; ids are the demo catalogue's."""

from django.core.validators import RegexValidator
from django.db.models import Model
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from project.api.fields import SerializerField


def _request(summary: str, value: dict[str, object]) -> OpenApiExample:
    name = summary.title().replace(" ", "").replace(",", "")
    return OpenApiExample(name, summary=summary, value=value, request_only=True)


def least_of(serializer: serializers.ModelSerializer[Model]) -> list[OpenApiExample]:
    """The least to send where an operation has no example of its own; its keys are 1."""
    fields = {
        name: value
        for name, field in serializer.fields.items()
        if not field.read_only and (value := _sample(field)) is not None
    }
    required = [name for name in fields if serializer.fields[name].required]
    names = required if required and not serializer.partial else list(fields)[:1]
    return [_request("The least", {name: fields[name] for name in names})] if names else []


def in_bulk(example: OpenApiExample) -> OpenApiExample:
    """The same object, created by a bulk."""
    return _request(str(example.summary), {"create": [example.value]})


def _sample(field: object) -> object:
    """A value that a plain field takes."""
    match field:
        case serializers.ChoiceField():
            return next(iter(field.choices))
        case serializers.BooleanField():
            return True
        case serializers.IntegerField():
            return max(field.min_value or 1, 1)
        case serializers.DateField():
            return "2020-02-29"
        case serializers.PrimaryKeyRelatedField():
            return 1
        case serializers.EmailField() | serializers.IPAddressField():
            return None
        case serializers.CharField() if not _has_pattern(field):
            return f"A {str(field.label).lower()}"
    return None


def _has_pattern(field: SerializerField) -> bool:
    return any(isinstance(each, RegexValidator) for each in field.validators)


NESTED = _request(
    "Nested, with all it needs",
    {
        "title": "A Wizard's Primer",
        "language": "en",
        "first_published_year": 1998,
        "series": {"name": "The Primers"},
        "series_position": "1",
        "subject_ids": [1, 2],
        "contributions": [
            {"author_id": 1},
            {"author": {"name": "Ida Newcomer"}, "role": "translator"},
        ],
        "editions": [
            {"format": "hardcover", "pages": 320, "publisher_id": 1},
            {"format": "ebook", "published_on": "2020-02"},
        ],
    },
)
BY_KEY = _request("A title and an author's id", {"title": "Dune", "author_ids": [1]})
BY_NAME = _request(
    "A title and a new author", {"title": "Dune", "authors": [{"name": "F. Herbert"}]}
)
BOOK = [NESTED, BY_KEY, BY_NAME]

# A book without authors: below an author, a series or a subject it gets that one.
TITLE = [_request("A title", {"title": "A Book of Its Own", "first_published_year": -50})]
NAME = [_request("A name", {"name": "An Unheard-of Name"})]
CONTRIBUTION = [
    _request("A new translator", {"author": {"name": "T. Lator"}, "role": "translator"})
]
CREDIT = [_request("Another name on the title page", {"credited_as": "A. N. Other"})]
EDITION = [_request("An e-book", {"format": "ebook", "published_on": "2020-02"})]
IDENTIFIER = [_request("An OCLC number", {"scheme": "oclc", "value": "21478515"})]
EDITION_OF_BOOK = [_request("An e-book", {"book_id": 1, **EDITION[0].value})]
PAGES = [_request("How many pages", {"pages": 320})]
DESCRIPTION = _request("Another description", {"description": "Read it."})

EXAMPLES: dict[str, list[OpenApiExample]] = {
    "obtainTokens": [
        _request("A librarian", {"username": "librarian", "password": "demo-librarian"}),
        _request("By e-mail", {"email": "member@example.org", "password": "demo-member"}),
    ],
    "partialUpdateMe": [_request("A new name", {"username": "me"})],
    "createMachineToken": [
        _request("To read with", {"name": "Backup", "current_password": "demo-admin"})
    ],
    "partialUpdateSession": [_request("A name", {"device_name": "Ann's phone"})],
    "createUser": [
        _request(
            "A member",
            {
                "username": "newcomer",
                "email": "newcomer@example.org",
                "password": "a long one of 27 letters",
            },
        )
    ],
    "updateUser": [_request("A member", {"username": "member", "email": "member@example.org"})],
    "partialUpdateUser": [_request("Switched on", {"is_active": True})],
    "createAuthor": [
        _request(
            "With a profile and a book",
            {
                "name": "Ada Example",
                "birth_year": 1950,
                "profile": {"biography": "She writes.", "website": "https://example.org/"},
                "books": [{"title": "Her First"}],
            },
        ),
        *NAME,
    ],
    "updateAuthor": NAME,
    "partialUpdateAuthor": [_request("A profile", {"profile": {"biography": "She writes."}})],
    **{
        f"merge{each}": [_request("Into another", {"into": 2})]
        for each in ("Author", "Series", "Publisher", "Subject")
    },
    "createBook": BOOK,
    "updateBook": TITLE,
    "partialUpdateBook": [
        DESCRIPTION,
        _request("Without a series", {"series": None}),
        _request("Authors in this order", {"author_ids": [2, 1]}),
        _request(
            "One author linked, one created", {"authors": [{"id": 1}, {"name": "Ida Newcomer"}]}
        ),
        _request(
            "All who contributed",
            {
                "contributions": [
                    {"author_id": 2, "role": "editor"},
                    {"author": {"id": 1}, "role": "translator"},
                    {"author": {"name": "Ida Newcomer"}, "role": "foreword"},
                ]
            },
        ),
        _request("Nobody contributed", {"contributions": []}),
    ],
    "createAuthorBook": TITLE,
    "updateAuthorBook": TITLE,
    "partialUpdateAuthorBook": [DESCRIPTION],
    "createSeriesBook": TITLE,
    "updateSeriesBook": TITLE,
    "partialUpdateSeriesBook": [DESCRIPTION],
    "createSubjectBook": TITLE,
    "updateSubjectBook": TITLE,
    "partialUpdateSubjectBook": [DESCRIPTION],
    "createBookContribution": CONTRIBUTION,
    "updateBookContribution": CREDIT,
    "partialUpdateBookContribution": CREDIT,
    "createBookEdition": EDITION,
    "updateBookEdition": PAGES,
    "partialUpdateBookEdition": PAGES,
    "createEditionIdentifier": IDENTIFIER,
    "updateEditionIdentifier": [_request("An LCCN", {"scheme": "lccn", "value": "2001627090"})],
    "partialUpdateEditionIdentifier": [_request("Another value", {"value": "21478516"})],
    "createPublisherEdition": EDITION_OF_BOOK,
    "updatePublisherEdition": PAGES,
    "partialUpdatePublisherEdition": PAGES,
    "createSeries": NAME,
    "updateSeries": NAME,
    "partialUpdateSeries": NAME,
    "createPublisher": NAME,
    "updatePublisher": [_request("A name", {"name": "Another Unheard-of Name"})],
    "partialUpdatePublisher": [_request("A name", {"name": "A Third Name"})],
    "bulkPublishers": [_request("A name", {"create": [{"name": "One of Many Names"}]})],
    "createSubject": NAME,
    "updateSubject": [_request("A name", {"name": "Another Subject"})],
    "bulkSubjects": [_request("A name", {"create": [{"name": "One of Many Subjects"}]})],
    "partialUpdateSubject": [_request("A name", {"name": "A Third Subject"})],
}
