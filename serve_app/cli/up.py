"""``sartiq up``: serve until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

from rich.markup import escape
from rich.table import Table

from configs.settings import get_settings
from serve_app.cli.console import CommandError, console
from serve_app.client import local_url
from serve_app.platform.errors import StartupError
from serve_app.platform.supervisor import Running, running


def up(*, plain: bool) -> None:
    """Serve both APIs until Ctrl-C or SIGTERM.

    Args:
        plain: write lines without colour or motion, for logs.

    Raises:
        CommandError: the platform did not start, or Ray has ended.
    """
    try:
        asyncio.run(_serve(plain=plain))
    except StartupError as error:
        raise CommandError(str(error)) from error


async def _serve(*, plain: bool) -> None:
    _unwind_on_signals()
    status = console.status("starting")

    def say(stage: str) -> None:
        # Ray replaces the handlers of its driver when it connects; these are ours again.
        _unwind_on_signals()
        if plain:
            console.print(stage)
        else:
            status.update(stage)
            status.start()

    try:
        with suppress(asyncio.CancelledError):
            async with running(get_settings(), say) as platform:
                status.stop()
                _announce(platform)
                await platform.failed.wait()
                raise StartupError("Ray has ended; its logs say why")
    finally:
        status.stop()


def _unwind_on_signals() -> None:
    """Let the first Ctrl-C or SIGTERM leave every block in order; further ones change nothing."""
    serving = asyncio.current_task()
    assert serving is not None
    loop = asyncio.get_running_loop()

    def leave() -> None:
        # Ray's own handler of SIGTERM, where it ran before, would abort this process after 3 s.
        signal.alarm(0)
        if not serving.cancelling():
            serving.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave)


def _announce(platform: Running) -> None:
    """Where everything is, and one request to try."""
    base = local_url(platform.settings)
    key = platform.settings.api_key.get_secret_value()
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("Compute API", f"{base}/compute/api/v1"),
        ("", f"{base}/compute/api/v1/docs"),
        ("Backend API", f"{base}/api/v1"),
        ("", f"{base}/api/v1/docs"),
        ("Ray dashboard", f"http://127.0.0.1:{platform.ports.dashboard}"),
        ("its token", platform.ray_token),
        ("API key", key),
        ("Account", platform.settings.first_superuser_email),
        ("its first password", platform.settings.first_superuser_password.get_secret_value()),
    ):
        table.add_row(f"[dim]{name}[/]", escape(value))
    console.print("[bold green]Sartiq is ready[/]")
    console.print(table)
    console.print("[dim]Try it:[/]")
    request = '{"prompt": "fashion model wearing a red dress, studio lighting, white background"}'
    console.print(
        f"curl -X POST {base}/compute/api/v1/tasks/generation \\\n"
        f'  -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\\n'
        f"  -d '{request}'",
        markup=False,
        soft_wrap=True,
    )
    console.print("[dim]Ctrl-C stops it.[/]")
