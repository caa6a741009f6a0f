"""The cover of an edition: out of a picture that somebody sends, two of our own making.

What comes from outside is judged by its content, whatever its name and type say, and is encoded
anew, so that nothing of it is stored but what can be seen.
"""

import secrets
import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.files.base import ContentFile
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from project.api.models import HandedOn

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 25_000_000
# The longer side of a thumbnail, in pixels.
THUMBNAIL = 400
# What is taken, with the extension and the way in which it is written.
FORMATS: dict[str, tuple[str, dict[str, object]]] = {
    "JPEG": ("jpg", {"format": "JPEG", "quality": 90}),
    "PNG": ("png", {"format": "PNG"}),
    "WEBP": ("webp", {"format": "WEBP", "quality": 90}),
}
# How a picture is turned upright, by the orientation that its camera noted.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SRGB = ImageCms.createProfile("sRGB")

# When it has read the header, and nothing else, Pillow warns of more pixels, and refuses twice as
# many.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
TOO_MANY_PIXELS = "A cover has 25 megapixels at most."
BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# What Pillow raises where a file is not what its first bytes say.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error, zlib.error)


class Cover(NamedTuple):
    """A cover and its thumbnail, encoded, each with a name that no other file has."""

    cover: "ContentFile[bytes]"
    cover_thumbnail: "ContentFile[bytes]"


def make_cover(file: "File[bytes]") -> Cover:
    """A cover of this file, or a ValidationError.

    Its code is `too_large` (in bytes or pixels), `not_a_picture` (no JPEG, PNG or WebP), or
    `broken`. Of several pictures it is the first; the orientation that a camera noted is applied.
    """
    if (file.size or 0) > MAX_BYTES:
        raise ValidationError("A cover has 5 MB at most.", "too_large")
    try:
        opened = Image.open(file, formats=[*FORMATS])
    except BOMBS as error:
        raise ValidationError(TOO_MANY_PIXELS, "too_large") from error
    except UnidentifiedImageError as error:
        message = "A cover is a picture in JPEG, PNG or WebP."
        raise ValidationError(message, "not_a_picture") from error
    except BROKEN as error:
        raise ValidationError("The picture is broken.", "broken") from error
    if opened.width * opened.height > MAX_PIXELS:
        raise ValidationError(TOO_MANY_PIXELS, "too_large")
    # A JPEG with other pictures behind it calls itself MPO.
    extension, options = FORMATS.get(opened.format or "", FORMATS["JPEG"])
    try:
        opened.load()
    except BROKEN as error:
        raise ValidationError("The picture is broken or incomplete.", "broken") from error
    picture = _in_srgb(_upright(opened))
    small = picture.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    name = secrets.token_hex(16)
    return Cover(
        ContentFile(_encoded(picture, options), f"{name}.{extension}"),
        ContentFile(_encoded(small, options), f"{name}-thumbnail.{extension}"),
    )


def _upright(picture: Image.Image) -> Image.Image:
    # ImageOps.exif_transpose() writes the metadata anew as well, and fails where it cannot.
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation)
    except BROKEN:
        return picture
    turn = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return picture if turn is None else picture.transpose(turn)


def _in_srgb(picture: Image.Image) -> Image.Image:
    """The picture in 8 bits a channel of sRGB, with transparency where it has some."""
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    profile = picture.info.get("icc_profile")
    if picture.mode.startswith("I"):
        # Grey in 16 bits, which Pillow would cut off at 255.
        picture = picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if profile:
        coloured = picture if picture.mode == "CMYK" else picture.convert(mode)
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            to_srgb = ImageCms.buildTransform(source, SRGB, coloured.mode, mode)
            return to_srgb.apply(coloured)
        except (OSError, ImageCms.PyCMSError):
            """A profile that is broken, or of other colours than the picture's, says nothing."""
    return picture.convert(mode)


def _encoded(picture: Image.Image, options: Mapping[str, HandedOn]) -> bytes:
    # Out of it Pillow would write comments and profiles.
    picture.info = {}
    written = BytesIO()
    picture.save(written, **options)
    return written.getvalue()
