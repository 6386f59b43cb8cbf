"""Stage 8: put the averaged weights together as a diffusers pipeline, with log and curves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline

from training.pretraining import alignment, latents
from training.pretraining.config import PretrainingConfig
from training.pretraining.workspace import Workspace, read_log

_LOG_ROWS = 200
_STAGES = ("autoencoder", "denoiser", "alignment")


def assemble(
    config: PretrainingConfig, workspace: Workspace
) -> StableDiffusionInstructPix2PixPipeline:
    """The trained pipeline in float32."""
    models = alignment.load(config, workspace)
    return StableDiffusionInstructPix2PixPipeline(
        vae=latents.normalized_autoencoder(config, workspace),
        text_encoder=models.text_encoder,
        tokenizer=models.tokenizer,
        unet=models.unet,
        scheduler=models.schedule,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def export(config: PretrainingConfig, workspace: Workspace, folder: Path) -> None:
    """Write the pipeline in float16 to `folder`, which changes over in one rename.

    Other files that lie at the top of the folder, such as the model card, are kept.
    """
    fresh = folder.with_name(f".{folder.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    pipeline = assemble(config, workspace).to(torch.float16)
    pipeline.save_pretrained(str(fresh), safe_serialization=True)
    _write_history(workspace, fresh)
    if folder.exists():
        for kept in folder.iterdir():
            if kept.is_file() and not (fresh / kept.name).exists():
                shutil.copy2(kept, fresh / kept.name)
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old)
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh.rename(folder)


def _write_history(workspace: Workspace, folder: Path) -> None:
    histories = {name: read_log(workspace.log, name) for name in _STAGES}
    with (folder / "log.jsonl").open("w", encoding="utf-8") as stream:
        for records in histories.values():
            stride = max(1, len(records) // _LOG_ROWS)
            for record in records[::stride]:
                rounded = {
                    key: float(f"{value:.4g}") if isinstance(value, float) else value
                    for key, value in record.items()
                }
                stream.write(json.dumps(rounded) + "\n")
    _plot(histories, folder / "curves.png")


def _smoothed(values: Sequence[float], keep: float = 0.9) -> list[float]:
    average, out = values[0], []
    for value in values:
        average = keep * average + (1 - keep) * value
        out.append(average)
    return out


def _plot(histories: dict[str, list[dict[str, Any]]], path: Path) -> None:
    # The curves are the only thing here that needs matplotlib, which users do not install.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(12, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = (("autoencoder", "psnr", "PSNR of training crops (dB)"),
              ("denoiser", "loss", "velocity error"),
              ("alignment", "missing", "what samples miss"))  # fmt: skip
    for axes, (stage, key, label) in zip(figure.subplots(1, 3), panels, strict=True):
        records = histories[stage]
        if records:
            steps = [record["step"] for record in records]
            values = [record[key] for record in records]
            axes.plot(steps, values, color="0.8", linewidth=0.8)
            axes.plot(steps, _smoothed(values), color="C0")
        axes.set(title=stage, xlabel="step", ylabel=label)
        axes.grid(alpha=0.3)
        if key != "psnr" and records:
            axes.set_yscale("log")
    figure.savefig(path, dpi=80)
