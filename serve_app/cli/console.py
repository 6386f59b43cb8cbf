"""The terminal, and how a command fails: one sentence, exit code 1."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

console = Console(highlight=False)
# Errors go beside the output, so that `sartiq … > file` still shows them.
errors = Console(stderr=True, highlight=False)


class CommandError(Exception):
    """A command cannot do what it was asked to; the text is one sentence for a person."""


def show_error(message: str) -> None:
    """One red sentence; further lines of the text (a log's last words) follow as they are."""
    sentence, _, rest = message.strip().partition("\n")
    errors.print(f"[bold red]error:[/] [red]{escape(sentence)}[/]", soft_wrap=True)
    if rest:
        errors.print(rest, markup=False, style="dim", soft_wrap=True)
