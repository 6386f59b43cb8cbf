"""Pictures to learn from: decoded, cropped to buckets of few sizes, in a reproducible order."""

from __future__ import annotations

import hashlib
import io
import math
import random
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from configs.catalog import ModelEntry
from training.contracts import InvalidTraining, Pixels, TrainingExample

Size = tuple[int, int]

# Width to height of the buckets: squares, and the usual formats of photographs either way up.
_RATIOS: Final = (1 / 2, 9 / 16, 2 / 3, 3 / 4, 4 / 5, 1, 5 / 4, 4 / 3, 3 / 2, 16 / 9, 2)


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of a file that a picture shows.

    Attributes:
        size: width and height of the picture, that of its bucket.
        file_size: width and height of the file, upright.
        corner: left and top of what was cut out of it, in the picture's pixels.
    """

    size: Size
    file_size: Size
    corner: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Picture:
    """One example at the size of its bucket.

    Attributes:
        pixels: (height, width, 3) uint8 RGB.
        caption: with the trigger word in it.
        frame: where they come from.
    """

    pixels: Pixels
    caption: str
    frame: Frame


def load_pictures(
    examples: Sequence[TrainingExample],
    entry: ModelEntry,
    *,
    resolution: int | None,
    trigger_word: str | None,
) -> list[Picture]:
    """Decode the examples and fit each into the bucket that is nearest in shape.

    Raises:
        InvalidTraining: there are none, or files are no pictures; the text names each of them.
    """
    if not examples:
        raise InvalidTraining("there are no pictures to learn from")
    sizes = bucket_sizes(entry, resolution)
    pictures, broken = [], []
    for example in examples:
        try:
            upright = _decode(example.image)
        # Pillow's readers raise nearly anything on a broken file.
        except Exception as error:  # noqa: BLE001
            broken.append(f"{example.name}: {error}")
            continue
        caption = with_trigger_word(example.caption, trigger_word)
        pictures.append(_fit(upright, caption, nearest(upright.size, sizes)))
    if broken:
        raise InvalidTraining("these are no pictures that can be read: " + "; ".join(broken))
    return pictures


def _decode(data: bytes) -> Image.Image:
    """RGB, upright whatever way the camera was held, transparency over white."""
    with Image.open(io.BytesIO(data)) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            ground = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(ground, picture)
        return picture.convert("RGB")


def _fit(picture: Image.Image, caption: str, size: Size) -> Picture:
    """Scale until it covers the bucket, and cut the middle out."""
    scale = max(size[0] / picture.width, size[1] / picture.height)
    width, height = round(picture.width * scale), round(picture.height * scale)
    corner = max(0, width - size[0]) // 2, max(0, height - size[1]) // 2
    fitted = ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
    return Picture(np.asarray(fitted), caption, Frame(size, picture.size, corner))


def with_trigger_word(caption: str, trigger_word: str | None) -> str:
    """The caption, with the trigger word before it unless it stands there already."""
    if not trigger_word or trigger_word.casefold() in caption.casefold():
        return caption
    return f"{trigger_word}, {caption}" if caption.strip() else trigger_word


def bucket_sizes(entry: ModelEntry, resolution: int | None) -> list[Size]:
    """Widths and heights that pictures are brought to.

    A model that takes certain sizes only gets those. Otherwise ``resolution`` is the shorter side
    of every bucket; without one all have about as many pixels as the model's default size.

    Raises:
        InvalidTraining: the model takes no size with such a side.
    """
    if entry.sizes:
        return list(entry.sizes)
    limits, defaults = entry.limits, entry.defaults
    sizes = set()
    for ratio in _RATIOS:
        if resolution is None:
            height = math.sqrt(defaults.width * defaults.height / ratio)
        else:
            height = resolution / min(1.0, ratio)
        width, height = (_multiple(side, limits.multiple_of) for side in (height * ratio, height))
        if (
            limits.min_side <= min(width, height)
            and width <= limits.max_width
            and height <= limits.max_height
        ):
            sizes.add((width, height))
    if not sizes:
        raise InvalidTraining(
            f"model {entry.name!r} takes no pictures with a shorter side of {resolution} pixels"
        )
    return sorted(sizes)


def _multiple(side: float, of: int) -> int:
    return max(of, round(side / of) * of)


def nearest(size: Size, buckets: Sequence[Size]) -> Size:
    """The bucket whose shape differs least, by the logarithm of width to height."""
    ratio = math.log(size[0] / size[1])
    return min(buckets, key=lambda bucket: abs(math.log(bucket[0] / bucket[1]) - ratio))


def split(count: int, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices to train on, and to hold out: ``share`` of them, at least one if it is above 0.

    Raises:
        InvalidTraining: nothing would be left to train on.
    """
    held_out = max(1, round(count * share)) if share > 0 else 0
    if held_out >= count:
        raise InvalidTraining(f"{count} pictures are too few to hold {share:.0%} of them out")
    order = list(range(count))
    random.Random(f"{seed}:split").shuffle(order)
    return sorted(order[held_out:]), sorted(order[:held_out])


class Order:
    """Which examples each step sees: a pure function of the seed and the step.

    In every epoch each example comes once. Batches are of one shape where possible; what is left
    over in each bucket shares the last batches, which the loop then works off shape by shape.

    Args:
        shapes: of the examples.
        batch_size: of a step; the last batch of an epoch may be smaller.
        seed: of the shuffling.
    """

    def __init__(self, shapes: Sequence[Hashable], batch_size: int, seed: int) -> None:
        self._shapes, self._batch_size, self._seed = shapes, batch_size, seed
        self.steps_per_epoch = len(self._epoch(0))

    def batch(self, step: int) -> tuple[int, list[int]]:
        """Epoch, from 0, and examples of a step, from 0."""
        epoch, position = divmod(step, self.steps_per_epoch)
        return epoch, self._epoch(epoch)[position]

    @lru_cache(maxsize=2)  # noqa: B019  an order lives as long as its run
    def _epoch(self, epoch: int) -> list[list[int]]:
        rng = random.Random(f"{self._seed}:epoch:{epoch}")
        indices = list(range(len(self._shapes)))
        rng.shuffle(indices)
        by_shape: defaultdict[Hashable, list[int]] = defaultdict(list)
        for index in indices:
            by_shape[self._shapes[index]].append(index)
        batches, rest = [], []
        for same in by_shape.values():
            whole = len(same) - len(same) % self._batch_size
            batches += self._cut(same[:whole])
            rest += same[whole:]
        batches += self._cut(rest)
        rng.shuffle(batches)
        return batches

    def _cut(self, indices: list[int]) -> list[list[int]]:
        size = self._batch_size
        return [indices[start : start + size] for start in range(0, len(indices), size)]


def share_out(count: int, parts: int) -> list[range]:
    """``count`` rows in ``parts`` runs of as equal length as possible; some may be empty."""
    edges = [count * part // parts for part in range(parts + 1)]
    return [range(start, stop) for start, stop in pairwise(edges)]


def digest(examples: Sequence[TrainingExample]) -> str:
    """SHA-256 of the examples: files and captions in their order."""
    total = hashlib.sha256()
    for example in examples:
        for part in (example.name.encode(), example.caption.encode(), example.image):
            total.update(hashlib.sha256(part).digest())
    return total.hexdigest()
