from django.db import migrations


def drop_what_is_replaced(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION IF EXISTS search_query(text)")


class Migration(migrations.Migration):
    """The tables themselves are made anew after the migrations."""

    dependencies = [("books", "0003_filters_in_order")]

    operations = [
        migrations.RunPython(drop_what_is_replaced, migrations.RunPython.noop, elidable=True),
        migrations.RemoveField(model_name="booksearch", name="length"),
        migrations.RemoveField(model_name="booksearch", name="title"),
        migrations.RemoveField(model_name="publishersearch", name="length"),
        migrations.RemoveField(model_name="publishersearch", name="title"),
        migrations.RemoveField(model_name="seriessearch", name="length"),
        migrations.RemoveField(model_name="seriessearch", name="title"),
        migrations.RemoveField(model_name="subjectsearch", name="length"),
        migrations.RemoveField(model_name="subjectsearch", name="title"),
    ]
