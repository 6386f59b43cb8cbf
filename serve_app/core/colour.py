"""Decoded pictures of any kind to upright 8-bit sRGB."""

from __future__ import annotations

from io import BytesIO
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms

Pixels = npt.NDArray[np.uint8]

_SRGB = ImageCms.createProfile("sRGB")
# Exif 2.32, tag 274: what has to be done to a picture to see it upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Colour spaces as ICC profiles name them, by Pillow mode.
_PROFILE_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}


def to_srgb(image: Image.Image) -> Pixels:
    """Pixels of a loaded picture: upright, through its ICC profile, 8 bits.

    Returns:
        (height, width, 3) RGB, or (height, width, 4) RGBA if the picture has transparency.
    """
    profile = image.info.get("icc_profile")
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    colour = _as_rgb(_eight_bit(image), profile)
    if alpha is not None:
        colour.putalpha(alpha)
    return np.array(colour)


def flatten_on_white(pixels: Pixels) -> Pixels:
    """(height, width, 3 or 4) to (height, width, 3): white shows where alpha is low."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    blended = (pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return cast("Pixels", blended.astype(np.uint8))


def _eight_bit(image: Image.Image) -> Image.Image:
    """One of the modes L, RGB, CMYK."""
    if image.mode.startswith("I"):
        # 16-bit greyscale; Pillow's own conversion would clip it instead of scaling.
        values = np.asarray(image).astype(np.uint32).clip(0, 65535)
        return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    if image.mode == "LA":
        return image.convert("L")
    return image if image.mode in _PROFILE_SPACES else image.convert("RGB")


def _as_rgb(image: Image.Image, profile: object) -> Image.Image:
    if isinstance(profile, bytes):
        try:
            return _through_profile(image, profile)
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile does not make the picture unusable
    return image.convert("RGB")


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    if source.profile.xcolor_space != _PROFILE_SPACES[image.mode]:
        return image.convert("RGB")
    converted = ImageCms.profileToProfile(
        image,
        source,
        _SRGB,
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None
    return converted
