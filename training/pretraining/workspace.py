"""The work directory: where every stage finds what the one before it left."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths under one work directory; nothing of it belongs in the repository."""

    root: Path

    @property
    def renders(self) -> Path:
        """Folder of the drawn pictures."""
        return self.root / "renders"

    @property
    def latents(self) -> Path:
        """Folder of the encoded pictures."""
        return self.root / "latents"

    @property
    def autoencoder(self) -> Path:
        """Training state of the autoencoder."""
        return self.root / "autoencoder.pt"

    @property
    def fixed_autoencoder(self) -> Path:
        """The autoencoder that latents and denoiser belong to."""
        return self.latents / "autoencoder.pt"

    @property
    def text_encoder(self) -> Path:
        """The trained text encoder."""
        return self.root / "text_encoder.pt"

    @property
    def denoiser(self) -> Path:
        """Training state of the denoiser."""
        return self.root / "denoiser.pt"

    @property
    def reward(self) -> Path:
        """The trained reward models."""
        return self.root / "reward.pt"

    @property
    def alignment(self) -> Path:
        """Training state of the denoiser from its alignment on."""
        return self.root / "alignment.pt"

    @property
    def tokenizer(self) -> Path:
        """Folder of the tokenizer."""
        return self.root / "tokenizer"

    @property
    def log(self) -> Path:
        """JSON lines, one per logged training step."""
        return self.root / "log.jsonl"


def default_work_dir() -> Path:
    """`$SARTIQ_HOME/pretraining`, or `.sartiq/pretraining` in the current folder."""
    return Path(os.environ.get("SARTIQ_HOME", ".sartiq")) / "pretraining"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary sibling that takes the place of `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    yield partial
    partial.replace(path)


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state so that a reader never sees half of it."""
    with replacing(path) as partial:
        torch.save(state, partial)


def load_state(path: Path) -> dict[str, Any] | None:
    """The training state at `path`, or None when there is none yet."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def append_log(path: Path, record: dict[str, Any]) -> None:
    """Add one JSON line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(record) + "\n")


def read_log(path: Path, stage: str) -> list[dict[str, Any]]:
    """The last record of every step of a stage, in the order of the steps."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    by_step = {record["step"]: record for record in records if record["stage"] == stage}
    return [by_step[step] for step in sorted(by_step)]
