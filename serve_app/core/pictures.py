"""How the studio keeps a picture: upright, sRGB, without metadata, with a thumbnail."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from configs.settings import MediaSettings
from serve_app.core.images import (
    CONTENT_TYPES,
    SUFFIXES,
    InputFormat,
    Pixels,
    open_image,
    srgb_pixels,
)

_THUMBNAIL_SIDE = 512
_COLOUR_SIDE = 96
# From here on in every channel it is the white of a studio's background.
_NEAR_WHITE = 240
_OPAQUE = 128
# What browsers show as sRGB without being told.
_PLAIN_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}
# What tells nothing about the camera, its owner or the place. The rest of a file is metadata.
_PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"sRGB", b"pHYs"}
_WEBP_CHUNKS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
_JPEG_SEGMENTS = {"APP0", "APP14"}  # JFIF and Adobe: how the colours are coded
_JPEG_END = b"\xff\xd9"
_METADATA = {"exif", "icc_profile", "xmp"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is stored.

    ``width`` and ``height`` are in pixels, ``sha256`` of ``data`` in lower-case hexadecimal,
    ``dominant_color`` as ``#rrggbb``. The thumbnail is a WebP.
    """

    data: bytes
    thumbnail: bytes
    suffix: str
    content_type: str
    width: int
    height: int
    sha256: str
    dominant_color: str


def prepare(data: bytes, limits: MediaSettings) -> Picture:
    """Check a picture file, and make of it what is stored. The file itself is, if it is upright,
    sRGB and without metadata; else it is encoded again in its own format. The same file gives the
    same bytes.

    Raises:
        InvalidImage: it cannot be used; the subclass and the text say why.
    """
    name, image = open_image(data, limits)
    pixels = srgb_pixels(image)
    if not _is_plain(name, image, data):
        data = _encode(pixels, name, **_options(name, data))
    height, width = pixels.shape[:2]
    small = _scaled(pixels, _THUMBNAIL_SIDE)
    return Picture(
        data=data,
        thumbnail=_encode(small, "webp", quality=82, method=4),
        suffix=SUFFIXES[name],
        content_type=CONTENT_TYPES[name],
        width=width,
        height=height,
        sha256=hashlib.sha256(data).hexdigest(),
        dominant_color=dominant_color(small),
    )


def dominant_color(pixels: Pixels) -> str:
    """The colour that most of the picture has, as ``#rrggbb``, leaving out a background that is
    nearly white or transparent.

    Args:
        pixels: (height, width, 3 or 4), sRGB.
    """
    points = _scaled(pixels, _COLOUR_SIDE).reshape(-1, pixels.shape[2])
    if points.shape[1] == 4:
        points = points[points[:, 3] >= _OPAQUE]
    points = points[:, :3]
    if coloured := (points.min(axis=1) < _NEAR_WHITE).sum():
        # A few dark specks on white are no product.
        enough = coloured * 200 >= len(points)
        points = points[points.min(axis=1) < _NEAR_WHITE] if enough else points
    if not len(points):
        return "#ffffff"
    # Thirty-two steps of a channel in one bin, so that folds and shadows of a fabric stay together.
    bins = points.astype(np.int64) >> 5
    keys = bins[:, 0] << 6 | bins[:, 1] << 3 | bins[:, 2]
    largest = points[keys == np.bincount(keys).argmax()]
    red, green, blue = (round(float(value)) for value in largest.mean(axis=0))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _is_plain(name: InputFormat, image: Image.Image, data: bytes) -> bool:
    """Whether the file may be stored as it is."""
    if image.mode not in _PLAIN_MODES or _METADATA & image.info.keys():
        return False
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        return False
    match name:
        case "jpeg":
            segments = {segment for segment, _ in getattr(image, "applist", ())}
            # Phones put whole videos behind the end.
            return segments <= _JPEG_SEGMENTS and data.endswith(_JPEG_END)
        case "png":
            return set(_png_chunks(data)) <= _PNG_CHUNKS and data[-8:-4] == b"IEND"
        case "webp":
            return set(_webp_chunks(data)) <= _WEBP_CHUNKS
        case "avif":
            return True


def _png_chunks(data: bytes) -> list[bytes]:
    """Names of the chunks (PNG, third edition, section 5.3)."""
    names, at = [], 8
    while at + 8 <= len(data):
        names.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big") + 12
    return names


def _webp_chunks(data: bytes) -> list[bytes]:
    """Names of the chunks (RFC 9649, section 2.3), and of what comes behind the end."""
    names, at = [], 12
    while at + 8 <= len(data):
        names.append(data[at : at + 4])
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return names


def _options(name: InputFormat, data: bytes) -> dict[str, Any]:
    match name:
        case "jpeg":
            return {"quality": 94, "subsampling": "4:4:4"}
        case "png":
            return {"compress_level": 4}
        case "webp":
            return {"quality": 94, "method": 4, "lossless": b"VP8L" in _webp_chunks(data)}
        case "avif":
            return {"quality": 90, "speed": 8}


def _encode(pixels: Pixels, name: InputFormat, **options: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, format=name, **options)
    return file.getvalue()


def _scaled(pixels: Pixels, side: int) -> Pixels:
    """Scaled down so that no side is longer."""
    if max(pixels.shape[:2]) <= side:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.array(image)
