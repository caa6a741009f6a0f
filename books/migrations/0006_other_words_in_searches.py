from django.db import migrations


class Migration(migrations.Migration):
    """The tables of all searches are made anew after the migrations, with other words in them."""

    dependencies = [("books", "0005_fewer_indexes")]

    operations = []
