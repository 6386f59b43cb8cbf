"""Picture files: good ones, and each kind that is refused."""

from __future__ import annotations

import itertools
import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image

_colours = itertools.count(1)


def picture(width: int = 48, height: int = 64, kind: str = "PNG", **options: Any) -> bytes:
    """A file of one colour; no two calls give the same one."""
    colour = next(_colours)
    image = Image.new("RGB", (width, height), (colour & 255, colour >> 8 & 255, 128))
    # Lossy codecs would make neighbours equal.
    image.putpixel((0, 0), (colour >> 8 & 255, 0, colour & 255))
    if kind == "JPEG":
        options.setdefault("comment", str(colour))
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def animation() -> bytes:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    file = BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    return file.getvalue()


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few bytes that claims to have billions of pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def corrupt() -> bytes:
    """A PNG with a byte in the middle of its pixels changed."""
    data = bytearray(picture(200, 200))
    middle = data.index(b"IDAT") + 12
    data[middle] ^= 0xFF
    return bytes(data)


UNUSABLE = {
    "empty": b"",
    "text": b"<html>no picture</html>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "pdf": b"%PDF-1.7\n",
    "truncated": picture(300, 300, "JPEG", quality=95)[:400],
    "truncated png": picture(300, 300)[:-20],
    "corrupt": corrupt(),
    "animated": animation(),
    "bomb": bomb(),
    "tiny": picture(8, 8),
}
