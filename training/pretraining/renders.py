"""Stage 1: draw the triples and keep their pictures as two memory-mapped arrays."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.pretraining import parallel
from training.pretraining.config import PretrainingConfig
from training.pretraining.renderer.attributes import Scene, sample_scene
from training.pretraining.renderer.canvas import HEIGHT, WIDTH
from training.pretraining.renderer.compose import draw_on_model
from training.pretraining.renderer.product import draw_product
from training.pretraining.workspace import Workspace

Pictures = NDArray[np.uint8]

_CHUNK = 100


def scene_at(seed: int, index: int) -> Scene:
    """The scene with this index of the data set with this seed."""
    return sample_scene(random.Random(f"{seed}:{index}"))


def held_out_scene(seed: int, index: int) -> Scene:
    """A scene that no training set of this seed contains, drawn from another stream."""
    return sample_scene(random.Random(f"{seed}:held-out:{index}"))


def unseen_scene(seed: int, index: int) -> Scene:
    """A scene whose garment, colour and pattern no training set shows together."""
    return sample_scene(random.Random(f"{seed}:unseen:{index}"), held_out=True)


def draw_pair(seed: int, index: int) -> tuple[Pictures, Pictures]:
    """On-model and product picture of one scene, (192, 128, 3) uint8 both."""
    scene = scene_at(seed, index)
    return np.asarray(draw_on_model(scene)), np.asarray(draw_product(scene))


@dataclass(frozen=True, slots=True)
class Renders:
    """The drawn pictures, each (count, 192, 128, 3) uint8."""

    on_model: Pictures
    product: Pictures

    def __len__(self) -> int:
        return len(self.on_model)


def draw_all(config: PretrainingConfig, workspace: Workspace) -> None:
    """Draw this process's chunks of the data set; finished chunks are kept."""
    count, seed = config.renders.count, config.renders.seed
    workspace.renders.mkdir(parents=True, exist_ok=True)
    renders = _open_both(workspace, count)
    starts = range(0, count, _CHUNK)[parallel.rank() :: parallel.size()]
    for start in tqdm(starts, desc="renders", disable=parallel.rank() > 0):
        marker = _marker(workspace, start, seed)
        if not marker.exists():
            for index in range(start, min(start + _CHUNK, count)):
                renders.on_model[index], renders.product[index] = draw_pair(seed, index)
            marker.touch()


def load_renders(config: PretrainingConfig, workspace: Workspace) -> Renders:
    """Open the pictures that `draw_all` drew.

    Raises:
        FileNotFoundError: some have not been drawn, so that they would be black.
    """
    count, seed = config.renders.count, config.renders.seed
    markers = [_marker(workspace, start, seed) for start in range(0, count, _CHUNK)]
    missing = sum(not marker.exists() for marker in markers)
    if missing:
        raise FileNotFoundError(
            f"{missing} of {len(markers)} parts of the renders are missing in "
            f"{workspace.renders}; run that stage first"
        )
    return _open_both(workspace, count)


def _marker(workspace: Workspace, start: int, seed: int) -> Path:
    return workspace.renders / f"{start:06d}-{_CHUNK}-{seed}.done"


def _open_both(workspace: Workspace, count: int) -> Renders:
    on_model, product = (_open(workspace, name, count) for name in ("on_model", "product"))
    return Renders(on_model, product)


def _open(workspace: Workspace, name: str, count: int) -> Pictures:
    path = workspace.renders / f"{name}.u8"
    size = count * HEIGHT * WIDTH * 3
    if not path.exists() or path.stat().st_size < size:
        with path.open("ab") as stream:
            stream.truncate(size)
    return np.memmap(path, dtype=np.uint8, mode="r+", shape=(count, HEIGHT, WIDTH, 3))
