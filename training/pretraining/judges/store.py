"""The files of trained judges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from safetensors import safe_open
from safetensors.torch import load_model, save_file

from training.pretraining.judges.base import Judge
from training.pretraining.judges.identity import IdentityJudge
from training.pretraining.judges.scene import SceneJudge
from training.pretraining.workspace import replacing

FOLDER: Final = Path(__file__).parents[3] / "benchmarks" / "judges"

_Judge = TypeVar("_Judge", bound=Judge)


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges: what is worn where, and who wears it.

    Attributes:
        scene, identity: trained.
        accuracy: how often they are right about held-out renders, by attribute.
    """

    scene: SceneJudge
    identity: IdentityJudge
    accuracy: Mapping[str, float]


def save(judge: Judge, accuracy: Mapping[str, float], folder: Path) -> None:
    """Write a judge, its weights in half precision."""
    tensors = {
        # What batches are normalized with is small, and squared.
        name: value.half() if value.ndim > 1 else value.clone()
        for name, value in judge.state_dict().items()
    }
    with replacing(_file(judge, folder)) as partial:
        save_file(tensors, partial, metadata={"accuracy": json.dumps(dict(accuracy))})


def load(folder: Path = FOLDER) -> Judges:
    """The judges of a folder.

    Raises:
        FileNotFoundError: there are none; ``make judges`` trains them.
    """
    scene, of_scenes = _load(SceneJudge(), folder)
    identity, of_people = _load(IdentityJudge(), folder)
    return Judges(scene, identity, of_scenes | of_people)


def _load(judge: _Judge, folder: Path) -> tuple[_Judge, dict[str, float]]:
    path = _file(judge, folder)
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}; `make judges` trains the judges")
    with safe_open(path, framework="pt") as file:
        accuracy: dict[str, float] = json.loads(file.metadata()["accuracy"])
    load_model(judge, path)
    return judge.float().eval(), accuracy


def _file(judge: Judge, folder: Path) -> Path:
    return folder / f"{judge.name}.safetensors"
