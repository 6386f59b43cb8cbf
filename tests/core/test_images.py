from __future__ import annotations

import hashlib
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from configs.settings import MediaSettings
from serve_app.core.images import (
    AnimatedImage,
    CorruptImage,
    ImageTooLarge,
    ImageTooSmall,
    InvalidImage,
    OutputFormat,
    Pixels,
    UnsupportedImage,
    decode_pixels,
    encode_image,
    inspect_image,
    read_recipe,
)

RECIPE = {"model": "atelier-tiny", "seed": 12345, "prompt": "Kleid, été, 連衣裙 🧵", "steps": 20}
FORMATS: list[OutputFormat] = ["jpeg", "png", "webp"]


def gradient(height: int = 48, width: int = 32, channels: int = 3) -> Pixels:
    """Smooth, different in every channel and direction, so that codecs keep it."""
    rows = np.linspace(0, 255, height)[:, None, None]
    columns = np.linspace(255, 0, width)[None, :, None]
    weights = np.linspace(0.2, 0.8, channels)[None, None, :]
    return (rows * weights + columns * (1 - weights)).astype(np.uint8)


def file(image: Image.Image | Pixels, kind: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def difference(a: Pixels, b: Pixels) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b.astype(int)).max())


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds almost nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def webp_header(width: int, height: int) -> bytes:
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif"])
def test_inspects_by_content(name: str) -> None:
    data = file(gradient(48, 32), name)
    info = inspect_image(data)
    assert (info.format, info.content_type) == (name, f"image/{name}")
    assert (info.width, info.height, info.size) == (32, 48, len(data))
    assert info.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif"])
def test_truncated_files_are_refused(name: str) -> None:
    data = file(gradient(256, 256), name)
    for cut in (12, len(data) // 2, len(data) - 20):
        with pytest.raises(CorruptImage, match="Invalid input: the picture is damaged or cut off"):
            inspect_image(data[:cut])
        with pytest.raises(CorruptImage):
            decode_pixels(data[:cut])


@pytest.mark.parametrize(
    "data",
    [b"hello", b"GIF89a" + bytes(50), b"%PDF-1.7", b"<svg/>", b"BM" + bytes(60), bytes(1000)],
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedImage, match="JPEG, PNG, WebP or AVIF") as caught:
        inspect_image(data)
    assert caught.value.status_code == 415


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(CorruptImage, match="empty"):
        inspect_image(b"")


@pytest.mark.parametrize(
    "data",
    [
        png_header(60_000, 60_000),
        png_header(7_000, 7_000),
        webp_header(16_000, 16_000),
        webp_header(16_777_216, 16_777_216),
    ],
)
def test_bombs_are_refused_from_the_header(data: bytes) -> None:
    with pytest.raises(
        ImageTooLarge, match="pixels; scale it down to at most 40,000,000"
    ) as caught:
        inspect_image(data)
    assert caught.value.status_code == 413
    with pytest.raises(ImageTooLarge):
        decode_pixels(data)


def test_the_limits_are_those_of_the_settings() -> None:
    data = file(gradient(48, 32))
    inspect_image(data, MediaSettings(max_pixels=48 * 32, min_side=32, max_upload_bytes=len(data)))
    with pytest.raises(ImageTooLarge, match="32x48, 1,536 pixels"):
        inspect_image(data, MediaSettings(max_pixels=48 * 32 - 1))
    with pytest.raises(ImageTooSmall, match="both sides must have 33 pixels"):
        inspect_image(data, MediaSettings(min_side=33))
    with pytest.raises(ImageTooLarge, match="bytes"):
        inspect_image(data, MediaSettings(max_upload_bytes=len(data) - 1))


def test_many_scans_in_few_bytes_are_refused() -> None:
    data = file(gradient(), "JPEG", progressive=True)
    inspect_image(data)
    scan = data.rindex(b"\xff\xda")
    with pytest.raises(CorruptImage, match="too many scans"):
        inspect_image(data[:-2] + data[scan:-2] * 100 + data[-2:])


@pytest.mark.parametrize("name", ["PNG", "WEBP", "AVIF"])
def test_animations_are_refused(name: str) -> None:
    frames = [Image.fromarray(gradient()), Image.fromarray(255 - gradient())]
    data = file(frames[0], name, save_all=True, append_images=frames[1:], duration=100)
    with pytest.raises(AnimatedImage, match="single frame"):
        inspect_image(data)


def test_pictures_with_a_second_one_inside_are_their_first() -> None:
    frames = [Image.fromarray(gradient()), Image.fromarray(255 - gradient())]
    data = file(frames[0], "MPO", save_all=True, append_images=frames[1:], quality=95)
    assert inspect_image(data).format == "jpeg"
    assert difference(decode_pixels(data), gradient()) < 16


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int) -> None:
    upright = gradient(48, 32)
    turn = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = file(np.ascontiguousarray(turn(upright)), exif=exif)
    assert difference(decode_pixels(data), upright) == 0
    info = inspect_image(data)
    assert (info.width, info.height) == (32, 48)


def test_alpha_shows_white_or_stays() -> None:
    rgba = gradient(channels=4)
    data = file(rgba)
    alpha = rgba[..., 3:] / 255
    on_white = rgba[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(decode_pixels(data) - on_white).max() <= 1
    assert difference(decode_pixels(data, keep_alpha=True), rgba) == 0
    assert decode_pixels(file(gradient()), keep_alpha=True).shape[2] == 3


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    deep = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    shown = decode_pixels(file(Image.fromarray(deep)))
    assert np.abs(shown[..., 0] - deep / 257).max() <= 0.5
    assert (shown[..., 0] == shown[..., 2]).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_png_mode_decodes(mode: str) -> None:
    data = file(Image.fromarray(gradient()).convert(mode))
    pixels = decode_pixels(data)
    assert (pixels.shape, pixels.dtype) == ((48, 32, 3), np.uint8)
    expected = np.asarray(Image.open(BytesIO(data)).convert("RGB"))
    assert difference(pixels, expected) == 0


def test_palettes_with_transparency() -> None:
    image = Image.fromarray(gradient()).convert("P")
    data = file(image, transparency=image.getpixel((0, 0)))
    assert tuple(decode_pixels(data)[0, 0]) == (255, 255, 255)
    assert decode_pixels(data, keep_alpha=True)[0, 0, 3] == 0


def test_cmyk_jpegs_decode() -> None:
    data = file(Image.fromarray(gradient()).convert("CMYK"), "JPEG", quality=100)
    assert difference(decode_pixels(data), gradient()) < 16


def test_profiles_are_applied_to_srgb() -> None:
    rgb = ImageCms.createProfile("sRGB")
    same = ImageCms.ImageCmsProfile(rgb).tobytes()
    assert difference(decode_pixels(file(gradient(), icc_profile=same)), gradient()) <= 1
    # Profiles of another colour space, and broken ones, do not make a picture unusable.
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert difference(decode_pixels(file(gradient(), icc_profile=lab)), gradient()) == 0
    assert difference(decode_pixels(file(gradient(), icc_profile=b"broken")), gradient()) == 0


def test_a_wide_gamut_profile_changes_the_numbers() -> None:
    swapped = swap_primaries(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 255
    shown = decode_pixels(file(red, icc_profile=swapped))[0, 0]
    assert shown[2] > 200
    assert shown[0] < 50


def swap_primaries(profile: bytes) -> bytes:
    """Rename the tags of the red and the blue primary of a matrix profile."""
    return profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


@pytest.mark.parametrize("name", FORMATS)
def test_recipes_are_in_every_format(name: OutputFormat) -> None:
    data = encode_image(gradient(), name, RECIPE)
    assert read_recipe(data) == RECIPE
    assert inspect_image(data).format == name
    exif = Image.open(BytesIO(data)).getexif()
    assert exif[ExifTags.Base.Software].startswith("Sartiq ")
    assert difference(decode_pixels(data), gradient()) <= (0 if name == "png" else 12)


def test_recipes_of_results_larger_than_what_is_taken_in() -> None:
    data = encode_image(np.zeros((8192, 5120, 3), np.uint8), "jpeg", RECIPE)
    assert read_recipe(data) == RECIPE
    with pytest.raises(ImageTooLarge):
        inspect_image(data)


def test_png_recipes_are_where_other_tools_look() -> None:
    image = Image.open(BytesIO(encode_image(gradient(), "png", RECIPE)))
    assert '"seed":12345' in image.info["parameters"]


@pytest.mark.parametrize("name", FORMATS)
def test_pictures_without_a_recipe(name: OutputFormat) -> None:
    assert read_recipe(encode_image(gradient(), name)) is None
    assert read_recipe(file(gradient(), name)) is None


@pytest.mark.parametrize(
    "data", [b"", b"no picture", png_header(32, 32)[:-40], b"\xff\xd8\xff\xe1"]
)
def test_no_recipe_in_what_is_no_picture(data: bytes) -> None:
    assert read_recipe(data) is None


def test_comments_of_other_programs_are_no_recipes() -> None:
    exif = Image.Exif()
    for comment in (b"ASCII\0\0\0taken by hand", b"ASCII\0\0\0[1]", b"\xff\xfe\xff", b""):
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
        assert read_recipe(file(gradient(), "JPEG", exif=exif)) is None


@pytest.mark.parametrize("name", FORMATS)
def test_transparency_in_outputs(name: OutputFormat) -> None:
    rgba = gradient(channels=4)
    rgba[:16] = (200, 10, 10, 0)
    rgba[16:, :, 3] = 255
    shown = decode_pixels(encode_image(rgba, name), keep_alpha=True)
    assert shown.shape[2] == (3 if name == "jpeg" else 4)
    if name == "jpeg":
        assert shown[:12].min() > 250
    else:
        assert (shown[..., 3] == rgba[..., 3]).all()


def test_jpeg_keeps_full_colour_resolution() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = (255, 0, 0)
    stripes[:, 1::2] = (0, 0, 255)
    assert difference(decode_pixels(encode_image(stripes, "jpeg")), stripes) < 60


def test_the_longest_prompts_fit_and_more_is_refused() -> None:
    recipe = {"prompt": "👗" * 2000, "negative_prompt": "👗" * 2000}
    for name in FORMATS:
        assert read_recipe(encode_image(gradient(), name, recipe)) == recipe
    with pytest.raises(ValueError, match="at most 60000 fit"):
        encode_image(gradient(), "jpeg", {"prompt": "x" * 60_000})


def test_equal_pixels_give_equal_files() -> None:
    for name in FORMATS:
        assert encode_image(gradient(), name, RECIPE) == encode_image(gradient(), name, RECIPE)


def test_many_threads_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        files = list(
            pool.map(lambda i: encode_image(gradient(), FORMATS[i % 3], {"i": i}), range(60))
        )
        assert [read_recipe(data) for data in files] == [{"i": i} for i in range(60)]
        assert {info.width for info in pool.map(inspect_image, files)} == {32}


DAMAGED = [encode_image(gradient(channels=4), name, RECIPE) for name in FORMATS] + [
    file(gradient(), "AVIF"),
    file(Image.fromarray(gradient()).convert("P")),
    file(gradient(), "JPEG", progressive=True),
]


# Pillow skips a damaged Exif tag and warns of it; the picture itself is sound.
@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")
@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(DAMAGED),
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_damage_is_refused_or_decoded_and_nothing_else(
    data: bytes, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(data)
    for position, value in changes:
        damaged[position % len(damaged)] = value
    for work in (inspect_image, decode_pixels, read_recipe):
        try:
            work(bytes(damaged))
        except InvalidImage as error:
            assert str(error).startswith("Invalid input: ")  # noqa: PT017  either way is right
