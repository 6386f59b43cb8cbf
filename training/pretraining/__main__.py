"""The driver: `python -m training.pretraining [STAGE]`, all stages in order by default."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from training.pretraining import (
    alignment,
    autoencoder,
    denoiser,
    latents,
    parallel,
    reward,
    text,
)
from training.pretraining.config import PretrainingConfig
from training.pretraining.continuation import start_from
from training.pretraining.export import export
from training.pretraining.renders import draw_all
from training.pretraining.workspace import Workspace, default_work_dir

_CONFIGS = Path(__file__).parents[2] / "configs" / "training"


class Stage(StrEnum):
    """The stages, in the order in which each needs the one before it."""

    RENDERS = "renders"
    AUTOENCODER = "autoencoder"
    LATENTS = "latents"
    TEXT = "text"
    DENOISER = "denoiser"
    REWARD = "reward"
    ALIGNMENT = "alignment"
    EXPORT = "export"


#: What a continuation takes from the model that it starts from.
_TAKEN_OVER = {Stage.AUTOENCODER, Stage.TEXT}


def run_stage(
    stage: Stage, config: PretrainingConfig, workspace: Workspace, export_to: Path
) -> None:
    """Run one stage, or what an interruption left of it."""
    match stage:
        case Stage.RENDERS:
            parallel.run(config.workers, draw_all, config, workspace)
        case Stage.AUTOENCODER:
            parallel.run(config.workers, autoencoder.train, config, workspace)
        case Stage.LATENTS:
            latents.normalized_autoencoder(config, workspace)
            parallel.run(config.workers, latents.encode_all, config, workspace)
        case Stage.TEXT:
            text.load_tokenizer(config, workspace)
            parallel.run(config.workers, text.train_encoder, config, workspace)
        case Stage.DENOISER:
            parallel.run(config.workers, denoiser.train, config, workspace)
        case Stage.REWARD:
            parallel.run(config.workers, reward.train, config, workspace)
        case Stage.ALIGNMENT:
            parallel.run(config.workers, alignment.train, config, workspace)
        case Stage.EXPORT:
            export(config, workspace, export_to)


def main(  # noqa: PLR0917 - typer turns each parameter into an option
    stage: Annotated[
        Stage | None, typer.Argument(help="One stage; without it, all in order.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Recipe (YAML).")] = None,
    work_dir: Annotated[Path | None, typer.Option(help="Data set, states and log.")] = None,
    export_to: Annotated[
        Path | None, typer.Option(help="Folder of the exported pipeline; WORK_DIR/export.")
    ] = None,
    continue_from: Annotated[
        Path | None, typer.Option(help="Exported pipeline whose denoiser is trained on.")
    ] = None,
    continue_at: Annotated[int, typer.Option(help="Steps that it has been trained.")] = 0,
    smoke: Annotated[
        bool, typer.Option(help="Tiny sizes: every stage, in two minutes in all.")
    ] = False,
) -> None:
    """Make the bundled model, resuming where an earlier run was interrupted."""
    name = "pretraining-smoke.yaml" if smoke else "pretraining.yaml"
    recipe = PretrainingConfig.read(config or _CONFIGS / name)
    workspace = Workspace((work_dir or default_work_dir()).resolve())
    console = Console(stderr=True)
    stages = [stage] if stage is not None else list(Stage)
    if continue_from is not None:
        start_from(continue_from, continue_at, recipe, workspace)
        stages = [each for each in stages if each not in _TAKEN_OVER]
    for each in stages:
        console.rule(f"pretraining: {each.value}")
        run_stage(each, recipe, workspace, export_to or workspace.root / "export")


if __name__ == "__main__":
    typer.run(main)
