"""``make judges``: train both judges, each on a core of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from torch.multiprocessing.spawn import spawn

from training.pretraining.judges import store
from training.pretraining.judges.making import KINDS, make


def main(
    out: Annotated[Path, typer.Option(help="Folder of the trained judges.")] = store.FOLDER,
    renders: Annotated[int, typer.Option(help="That each learns from.")] = 48_000,
    steps: Annotated[int, typer.Option(help="Batches of 32.")] = 5_000,
    seed: Annotated[int, typer.Option(help="Of scenes, batches and first weights.")] = 7,
) -> None:
    """Train the judges of `make evaluate` and `make bench ARGS=subject`."""
    spawn(make, (out, renders, steps, seed), nprocs=len(KINDS))
    Console().print_json(data=dict(store.load(out).accuracy))


if __name__ == "__main__":
    typer.run(main)
