"""Untrusted pictures in, pictures with their recipe out.

Nothing here touches Pillow's global switches, so every function may run in any thread. Pillow's
format classes are called directly: ``Image.open`` would consult the process-wide pixel limit and
accept formats that nobody asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from typing import IO, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile, PngInfo
from PIL.WebPImagePlugin import WebPImageFile

from configs.settings import MediaSettings
from serve_app.core.colour import flatten_on_white, to_srgb
from serve_app.core.errors import InvalidInput

# (height, width, 3) RGB or (height, width, 4) RGBA with straight alpha, sRGB.
Pixels = npt.NDArray[np.uint8]
T = TypeVar("T")
InputFormat = Literal["jpeg", "png", "webp", "avif"]
OutputFormat = Literal["jpeg", "png", "webp"]

CONTENT_TYPES: Mapping[str, str] = {
    name: f"image/{name}" for name in ("jpeg", "png", "webp", "avif")
}
# Of names in storage.
SUFFIXES: Mapping[str, str] = {"jpeg": "jpg", "png": "png", "webp": "webp", "avif": "avif"}
_DEFAULT_LIMITS = MediaSettings()
# Our own results may be larger than what we take in; reading a header costs the same for all.
_HEADER_ONLY = MediaSettings(min_side=1, max_pixels=2**31, max_upload_bytes=2**31)
_SOFTWARE = f"Sartiq {version('sartiq')}"
# Exif prefixes a user comment with its character set, in eight bytes.
_ASCII = b"ASCII\0\0\0"
# One JPEG segment holds the whole Exif block: 65,533 bytes, less its own structure.
_MAX_RECIPE_BYTES = 60_000
_PNG_RECIPE = "parameters"
_PNG_END = b"IEND\xaeB`\x82"
_DAMAGED = "the picture is damaged or cut off; export it again"
# Each scan of a progressive JPEG is a pass over all pixels, however few bytes it has; encoders
# write about ten, an attacker thousands.
_START_OF_SCAN = b"\xff\xda"
_MAX_SCANS = 64


class InvalidImage(InvalidInput):
    """The bytes are no picture the platform can work with."""

    code = "invalid_image"


class UnsupportedImage(InvalidImage):
    """A format that is not taken, or no picture at all."""

    status_code = 415
    code = "unsupported_image"


class CorruptImage(InvalidImage):
    """The file is damaged or cut off."""

    code = "corrupt_image"


class AnimatedImage(InvalidImage):
    """The file holds more than one frame."""

    code = "animated_image"


class ImageTooSmall(InvalidImage):
    """A side is shorter than the least that is taken."""

    code = "image_too_small"


class ImageTooLarge(InvalidImage):
    """Too many pixels or too many bytes; found from the header, before anything is decoded."""

    status_code = 413
    code = "image_too_large"


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a picture file is.

    ``width`` and ``height`` are in pixels as the picture is meant to be seen, that is, after its
    Exif orientation; ``size`` is the file's in bytes; ``sha256`` is lower-case hexadecimal.
    """

    format: InputFormat
    content_type: str
    width: int
    height: int
    sha256: str
    size: int


def inspect_image(data: bytes, limits: MediaSettings = _DEFAULT_LIMITS) -> ImageInfo:
    """Check a picture file down to its last pixel and describe it.

    Raises:
        InvalidImage: it cannot be used; the subclass and the text say why.
    """
    name, image = open_image(data, limits)
    width, height = image.size
    if image.getexif().get(ExifTags.Base.Orientation) in {5, 6, 7, 8}:
        width, height = height, width
    digest = hashlib.sha256(data).hexdigest()
    return ImageInfo(name, CONTENT_TYPES[name], width, height, digest, len(data))


def open_image(
    data: bytes, limits: MediaSettings = _DEFAULT_LIMITS
) -> tuple[InputFormat, Image.Image]:
    """A picture file, checked down to its last pixel, with all that stands in it.

    Raises:
        InvalidImage: as for `inspect_image`.
    """
    name, image = _open(data, limits)
    _load(image)
    return name, image


def srgb_pixels(image: Image.Image) -> Pixels:
    """Pixels of an opened picture: upright, sRGB, 8 bits a channel, with alpha if it has any.

    Raises:
        CorruptImage: its colours cannot be read.
    """
    return _decoding(lambda: to_srgb(image))


def decode_pixels(
    data: bytes, limits: MediaSettings = _DEFAULT_LIMITS, *, keep_alpha: bool = False
) -> Pixels:
    """Decode a picture file to sRGB, 8 bits a channel, upright.

    Args:
        data: the file.
        limits: on its pixels and bytes.
        keep_alpha: return RGBA if the picture has transparency, instead of white behind it.

    Returns:
        (height, width, 3), or (height, width, 4) where alpha is kept.

    Raises:
        InvalidImage: as for `inspect_image`.
    """
    _, image = open_image(data, limits)
    pixels = srgb_pixels(image)
    return pixels if keep_alpha else flatten_on_white(pixels)


def encode_image(
    pixels: Pixels,
    format: OutputFormat,  # noqa: A002  the field's own word, and the API's
    recipe: Mapping[str, object] | None = None,
) -> bytes:
    """Encode a picture with the recipe that made it in its metadata.

    JPEG is 4:4:4 and has white where the picture is transparent; PNG and WebP keep alpha.

    Args:
        pixels: (height, width, 3 or 4).
        format: of the file.
        recipe: JSON-serializable; written to Exif ``UserComment`` and, in PNG, to the text chunk
            ``parameters`` too.

    Raises:
        ValueError: the recipe does not fit into a file's metadata.
    """
    if format == "jpeg":
        pixels = flatten_on_white(pixels)
    # Escaped to ASCII, so that no reader has to guess a character set.
    text = "" if recipe is None else json.dumps(recipe, separators=(",", ":"), allow_nan=False)
    if len(text) > _MAX_RECIPE_BYTES:
        raise ValueError(f"the recipe takes {len(text)} bytes, at most {_MAX_RECIPE_BYTES} fit")
    file = BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.save(file, format=format, exif=_exif(text), **_encoder_options(format, text))
    return file.getvalue()


def read_recipe(data: bytes) -> dict[str, object] | None:
    """The recipe that `encode_image` embedded, or None if there is none."""
    try:
        _, image = _open(data, _HEADER_ONLY)
    except InvalidImage:
        return None
    comment = _decoding(lambda: image.getexif().get_ifd(ExifTags.IFD.Exif)).get(
        ExifTags.Base.UserComment
    )
    text = comment[len(_ASCII) :] if isinstance(comment, bytes) else image.info.get(_PNG_RECIPE)
    try:
        recipe = json.loads(text or "")
    except (TypeError, ValueError):
        return None
    return recipe if isinstance(recipe, dict) else None


def _exif(recipe: str) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = _SOFTWARE
    if recipe:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = _ASCII + recipe.encode("ascii")
    return exif


def _encoder_options(format: OutputFormat, recipe: str) -> dict[str, Any]:  # noqa: A002
    match format:
        case "jpeg":
            return {"quality": 94, "subsampling": "4:4:4"}
        case "webp":
            return {"quality": 94, "method": 4}
        case "png":
            chunks = PngInfo()
            chunks.add_text("Software", _SOFTWARE)
            if recipe:
                chunks.add_text(_PNG_RECIPE, recipe)
            # Level 4 costs half the time of the default 6 for a few per cent more bytes.
            return {"compress_level": 4, "pnginfo": chunks}


_READERS: Mapping[InputFormat, Callable[[IO[bytes]], Image.Image]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "webp": WebPImageFile,
    "avif": AvifImageFile,
}


def _open(data: bytes, limits: MediaSettings) -> tuple[InputFormat, Image.Image]:
    """Read the header and refuse what the header alone condemns."""
    if len(data) > limits.max_upload_bytes:
        raise ImageTooLarge(
            f"the picture has {len(data):,} bytes; at most {limits.max_upload_bytes:,} are taken"
        )
    name = _recognise(data)
    if name == "jpeg" and data.count(_START_OF_SCAN) > _MAX_SCANS:
        raise CorruptImage("the JPEG has too many scans; export it again")
    if name == "png" and _PNG_END not in data:
        # Pillow is content with pixels whose checksums are cut off.
        raise CorruptImage(_DAMAGED)
    if name == "webp" and (size := _webp_canvas(data)):
        # libwebp allocates the whole canvas as soon as it sees the header.
        _check_size(*size, limits)
    image = _decoding(lambda: _READERS[name](BytesIO(data)))
    _check_size(*image.size, limits)
    if getattr(image, "is_animated", False):
        raise AnimatedImage("the picture is animated; send a single frame")
    return name, image


def _recognise(data: bytes) -> InputFormat:
    """The format by content: names and declared types of uploads are not to be believed."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp" and data[8:12] in {b"avif", b"avis", b"mif1", b"msf1"}:
        return "avif"
    if not data:
        raise CorruptImage("the file is empty; send a JPEG, PNG, WebP or AVIF picture")
    raise UnsupportedImage("this is no picture in JPEG, PNG, WebP or AVIF; convert it to one")


def _webp_canvas(data: bytes) -> tuple[int, int] | None:
    """Width and height from the first chunk (RFC 9649, section 2); None if it is cut off."""
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if chunk == b"VP8X":
        return _le(body[4:7]) + 1, _le(body[7:10]) + 1
    if chunk == b"VP8L":
        bits = _le(body[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return _le(body[6:8]) & 0x3FFF, _le(body[8:10]) & 0x3FFF


def _le(field: bytes) -> int:
    return int.from_bytes(field, "little")


def _check_size(width: int, height: int, limits: MediaSettings) -> None:
    if width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"the picture is {width}x{height}, {width * height:,} pixels; "
            f"scale it down to at most {limits.max_pixels:,}"
        )
    if min(width, height) < limits.min_side:
        raise ImageTooSmall(
            f"the picture is {width}x{height}; both sides must have {limits.min_side} pixels"
        )


def _load(image: Image.Image) -> None:
    _decoding(image.load)


def _decoding(work: Callable[[], T]) -> T:
    try:
        return work()
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise some ten unrelated types
        raise CorruptImage(_DAMAGED) from error
