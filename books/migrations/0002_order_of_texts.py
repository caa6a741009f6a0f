from django.db import migrations


def collate(apps, schema_editor):
    """A new database has the collation from the start; one that is older gets it here."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.collate_existing()


class Migration(migrations.Migration):
    dependencies = [
        ("books", "0001_catalogue"),
        ("authors", "0001_catalogue"),
        ("auth_api", "0003_sessions_ended"),
    ]

    operations = [migrations.RunPython(collate, migrations.RunPython.noop, elidable=True)]
