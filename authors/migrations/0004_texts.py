from collections import defaultdict

from django.db import migrations
from nameparser import HumanName

from authors.names import sort_name
from project.api.rewriting import Rewrite, RewriteTexts, namesakes
from project.api.models import normalized, normalized_name


def filed_before(name):
    """How a name was filed until now, if nobody gave another sort name."""
    parsed = HumanName(name)
    given = " ".join(part for part in (parsed.first, parsed.middle) if part)
    if not parsed.last or not given:
        return name
    return f"{parsed.last}, {given}" + (f", {parsed.suffix}" if parsed.suffix else "")


def rewrites(apps, using):
    """Text in NFC, names with single blanks; what was filed by the old rules is by the new ones."""
    Author, AuthorProfile = (apps.get_model("authors", name) for name in ("Author", "AuthorProfile"))
    kind = {"kind"} & {f.name for f in Author._meta.get_fields()}
    authors = Author.objects.using(using).only("name", "sort_name", *kind)
    respelt = defaultdict(list)
    for author in authors.order_by("pk").iterator():
        name = normalized_name(author.name)
        filed = normalized_name(author.sort_name)
        if author.sort_name == filed_before(author.name)[:300]:
            made = sort_name(name, getattr(author, "kind", None) if kind else None)
            filed = made if len(made) <= 300 else name
        values = {"name": name, "sort_name": filed}
        if name != author.name:
            respelt[name].append(author)
        if changed := {n: value for n, value in values.items() if value != getattr(author, n)}:
            yield Rewrite(author, changed)
    yield from namesakes(Author.objects.using(using), respelt)
    profiles = AuthorProfile.objects.using(using).only("biography", "author")
    for profile in profiles.order_by("pk").iterator():
        text = normalized(profile.biography)
        if text != profile.biography:
            yield Rewrite(profile, {"biography": text}, owner="author")


class Migration(migrations.Migration):
    dependencies = [("authors", "0003_uid")]

    operations = [RewriteTexts(rewrites)]
