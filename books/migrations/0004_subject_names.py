import project.api.models
from django.db import migrations, models


def fold(apps, schema_editor):
    """Fold the names; of those that are one, whatever their case, the later ones get a mark.

    They stay two subjects, until somebody gives one another name or puts the books of both under
    one of them: which of them is meant nobody but a librarian can tell.
    """
    subjects = apps.get_model("books", "Subject").objects.using(schema_editor.connection.alias)
    holders = {}
    changed = []
    for subject in subjects.only("name").order_by("pk").iterator():
        folded = project.api.models.FoldedFrom.make(subject.name)
        holder = holders.setdefault(folded, subject)
        if holder is not subject:
            folded = f"{folded[:580]} #{subject.pk}"
            holders[folded] = subject
            print(f"\n  Subject {subject.pk} has the name of subject {holder.pk}, “{holder.name}”.", end="")
        subject.name_folded = folded
        changed.append(subject)
    subjects.bulk_update(changed, ["name_folded"], batch_size=1_000)


class Migration(migrations.Migration):
    dependencies = [("books", "0003_filing")]

    operations = [
        migrations.AddField(
            "subject",
            "name_folded",
            project.api.models.FoldedFrom(
                blank=True, default="", editable=False, max_length=600, source="name"
            ),
            preserve_default=False,
        ),
        migrations.RunPython(fold, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            "subject",
            "name_folded",
            project.api.models.FoldedFrom(
                blank=True, editable=False, max_length=600, source="name", unique=True
            ),
        ),
        migrations.AlterField(
            "subject",
            "name",
            models.CharField(
                help_text="Unique, whatever the case of its letters.", max_length=200
            ),
        ),
        migrations.AlterField(
            "subject",
            "slug",
            project.api.models.SlugMadeFrom(
                blank=True,
                help_text="Made from the name when left out, and then made anew when it changes: “Science fiction” has “science-fiction”; with a number where another subject has it already.",
                max_length=200,
                source="name",
                unique=True,
            ),
        ),
    ]
