from collections import defaultdict

from django.db import migrations

from books.titles import sort_title
from project.api.rewriting import Rewrite, RewriteTexts, namesakes
from project.api.models import FoldedFrom, normalized, normalized_name


def filed_before(title):
    """How a title was filed until now, if nobody gave another sort title."""
    article, _, rest = title.partition(" ")
    rest = rest.strip()
    return f"{rest}, {article}" if rest and article.lower() in ("the", "a", "an") else title


def rewrites(apps, using):
    """Text in NFC, names with single blanks; what was filed by the old rules is by the new ones.

    What would get a unique value that another row has stays: which of the two is meant nobody but
    a librarian can tell.
    """
    def rows(name, *fields):
        return apps.get_model("books", name).objects.using(using).only(*fields).order_by("pk")

    publishers = rows("Publisher", "name", "name_folded")
    yield from of_unique(publishers, "name_folded", lambda publisher: {
        "name": normalized_name(publisher.name),
        "name_folded": FoldedFrom.make(publisher.name),
    })
    yield from of_unique(rows("Subject", "name", "slug"), "slug", lambda subject: {
        "name": normalized_name(subject.name),
        "slug": normalized_name(subject.slug),
    })
    respelt = defaultdict(list)
    for series in rows("Series", "name").iterator():
        name = normalized_name(series.name)
        if name != series.name:
            respelt[name].append(series)
        yield from changes(series, {"name": name})
    yield from namesakes(rows("Series", "name"), respelt)
    names = ("title", "original_title", "series_position", "sort_title")
    for book in rows("Book", *names, "language", "description").iterator():
        values = {name: normalized_name(getattr(book, name)) for name in names}
        if book.sort_title == filed_before(book.title)[:500]:
            made = sort_title(values["title"], book.language, values["original_title"])
            values["sort_title"] = made if len(made) <= 500 else values["title"]
        yield from changes(book, {**values, "description": normalized(book.description)})
    for contribution in rows("Contribution", "credited_as", "book").exclude(credited_as="").iterator():
        values = {"credited_as": normalized_name(contribution.credited_as)}
        yield from changes(contribution, values, owner="book")


def of_unique(rows, name, values_of):
    held = set(rows.values_list(name, flat=True))
    for row in rows.iterator():
        values = values_of(row)
        if values[name] == getattr(row, name):
            yield from changes(row, values)
        elif values[name] in held:
            yield Rewrite(row, note=f"stays as it is: another has the {name} “{values[name]}”")
        else:
            held.add(values[name])
            yield from changes(row, values)


def changes(row, values, owner=None):
    if changed := {name: value for name, value in values.items() if value != getattr(row, name)}:
        yield Rewrite(row, changed, owner=owner)


class Migration(migrations.Migration):
    dependencies = [("books", "0006_uid"), ("authors", "0004_texts")]

    operations = [RewriteTexts(rewrites)]
