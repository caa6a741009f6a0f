"""Pictures that tests send, made here."""

import struct
import zlib
from io import BytesIO

from PIL import Image


def encoded(picture, kind="JPEG", **options):
    written = BytesIO()
    picture.save(written, kind, **options)
    return written.getvalue()


def plain(kind="JPEG", size=(60, 90), color="teal"):
    return encoded(Image.new("RGB", size, color), kind)


def png_that_says(width, height):
    """The first bytes of a PNG, whose header tells this size; there is nothing behind it."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
