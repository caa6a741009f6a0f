from django.db import migrations


class Migration(migrations.Migration):
    """The tables themselves are made anew after the migrations."""

    dependencies = [("authors", "0002_search")]

    operations = [
        migrations.RemoveField(model_name="authorsearch", name="length"),
        migrations.RemoveField(model_name="authorsearch", name="title"),
    ]
