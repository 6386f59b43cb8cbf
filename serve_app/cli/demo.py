"""`sartiq demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.", file_okay=False)] = Path(
        "outputs"
    ),
) -> None:
    """Make pictures of the bundled product: the whole platform, from start to stop."""
    from serve_app.demo import run  # noqa: PLC0415 - loads Pillow, and Ray through the platform

    run(out)
