"""`sartiq train`: a folder of pictures in, a LoRA out."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from serve_app.cli.console import CommandError, console
from serve_app.cli.pictures import ApiKey, BaseUrl, connect
from serve_app.cli.progress import bars, watch
from serve_app.client import ComputeClient, TrainedLora, Training

_SECONDS_PER_MINUTE = 60
# What the name of a LoRA must not have.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class EntityType(StrEnum):
    """What the pictures have in common."""

    SUBJECT = "subject"
    PRODUCT = "product"
    STYLE = "style"


class Captioning(StrEnum):
    """What a picture is said to show."""

    CAPTIONS = "captions"
    FILENAME = "filename"
    NONE = "none"


Images = Annotated[
    Path,
    typer.Option(
        help="Folder of pictures, or a ZIP of them. A caption stands in name.txt beside name.jpg, "
        "or in metadata.jsonl.",
        exists=True,
        readable=True,
    ),
]
Trigger = Annotated[str, typer.Option(help="A word that makes what is trained appear in a prompt.")]
Name = Annotated[str | None, typer.Option(help="Of the LoRA; unset: the name of the folder.")]
Out = Annotated[Path, typer.Option(help="Folder for the LoRA.", file_okay=False)]
Steps = Annotated[int | None, typer.Option(min=1, help="Unset: the model's own.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Instead of --steps.")]
Split = Annotated[float | None, typer.Option(help="Share of the pictures to validate with.")]
Prompts = Annotated[
    list[str] | None, typer.Option(help="A picture to make as it trains; may be repeated.")
]
Shown = Annotated[EntityType, typer.Option(help="What the pictures show.")]
Said = Annotated[Captioning, typer.Option(help="What a picture without a caption is said to show.")]


def train(
    *,
    images: Images,
    trigger: Trigger,
    name: Name = None,
    model: Annotated[str | None, typer.Option(help="See `sartiq models`.")] = None,
    entity_type: Shown = EntityType.SUBJECT,
    captioning: Said = Captioning.CAPTIONS,
    steps: Steps = None,
    epochs: Epochs = None,
    learning_rate: Annotated[float | None, typer.Option(help="Unset: the model's own.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Unset: the model's own.")] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="Unset: the model's own.")] = None,
    resolution: Annotated[int | None, typer.Option(help="Unset: the model's own.")] = None,
    validation_split: Split = None,
    sample_prompt: Prompts = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    out: Out = Path("outputs"),
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Train a LoRA from pictures. Ctrl-C cancels it."""
    wanted: dict[str, Any] = {
        "steps": steps, "epochs": epochs, "learning_rate": learning_rate, "rank": rank,
        "batch_size": batch_size, "resolution": resolution, "validation_split": validation_split,
        "sample_prompts": sample_prompt or None, "seed": seed,
    }  # fmt: skip
    with connect(base_url, api_key) as client, _archive(images) as archive:
        dataset = client.upload_dataset(archive)
        for warning in dataset.warnings:
            console.print(f"[yellow]{warning}[/]")
        training = client.train(
            dataset.url,
            name or _name_of(images),
            base_model=model,
            trigger_word=trigger,
            entity_type=entity_type.value,
            captioning=captioning.value,
            **wanted,
        )
        with bars() as progress:
            label = f"Training on {dataset.images} pictures"
            done = watch(client, training, progress, label, describe)
        lora = _save(client, done, out)
    console.print(f"Use it: --lora {lora.name}@{lora.version}, and {trigger!r} in the prompt")


def _save(client: ComputeClient, training: Training, out: Path) -> TrainedLora:
    """Download what a completed training made."""
    lora = training.lora
    if lora is None:
        raise CommandError(f"{training.id} is completed, but its LoRA is not there yet.")
    path = client.download(lora.url, out / f"{lora.name}-{lora.version}.safetensors")
    console.print(str(path), soft_wrap=True)
    return lora


def describe(training: Training) -> str:
    """What a training is at, in a few words."""
    metrics = training.metrics
    if training.status != "running" or metrics is None or metrics.loss is None:
        phase = training.output.phase if training.output else None
        return phase or training.status
    left = ""
    if metrics.eta_seconds is not None:
        minutes, seconds = divmod(round(metrics.eta_seconds), _SECONDS_PER_MINUTE)
        left = f", {minutes}:{seconds:02} left"
    return f"step {metrics.current_step}/{metrics.total_steps}, loss {metrics.loss:.4f}{left}"


@contextmanager
def _archive(images: Path) -> Iterator[Path]:
    """A ZIP of a folder's files; a file is taken to be one already.

    Raises:
        CommandError: the folder is empty.
    """
    if images.is_file():
        yield images
        return
    files = sorted(
        path
        for path in images.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(images).parts)
    )
    if not files:
        raise CommandError(f"{images} has no files.")
    with tempfile.TemporaryDirectory(prefix="sartiq-train-") as folder:
        archive = Path(folder) / "dataset.zip"
        # Pictures are compressed already.
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
            for path in files:
                packed.write(path, path.relative_to(images).as_posix())
        yield archive


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _name_of(images: Path) -> str:
    """The name of a folder or file, as a LoRA may have it."""
    return _UNSAFE.sub("-", images.resolve().stem).strip("-._") or "lora"
