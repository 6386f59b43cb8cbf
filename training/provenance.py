"""What an adapter was made from: hashes and versions, for the header of its file."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import version
from pathlib import Path

from huggingface_hub import snapshot_download

from configs.catalog import ModelEntry
from training import dataset
from training.contracts import TrainingRequest, Validation

_SHA256 = re.compile(r"[0-9a-f]{64}")


def model_hash(entry: ModelEntry) -> str:
    """SHA-256 of a loaded model's weights files: their names and contents, sorted."""
    folder = Path(entry.weights.location)
    if entry.weights.path is None:
        folder = Path(
            snapshot_download(
                entry.weights.location, revision=entry.weights.revision, local_files_only=True
            )
        )
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        total.update(f"{path.relative_to(folder)} {_file_hash(path)}\n".encode())
    return total.hexdigest()


def _file_hash(path: Path) -> str:
    # The hub's cache is addressed by content: files are links to blobs named by their SHA-256.
    if _SHA256.fullmatch(name := path.resolve().name):
        return name
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def metadata(
    request: TrainingRequest, entry: ModelEntry, weights_hash: str, best: Validation
) -> dict[str, str]:
    """The facts that stand in the file's header; the same for every run of the same request."""
    config = request.config
    facts = {
        "name": request.output_name,
        "entity_type": config.entity_type,
        "trigger_word": config.trigger_word or "",
        "base_model": entry.name,
        "base_model_source": entry.weights.repo or "",
        "base_model_revision": entry.weights.revision or "",
        "base_model_hash": weights_hash,
        "family": entry.family,
        "rank": config.rank,
        "alpha": config.alpha,
        "text_encoder": config.train_text_encoder,
        "whole_blocks": config.train_whole_blocks,
        "dataset_hash": dataset.digest(request.examples),
        "images": len(request.examples),
        "seed": config.seed,
        "steps": config.steps,
        "best_step": best.step,
        "batch_size": config.batch_size,
        "learning_rate": config.learning_rate,
        "resolution": config.resolution or "",
    }
    facts |= {name: version(name) for name in ("torch", "diffusers", "peft", "transformers")}
    return {name: str(value) for name, value in facts.items()}
