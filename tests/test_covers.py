"""Can an edition have a cover, which is a picture of ours, and is no file lost or left behind?"""

import json
import re
from errno import ENOSPC
from io import BytesIO
from pathlib import Path
from unittest.mock import ANY

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, OperationalError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, ImageOps
from PIL.PngImagePlugin import PngInfo
from rest_framework.test import APIClient

from authors.models import Author
from books.covers import MAX_BYTES, MAX_PIXELS, THUMBNAIL
from books.models import Book, Edition, Publisher
from project.api.files import new_files
from project.api.http.problems import Fault, Refused
from project.api.writes.signals import rows_written
from tests.catalogue import book, isbn, send, statements
from tests.pictures import encoded, plain, png_that_says
from tests.test_admin import browser, errors, filled_in, page, save, saved

# What is taken away goes after the commit, so these commit.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def edition(db):
    return book(isbns=[isbn(1)]).editions.get()


def upload(client, edition, content=None, name="cover.jpg", **parts):
    parts = parts or {"file": SimpleUploadedFile(name, plain() if content is None else content)}
    return client.put(f"/api/editions/{edition.pk}/cover/", parts, format="multipart")


def put(client, edition, content=None, name="cover.jpg"):
    answer = upload(client, edition, content, name)
    assert answer.status_code == 200, answer.content
    return answer.json()


def stored(path):
    """The picture at this path of the answer."""
    assert path.startswith("/media/")
    with default_storage.open(path.removeprefix("/media/")) as file:
        picture = Image.open(BytesIO(file.read()))
    picture.load()
    return picture


def files():
    """The names of all files there are."""
    root = Path(default_storage.location)
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def known():
    """The names of all files that the database knows."""
    names = Edition.objects.exclude(cover="").values_list("cover", "cover_thumbnail")
    return {name for pair in names for name in pair}


def version(edition):
    return Book.objects.get(pk=edition.book_id).version


# What an upload does


@pytest.mark.parametrize(("kind", "extension"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
def test_a_picture_becomes_the_cover_with_a_thumbnail(librarian, edition, kind, extension):
    assert edition_of(librarian, edition)["cover"] is None
    cover = put(librarian, edition, plain(kind, (600, 900)), "any.txt")
    name = r"/media/covers/([0-9a-f]{32})"
    assert cover.keys() == {"url", "thumbnail"}
    [token] = re.fullmatch(rf"{name}\.{extension}", cover["url"]).groups()
    assert cover["thumbnail"] == f"/media/covers/{token}-thumbnail.{extension}"
    assert stored(cover["url"]).size == (600, 900)
    assert stored(cover["thumbnail"]).size == (267, THUMBNAIL)
    assert stored(cover["url"]).format == stored(cover["thumbnail"]).format == kind
    assert edition_of(librarian, edition)["cover"] == cover
    assert version(edition) == 2
    assert files() == known()


def edition_of(client, edition):
    return send(client, "GET", f"/books/{edition.book_id}/editions/{edition.pk}/")


def test_the_cover_is_in_every_document_of_the_edition_and_can_be_chosen(librarian, edition):
    edition.publisher = Publisher.objects.create(name="Gollancz")
    edition.save()
    cover = put(librarian, edition)
    at = f"/books/{edition.book_id}/"
    assert send(librarian, "GET", at)["editions"][0]["cover"] == cover
    for path in (f"{at}editions/", f"/publishers/{edition.publisher_id}/editions/"):
        page = send(librarian, "GET", f"{path}?fields=cover")
        assert page["results"] == [{"cover": cover}]
        page = send(librarian, "GET", f"{path}?omit=cover")
        assert "cover" not in page["results"][0]
    [shown] = send(librarian, "GET", f"/books/?search={isbn(1)}")["results"]
    assert shown["editions"][0]["cover"] == cover


def test_json_does_not_change_the_cover(librarian, edition):
    cover = put(librarian, edition)
    path = f"/books/{edition.book_id}/"
    for body in (None, {"url": "/x", "thumbnail": "/y"}, cover):
        changed = send(librarian, "PATCH", f"{path}editions/{edition.pk}/", {"cover": body})
        assert changed["cover"] == cover
        editions = [{"id": edition.pk, "cover": body, "pages": 7}]
        assert (
            send(librarian, "PATCH", path, {"editions": editions})["editions"][0]["cover"] == cover
        )
    made = send(librarian, "POST", f"{path}editions/", {"cover": cover}, 201)
    assert made["cover"] is None
    assert files() == known()


def test_isbns_that_change_places_leave_the_covers_where_they_are(librarian):
    stored = book(isbns=[isbn(1), isbn(2)])
    first, second = stored.editions.all()
    covers = [put(librarian, each) for each in (first, second)]
    editions = [{"id": first.pk, "isbn13": isbn(2)}, {"id": second.pk, "isbn13": isbn(1)}]
    changed = send(librarian, "PATCH", f"/books/{stored.pk}/", {"editions": editions})
    assert [(e["isbn13"], e["cover"]) for e in changed["editions"]] == [
        (isbn(2), covers[0]),
        (isbn(1), covers[1]),
    ]
    assert files() == known()


def test_another_picture_replaces_the_first_whose_files_go(librarian, edition):
    first, second = put(librarian, edition), put(librarian, edition, plain("PNG"))
    assert first != second
    assert edition_of(librarian, edition)["cover"] == second
    assert version(edition) == 3
    assert files() == known()
    assert len(files()) == 2


def test_delete_takes_the_cover_off(librarian, edition):
    put(librarian, edition)
    path = f"/editions/{edition.pk}/cover/"
    assert send(librarian, "DELETE", path, status=204) is None
    assert edition_of(librarian, edition)["cover"] is None
    assert (version(edition), files()) == (3, set())
    # There is none to take off: nothing changes.
    assert send(librarian, "DELETE", path, status=204) is None
    assert version(edition) == 3


def test_an_upload_is_announced_with_the_rows_that_it_changed(librarian, edition):
    heard = []

    def hear(sender, created, changed, removed, **kwargs):
        before = {row.pk: dict(values) for row, values in changed[Edition].items()}
        heard.append((sender, before, list(changed[Book].items()), created, removed))

    rows_written.connect(hear)
    try:
        put(librarian, edition)
    finally:
        rows_written.disconnect(hear)
    [(sender, editions, [(root, root_before)], created, removed)] = heard
    assert (sender, root.pk, root_before["version"]) == (Book, edition.book_id, 1)
    assert editions == {edition.pk: {"cover": "", "cover_thumbnail": ""}}
    assert not created
    assert not removed


def test_an_upload_costs_the_same_however_many_editions_there_are(librarian, edition):
    few = statements(lambda: put(librarian, edition))
    Edition.objects.bulk_create(Edition(book=edition.book) for _ in range(100))
    many = statements(lambda: put(librarian, edition))
    assert len(many) == len(few) == 8


# Who may


def test_librarians_and_admins_put_and_delete_covers(anonymous, member, librarian, admin, edition):
    for client, statuses in (
        (anonymous, [401, 401]),
        (member, [403, 403]),
        (librarian, [200, 204]),
    ):
        deleted = f"/api/editions/{edition.pk}/cover/"
        assert [upload(client, edition).status_code, client.delete(deleted).status_code] == statuses
    assert upload(admin, edition).status_code == 200


# Judged by its content


@pytest.mark.parametrize(
    ("name", "kind"), [("a.gif", "image/gif"), ("a.png", "text/html"), ("x", "")]
)
def test_a_name_and_a_type_say_nothing(librarian, edition, name, kind):
    cover = SimpleUploadedFile(name, plain(), kind)
    assert upload(librarian, edition, file=cover).json()["url"].endswith(".jpg")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


@pytest.mark.parametrize(
    "content",
    [
        b"no picture",
        SVG,
        b"%PDF-1.7\n",
        plain("GIF"),
        plain("BMP"),
        plain("TIFF"),
        plain("ICO", (16, 16)),
        b"\xff\xd8\xff",
    ],
    ids=["text", "svg", "pdf", "gif", "bmp", "tiff", "ico", "jpeg-start"],
)
def test_what_is_no_jpeg_png_or_webp_is_415_whatever_it_says(librarian, edition, content):
    cover = SimpleUploadedFile("cover.jpg", content, "image/jpeg")
    answer = upload(librarian, edition, file=cover)
    assert (answer.status_code, answer.json()) == (
        415,
        {
            "type": "about:blank",
            "title": "Unsupported Media Type",
            "status": 415,
            "detail": "A cover is a picture in JPEG, PNG or WebP.",
            "code": "unsupported_media_type",
            "instance": f"/api/editions/{edition.pk}/cover/",
            "request_id": ANY,
        },
    )
    assert (files(), version(edition)) == (set(), 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_that_breaks_off_is_a_fault_of_the_file(librarian, edition, kind):
    whole = encoded(Image.effect_noise((200, 200), 80), kind)
    answer = upload(librarian, edition, whole[: len(whole) // 2])
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"pointer": "/file", "code": "broken", "detail": "The picture is broken or incomplete."}
    ]
    assert files() == set()


def test_a_webp_that_breaks_off_is_refused(librarian, edition):
    whole = encoded(Image.effect_noise((200, 200), 80), "WEBP")
    assert upload(librarian, edition, whole[: len(whole) // 2]).status_code in (400, 415)
    assert files() == set()


DAMAGES = st.lists(
    st.tuples(st.integers(0, 2000), st.binary(max_size=6), st.integers(0, 30)),
    min_size=1,
    max_size=4,
)
# One that Pillow reads by its metadata as well: orientation, a place, a colour profile.
EXIF = Image.Exif()
EXIF[0x0112] = 6
EXIF[0x010F] = "Tattletale"
EXIF.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
WHOLE = {
    kind: encoded(
        Image.effect_noise((30, 40), 80).convert("RGB"), kind, exif=EXIF, icc_profile=PROFILE
    )
    for kind in ("JPEG", "PNG", "WEBP")
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@given(st.sampled_from([*WHOLE]), DAMAGES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_picture_is_taken_or_refused_and_never_an_error(
    librarian, edition, kind, damages
):
    content = bytearray(WHOLE[kind])
    for at, more, less in damages:
        content[at : at + less] = more
    status = upload(librarian, edition, bytes(content)).status_code
    assert status in (200, 400, 413, 415)
    assert files() == known()


# How large it may be


def test_five_megabytes_are_taken_and_a_byte_more_is_413(librarian, edition):
    content = plain()
    put(librarian, edition, content + bytes(MAX_BYTES - len(content)))
    answer = upload(librarian, edition, content + bytes(MAX_BYTES - len(content) + 1))
    assert (answer.status_code, answer.json()["detail"]) == (413, "A cover has 5 MB at most.")
    assert version(edition) == 2


def test_a_body_that_is_too_large_by_its_length_is_refused_before_it_is_read(librarian, edition):
    class Unread(BytesIO):
        def read(self, *args):
            raise AssertionError("It was read.")

    boundary = "multipart/form-data; boundary=x"
    length = MAX_BYTES + 100_000
    answer = librarian.generic(
        "PUT",
        f"/api/editions/{edition.pk}/cover/",
        content_type=boundary,
        **{"CONTENT_LENGTH": str(length), "wsgi.input": Unread()},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_body_without_its_length_is_411(librarian, edition):
    path = f"/api/editions/{edition.pk}/cover/"
    answer = librarian.generic("PUT", path, HTTP_TRANSFER_ENCODING="chunked")
    assert answer.status_code == 411


@pytest.mark.parametrize(
    ("width", "height"),
    [(50_000, 50_000), (5001, 5000), (MAX_PIXELS + 1, 1), (2**31 - 1, 2**31 - 1)],
)
def test_a_header_that_tells_too_many_pixels_is_refused_before_any_is_decoded(
    librarian, edition, width, height
):
    answer = upload(librarian, edition, png_that_says(width, height))
    assert (answer.status_code, answer.json()["detail"]) == (
        413,
        "A cover has 25 megapixels at most.",
    )
    # With as many as may be it goes on, and finds that there is no picture.
    assert upload(librarian, edition, png_that_says(5000, 5000)).status_code == 400


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_so_it_is_where_warnings_say_nothing(librarian, edition):
    assert upload(librarian, edition, png_that_says(5001, 5000)).status_code == 413


def test_a_picture_of_nothing_is_no_picture(librarian, edition):
    assert upload(librarian, edition, png_that_says(0, 10)).status_code in (400, 415)


def test_25_megapixels_are_taken(librarian, edition):
    cover = put(librarian, edition, encoded(Image.new("L", (25_000, 1000)), "PNG"))
    assert stored(cover["url"]).size == (25_000, 1000)
    assert stored(cover["thumbnail"]).size == (THUMBNAIL, 16)


# As it looks, and nothing else


def colors(picture, *places):
    return [picture.convert("RGBA").getpixel(place) for place in places]


def near(one, other):
    return all(
        abs(a - b) <= 12
        for left, right in zip(one, other, strict=True)
        for a, b in zip(left, right, strict=True)
    )


RED, BLUE, CLEAR = (255, 0, 0, 255), (0, 0, 255, 255), (0, 0, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_that_a_camera_noted_is_applied(librarian, edition, kind, orientation):
    picture = Image.new("RGB", (64, 32), "blue")
    picture.paste("red", (0, 0, 32, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    sent = encoded(picture, kind, exif=exif)
    shown = stored(put(librarian, edition, sent)["url"])
    expected = ImageOps.exif_transpose(Image.open(BytesIO(sent)))
    assert shown.size == expected.size == ((32, 64) if orientation > 4 else (64, 32))
    corners = [
        (4, 4),
        (shown.width - 4, 4),
        (4, shown.height - 4),
        (shown.width - 4, shown.height - 4),
    ]
    assert near(colors(shown, *corners), colors(expected, *corners))
    assert shown.getexif().get(0x0112) is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_is_stored_but_what_can_be_seen(librarian, edition, kind):
    notes = {"exif": EXIF, "xmp": b"<x:xmpmeta>Tattletale</x:xmpmeta>", "icc_profile": PROFILE}
    if kind == "JPEG":
        notes["comment"] = b"Tattletale"
    if kind == "PNG":
        del notes["xmp"]
        notes["pnginfo"] = PngInfo()
        notes["pnginfo"].add_text("Comment", "Tattletale")
        notes["pnginfo"].add_itxt("XML:com.adobe.xmp", "Tattletale")
    sent = encoded(Image.new("RGB", (500, 500), "red"), kind, **notes)
    assert b"Tattletale" in sent
    # What is behind the picture is no part of it.
    cover = put(librarian, edition, sent + b"Tattletale")
    for path in cover.values():
        with default_storage.open(path.removeprefix("/media/")) as file:
            assert b"Tattletale" not in file.read()
        picture = stored(path)
        assert not dict(picture.getexif())
        assert set(picture.info) <= {
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
            "loop",
            "background",
            "timestamp",
            "duration",
        }
        assert near(colors(picture, (9, 9)), [RED])


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_metadata_that_is_broken_costs_the_picture_nothing(librarian, edition):
    sent = encoded(Image.new("RGB", (64, 32)), exif=b"Exif\0\0II*\0" + b"\xff" * 40)
    assert stored(put(librarian, edition, sent)["url"]).size == (64, 32)


def test_print_colors_become_those_of_a_screen(librarian, edition):
    picture = Image.new("CMYK", (60, 60), (0, 255, 255, 0))
    shown = stored(put(librarian, edition, encoded(picture))["url"])
    assert shown.mode == "RGB"
    assert near(colors(shown, (9, 9)), [RED])


def test_colors_of_another_profile_become_srgb(librarian, edition):
    swapped = swapped_profile()
    sent = encoded(Image.new("RGB", (60, 60), (0, 255, 0)), "PNG", icc_profile=swapped)
    [shown] = colors(stored(put(librarian, edition, sent)["url"]), (9, 9))
    expected = ImageCms.profileToProfile(
        Image.new("RGB", (1, 1), (0, 255, 0)),
        ImageCms.ImageCmsProfile(BytesIO(swapped)),
        ImageCms.createProfile("sRGB"),
    ).getpixel((0, 0))
    assert shown[:3] == expected != (0, 255, 0)
    # A profile of other colours than the picture's says nothing.
    sent = encoded(Image.new("RGB", (60, 60), (0, 255, 0)), "PNG", icc_profile=b"no profile")
    assert colors(stored(put(librarian, edition, sent)["url"]), (9, 9)) == [(0, 255, 0, 255)]


def swapped_profile():
    """The profile of sRGB with its primaries of red and green exchanged."""
    profile = bytearray(PROFILE)
    profile = bytes(profile)
    return profile.replace(b"rXYZ", b"\0tmp").replace(b"gXYZ", b"rXYZ").replace(b"\0tmp", b"gXYZ")


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_stays(librarian, edition, kind, mode):
    picture = Image.new(mode, (60, 60), 0)
    picture.paste(Image.new(mode, (30, 60), "white"), (0, 0))
    cover = put(
        librarian, edition, encoded(picture, kind, **({"lossless": True} if kind == "WEBP" else {}))
    )
    for path in cover.values():
        opaque, clear = colors(stored(path), (5, 30), (55, 30))
        assert near([opaque], [(255, 255, 255, 255)])
        assert clear[3] == 0


def test_a_palette_keeps_its_colors_and_its_hole(librarian, edition):
    picture = Image.new("P", (60, 60), 0)
    picture.putpalette([255, 0, 0, 0, 0, 255, 0, 255, 0])
    ImageDraw.Draw(picture).rectangle((30, 0, 59, 59), fill=1)
    shown = stored(put(librarian, edition, encoded(picture, "PNG"))["url"])
    assert colors(shown, (5, 5), (50, 5)) == [RED, BLUE]
    shown = stored(put(librarian, edition, encoded(picture, "PNG", transparency=1))["url"])
    assert colors(shown, (5, 5))[0] == RED
    assert colors(shown, (50, 5))[0][3] == 0


@pytest.mark.parametrize(
    ("mode", "value", "grey"), [("1", 1, 255), ("L", 128, 128), ("I;16", 128 * 257, 128)]
)
def test_grey_of_any_depth_stays_that_grey(librarian, edition, mode, value, grey):
    shown = stored(put(librarian, edition, encoded(Image.new(mode, (60, 60), value), "PNG"))["url"])
    assert colors(shown, (5, 5)) == [(grey, grey, grey, 255)]


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "MPO"])
def test_of_several_pictures_the_first_is_the_cover(librarian, edition, kind):
    frames = [Image.new("RGB", (60, 60), color) for color in ("red", "blue", "green")]
    sent = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    shown = stored(put(librarian, edition, sent)["url"])
    assert getattr(shown, "n_frames", 1) == 1
    assert near(colors(shown, (9, 9)), [RED])


# Requests that are none


def part(name="file", content=b"", filename="cover.jpg"):
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return b"--x\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"


def raw(client, edition, body, content_type="multipart/form-data; boundary=x"):
    path = f"/api/editions/{edition.pk}/cover/"
    return client.generic("PUT", path, body, content_type)


END = b"--x--\r\n"


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (END, [("/file", "required")]),
        (part("cover", plain()) + END, [("/cover", "unknown"), ("/file", "required")]),
        (part(content=plain()) * 2 + END, [("/file", "repeated_key")]),
        (
            part(content=plain()) + part(content=b"x", filename=None) + END,
            [("/file", "repeated_key")],
        ),
        (part(content=plain()) + part("more", b"x", None) + END, [("/more", "unknown")]),
        (part(content=b"text", filename=None) + END, [("/file", "invalid")]),
        (part(content=b"") + END, [("/file", "empty")]),
    ],
    ids=["nothing", "another", "two", "file-and-text", "more", "text", "empty"],
)
def test_a_form_that_is_not_one_file_is_told_what_is_wrong(librarian, edition, body, faults):
    answer = raw(librarian, edition, body)
    assert answer.status_code == 400
    problem = answer.json()
    assert sorted((each["pointer"], each["code"]) for each in problem["errors"]) == faults
    assert files() == set()


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", None, 400, "invalid"),
        (b"x", "multipart/form-data", 400, "parse_error"),
        (b"no form", "multipart/form-data; boundary=x", 400, "invalid"),
        (b"{}", "application/json", 415, "unsupported_media_type"),
        (plain(), "image/jpeg", 415, "unsupported_media_type"),
        (b"file=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    ],
    ids=["empty", "no boundary", "no form", "json", "bare", "urlencoded"],
)
def test_a_body_that_is_no_form_is_a_problem(librarian, edition, body, content_type, status, code):
    answer = raw(librarian, edition, body, content_type or "")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"


def test_other_methods_and_parameters_and_editions_are_refused(librarian, edition):
    path = f"/api/editions/{edition.pk}/cover/"
    for method in ("GET", "POST", "PATCH"):
        assert librarian.generic(method, path).status_code == 405
    assert raw(librarian, edition, part(content=plain()) + END).status_code == 200
    assert librarian.delete(f"{path}?x=1").status_code == 400
    edition.pk += 1
    assert upload(librarian, edition).status_code == 404
    assert librarian.delete(f"/api/editions/{edition.pk}/cover/").status_code == 404
    for nothing in (f"/api/editions/{edition.pk}/", "/api/editions/"):
        assert librarian.get(nothing).status_code == 404


def test_a_person_who_puts_by_a_browser_gets_a_page(librarian, edition):
    answer = librarian.put(
        f"/api/editions/{edition.pk}/cover/",
        {"file": SimpleUploadedFile("x", plain())},
        format="multipart",
        HTTP_ACCEPT="text/html",
    )
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")


# No file is lost, and none is left behind


def of_book(client, edition):
    send(client, "DELETE", f"/books/{edition.book_id}/", status=204)


def of_its_url(client, edition):
    send(client, "DELETE", f"/books/{edition.book_id}/editions/{edition.pk}/", status=204)


def of_nested_list(client, edition):
    send(client, "PATCH", f"/books/{edition.book_id}/", {"editions": [{"pages": 3}]})


def of_code(client, edition):
    Book.objects.filter(pk=edition.book_id).delete()


@pytest.mark.parametrize("deletion", [of_book, of_its_url, of_nested_list, of_code])
def test_with_its_edition_a_cover_goes_and_no_other(librarian, edition, deletion):
    other = book("Other", isbns=[isbn(2)]).editions.get()
    put(librarian, edition)
    kept = put(librarian, other)
    assert len(files()) == 4
    deletion(librarian, edition)
    assert not Edition.objects.filter(pk=edition.pk).exists()
    assert files() == known() == {path.removeprefix("/media/") for path in kept.values()}


@pytest.mark.parametrize("deletion", [of_book, of_nested_list])
def test_a_deletion_that_is_rolled_back_loses_no_file(librarian, edition, deletion):
    cover = put(librarian, edition)
    with transaction.atomic():
        deletion(librarian, edition)
        assert len(files()) == 2
        transaction.set_rollback(True)
    assert edition_of(librarian, edition)["cover"] == cover
    assert files() == known()
    assert len(files()) == 2


def refuse(**kwargs):
    raise Refused([Fault("invalid", "No covers today.", pointer="/file")])


def fail(execute, sql, params, many, context):
    if sql.startswith("UPDATE"):
        raise DatabaseError("The disk is full.")
    return execute(sql, params, many, context)


def test_an_upload_that_is_refused_or_fails_leaves_all_as_it_was(librarian, edition):
    cover = put(librarian, edition)
    before = files()
    rows_written.connect(refuse)
    try:
        assert upload(librarian, edition).status_code == 400
        assert librarian.delete(f"/api/editions/{edition.pk}/cover/").status_code == 400
    finally:
        rows_written.disconnect(refuse)
    librarian.raise_request_exception = False
    with connection.execute_wrapper(fail):
        assert upload(librarian, edition).status_code == 500
    assert edition_of(librarian, edition)["cover"] == cover
    assert (files(), version(edition)) == (before, 2)


def test_a_write_whose_commit_nobody_heard_of_keeps_its_files(librarian, edition, monkeypatch):
    """The commit arrived, and its answer was lost."""
    librarian.raise_request_exception = False
    commit = connection.commit

    def lose_answer():
        commit()
        raise OperationalError("The connection is closed.")

    monkeypatch.setattr(connection, "commit", lose_answer)
    assert upload(librarian, edition).status_code >= 500
    monkeypatch.undo()
    cover = edition_of(librarian, edition)["cover"]
    assert cover is not None
    assert files() == known()
    assert len(files()) == 2


def test_a_file_goes_with_the_outermost_write_that_fails(edition):
    @new_files()
    def write():
        with new_files():
            edition.cover.save("a.jpg", ContentFile(b"x"), save=False)
        assert len(files()) == 1
        raise DatabaseError("The disk is full.")

    with pytest.raises(DatabaseError):
        write()
    assert files() == set()


def test_a_disk_that_is_full_keeps_no_part_of_a_cover(librarian, edition, monkeypatch):
    cover = put(librarian, edition)
    before = files()
    librarian.raise_request_exception = False
    for whole in (0, 1):
        left = [whole]

        def chunks(content, chunk_size=None, left=left):
            data = content.read()
            yield data[:100]
            left[0] -= 1
            if left[0] < 0:
                raise OSError(ENOSPC, "No space left on device")
            yield data[100:]

        monkeypatch.setattr(ContentFile, "chunks", chunks)
        answer = upload(librarian, edition)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert (answer.json()["code"], answer.json()["detail"]) == (
            "unavailable",
            "No file can be stored now. Try again.",
        )
        assert left == [-1]
        assert files() == before
    monkeypatch.undo()
    assert edition_of(librarian, edition)["cover"] == cover


def test_a_storage_that_fails_to_remove_spoils_no_write(librarian, edition, monkeypatch):
    put(librarian, edition)

    def fail(name):
        raise OSError("The disk does not answer.")

    monkeypatch.setattr(default_storage._wrapped, "delete", fail)
    second = put(librarian, edition)
    assert edition_of(librarian, edition)["cover"] == second


def test_any_storage_will_do(librarian, edition, settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    cover = put(librarian, edition)
    assert stored(cover["url"]).size == (60, 90)
    assert edition_of(librarian, edition)["cover"] == cover
    send(librarian, "DELETE", f"/editions/{edition.pk}/cover/", status=204)
    assert default_storage.listdir("covers") == ([], [])


# Many at once


@pytest.fixture
def sent(edition, at_once, librarian):
    """`sent(4, request)` sends request(0) … request(3) at once: a method, a path and a picture."""

    def call(request):
        client = APIClient(raise_request_exception=False)
        client.force_authenticate(librarian.user)
        method, path, picture = request
        body = {} if picture is None else {"file": SimpleUploadedFile("x", picture)}
        answer = getattr(client, method.lower())(f"/api{path}", body, format="multipart")
        return answer.status_code, json.loads(answer.content) if answer.content else None

    def sent(times, request):
        return at_once(lambda number: call(request(number)), times)

    return sent


def test_of_uploads_at_once_the_last_stays_and_no_file_of_the_others(sent, edition):
    path = f"/editions/{edition.pk}/cover/"
    answers = sent(6, lambda number: ("PUT", path, plain(color=(number, 0, 0))))
    assert [status for status, _ in answers] == [200] * 6
    assert version(edition) == 7
    assert files() == known()
    assert len(files()) == 2
    assert f"/media/{Edition.objects.get().cover.name}" in {cover["url"] for _, cover in answers}


@pytest.mark.parametrize("what", ["book", "edition", "list", "cover"])
@pytest.mark.parametrize("attempt", range(2))
def test_a_cover_that_comes_while_its_edition_goes_leaves_no_file(sent, edition, what, attempt):
    path = f"/editions/{edition.pk}/cover/"
    deletions = {
        "book": f"/books/{edition.book_id}/",
        "edition": f"/books/{edition.book_id}/editions/{edition.pk}/",
        "list": f"/books/{edition.book_id}/editions/{edition.pk}/",
        "cover": path,
    }
    answers = sent(
        6,
        lambda number: ("DELETE", deletions[what], None) if number == 3 else ("PUT", path, plain()),
    )
    statuses = [status for status, _ in answers]
    assert statuses[3] == 204
    assert set(statuses[:3] + statuses[4:]) <= ({200} if what == "cover" else {200, 404})
    assert files() == known()
    assert Edition.objects.exists() == (what == "cover")
    assert not Author.objects.exists()


# In the admin


@pytest.fixture
def desk(db):
    return browser("librarian")


def keep(desk, edition, content=None, **changes):
    """Open the page of the edition's book, choose a picture for its cover, press Save."""
    chosen = {"editions-0-cover": SimpleUploadedFile("x" * 200, content)} if content else {}
    return save(desk, page(edition.book), **chosen, **changes)


def test_a_librarian_keeps_covers_in_the_admin(desk, anonymous, edition):
    saved(keep(desk, edition, plain("PNG", (600, 900))))
    cover = edition_of(anonymous, edition)["cover"]
    assert (stored(cover["url"]).format, stored(cover["thumbnail"]).size) == ("PNG", (267, 400))
    assert (version(edition), files()) == (2, known())
    assert cover["url"] in desk.get(page(edition.book)).content.decode()
    # Another change leaves it, another picture replaces it.
    saved(keep(desk, edition, **{"editions-0-pages": 9}))
    assert edition_of(anonymous, edition)["cover"] == cover
    saved(keep(desk, edition, plain()))
    assert edition_of(anonymous, edition)["cover"]["url"].endswith(".jpg")
    assert (version(edition), files(), len(files())) == (4, known(), 2)
    saved(keep(desk, edition, **{"editions-0-cover-clear": "on"}))
    assert edition_of(anonymous, edition)["cover"] is None
    assert (version(edition), files()) == (5, set())


def test_a_new_edition_in_the_admin_may_have_a_cover(desk, anonymous, edition):
    new = {
        "editions-TOTAL_FORMS": 2,
        "editions-1-format": "ebook",
        "editions-1-cover": SimpleUploadedFile("x", plain()),
    }
    saved(save(desk, page(edition.book), **new))
    made = Edition.objects.exclude(pk=edition.pk).get()
    assert stored(edition_of(anonymous, made)["cover"]["url"]).size == (60, 90)
    assert files() == known()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (plain("GIF"), "A cover is a picture in JPEG, PNG or WebP."),
        (plain() + bytes(MAX_BYTES), "A cover has 5 MB at most."),
        (png_that_says(50_000, 50_000), "A cover has 25 megapixels at most."),
        (png_that_says(50, 50), "The picture is broken or incomplete."),
    ],
    ids=["gif", "bytes", "pixels", "broken"],
)
def test_the_admin_takes_what_the_api_takes(desk, librarian, edition, content, complaint):
    put(librarian, edition)
    before = files()
    assert errors(keep(desk, edition, content)) == {"editions-0-cover": [complaint]}
    assert (files(), version(edition)) == (before, 2)


def test_a_page_that_fails_to_be_saved_leaves_all_as_it_was(desk, librarian, edition):
    put(librarian, edition)
    before = files()
    form = filled_in(desk.get(page(edition.book)))
    form["editions-0-cover"] = SimpleUploadedFile("x", plain())
    desk.raise_request_exception = False
    with connection.execute_wrapper(fail):
        assert desk.post(page(edition.book), form).status_code == 500
    assert (files(), version(edition)) == (before, 2)
    assert files() == known()


@pytest.mark.parametrize("how", ["inline", "page", "list"])
def test_what_the_admin_deletes_goes_with_its_cover(desk, librarian, edition, how):
    put(librarian, edition)
    match how:
        case "inline":
            saved(keep(desk, edition, **{"editions-0-DELETE": "on"}))
        case "page":
            saved(desk.post(f"/admin/books/book/{edition.book_id}/delete/", {"post": "yes"}))
        case "list":
            chosen = {"action": "delete_selected", "_selected_action": edition.book_id}
            saved(desk.post("/admin/books/book/", {**chosen, "post": "yes"}))
    assert not Edition.objects.exists()
    assert files() == set()


def test_a_book_with_200_editions_can_be_saved_in_the_admin(desk, edition):
    Edition.objects.bulk_create(Edition(book=edition.book) for _ in range(199))
    form = filled_in(desk.get(page(edition.book))) | {"editions-7-pages": 77}
    body = [
        part(name, str(value).encode(), None)
        for name, values in form.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    # A browser sends each input for a file, with no name where none is chosen.
    body += [
        part(f"editions-{i}-cover").replace(b'filename="cover.jpg"', b'filename=""')
        for i in [*range(200), "__prefix__"]
    ]
    answer = desk.post(page(edition.book), b"".join(body) + END, "multipart/form-data; boundary=x")
    assert saved(answer)
    assert Edition.objects.filter(pages=77).count() == 1
