"""A model with every kind of column, and one with every kind of relation, which no resource has."""

# ruff: noqa: DJ008  (nobody looks at these objects)
import uuid

from django.db import models

from project.api.models import AggregateRoot


class Shelf(models.Model):
    name = models.CharField(max_length=100)
    room = models.CharField(max_length=100, null=True)


class Tag(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.TextField()

    class Meta:
        ordering = ["-name"]


class Thing(models.Model):
    class Size(models.IntegerChoices):
        SMALL = 1
        LARGE = 2

    text = models.TextField(null=True)
    line = models.CharField(max_length=200)
    color = models.CharField(max_length=10, null=True, choices=[("r", "red"), ("g", "green")])
    size = models.IntegerField(null=True, choices=Size)
    number = models.BigIntegerField(null=True)
    real = models.FloatField(null=True)
    price = models.DecimalField(max_digits=15, decimal_places=4, null=True)
    is_new = models.BooleanField(null=True)
    day = models.DateField(null=True)
    clock = models.TimeField(null=True)
    moment = models.DateTimeField(null=True)
    span = models.DurationField(null=True)
    token = models.UUIDField(null=True)
    data = models.JSONField(null=True)
    shelf = models.ForeignKey(Shelf, null=True, on_delete=models.CASCADE, related_name="things")
    tags = models.ManyToManyField(Tag)

    class Meta:
        ordering = ["id"]


class Label(models.Model):
    thing = models.OneToOneField(Thing, primary_key=True, on_delete=models.CASCADE)
    text = models.CharField(max_length=100)


class Part(models.Model):
    """Without a related_name: `thing.part_set`."""

    thing = models.ForeignKey(Thing, on_delete=models.CASCADE)
    place = models.IntegerField()
    name = models.TextField()

    class Meta:
        ordering = ["place", models.F("name").desc()]


class Screw(models.Model):
    part = models.ForeignKey(Part, on_delete=models.CASCADE, related_name="screws")
    length = models.FloatField()
    tag = models.ForeignKey(Tag, null=True, on_delete=models.CASCADE)

    class Meta:
        ordering = ["id"]


class Scan(models.Model):
    """Files in the default storage, which MEDIA_URL tells the place of."""

    page = models.FileField(upload_to="scans", max_length=500, blank=True)
    small = models.ImageField(max_length=500, null=True, blank=True)
    shelf = models.ForeignKey(Shelf, null=True, on_delete=models.CASCADE, related_name="scans")

    class Meta:
        ordering = ["id"]


class Rating(models.Model):
    thing = models.ForeignKey(Thing, on_delete=models.CASCADE, related_name="ratings")
    # The key of a user, whose table is made after this one.
    rater = models.BigIntegerField()
    stars = models.IntegerField()


# What a plugin of the catalogue might add. The tables that these refer to are made after theirs,
# so the database can't be asked to hold the references.


class Note(AggregateRoot):
    """What a user has noted of a book. Owns its remarks."""

    text = models.CharField(max_length=100)
    owner = models.ForeignKey(
        "auth_api.User", models.CASCADE, null=True, db_constraint=False, related_name="+"
    )
    book = models.ForeignKey(
        "books.Book", models.SET_NULL, null=True, db_constraint=False, related_name="+"
    )


class Remark(models.Model):
    note = models.ForeignKey(Note, models.CASCADE, related_name="remarks")
    text = models.CharField(max_length=100)

    class Meta:
        ordering = ["id"]


class Unsealed(models.Manager["models.Model"]):
    def get_queryset(self) -> "models.QuerySet[models.Model]":
        return super().get_queryset().filter(is_sealed=False)

    def bulk_create(self, objs, *args, **options):  # type: ignore[no-untyped-def]
        for each in objs:
            each.was_made_by = self
        return super().bulk_create(objs, *args, **options)


class Box(AggregateRoot):
    """Its manager hides some."""

    name = models.CharField(max_length=100)
    is_sealed = models.BooleanField(default=False)

    objects = Unsealed()
    everything = models.Manager()


class Coin(AggregateRoot):
    """In one box, and known to others."""

    box = models.ForeignKey(Box, models.SET_NULL, null=True, related_name="coins")
    known_to = models.ManyToManyField(Box, related_name="+")
    is_sealed = models.BooleanField(default=False)

    objects = Unsealed()
    everything = models.Manager()

    class Meta:
        ordering = ["id"]
