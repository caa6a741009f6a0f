from django.db import migrations


class Migration(migrations.Migration):
    """What searches look through is made anew after the migrations, with initials in it."""

    dependencies = [("books", "0005_fewer_indexes")]

    operations = []
