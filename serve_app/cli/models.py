"""`sartiq models`: the catalog as a table."""

from __future__ import annotations

from rich.table import Table

from configs.catalog import ModelEntry, load_catalog
from configs.settings import get_settings
from serve_app.cli.console import console


def models() -> None:
    """List the generation models of this installation."""
    settings = get_settings()
    catalog = load_catalog(settings)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("model", "makes", "size", "steps", "needs", "licence"):
        table.add_column(heading, overflow="fold")
    for entry in sorted(catalog.values(), key=lambda entry: entry.name):
        table.add_row(*_row(entry, is_default=entry.name == settings.models.default))
    console.print(table)


def _row(entry: ModelEntry, *, is_default: bool) -> tuple[str, ...]:
    name = f"{entry.name} [dim](default)[/]" if is_default else entry.name
    size = f"{entry.defaults.width}×{entry.defaults.height}"
    largest = f"{entry.limits.max_width}×{entry.limits.max_height}"
    return (
        name,
        ", ".join(entry.modes),
        f"{size} [dim](at most {largest})[/]",
        str(entry.defaults.steps),
        "GPU" if entry.requires_gpu else "CPU",
        entry.license,
    )
