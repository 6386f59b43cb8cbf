"""`sartiq seed`: something to look at in an empty studio."""

from __future__ import annotations

from typing import Annotated

import typer

from configs.settings import get_settings
from serve_app.cli.console import CommandError, console
from serve_app.client import local_url


def seed(
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="The demonstration catalog; there is no other yet.")
    ] = False,
    base_url: Annotated[
        str | None,
        typer.Option(help="Of the platform; unset: the one on this machine.", metavar="URL"),
    ] = None,
    email: Annotated[
        str | None, typer.Option(help="Of an account; unset: the first superuser's.")
    ] = None,
    password: Annotated[
        str | None, typer.Option(help="Its password.", envvar="SARTIQ_PASSWORD", show_envvar=True)
    ] = None,
    organization: Annotated[
        str | None, typer.Option(help="Id of the organization to fill, if you are in several.")
    ] = None,
) -> None:
    """Fill an organization with a brand, products, subjects, styles and a shooting."""
    from serve_app.seed import Seeder, SeedError, log_in  # noqa: PLC0415 - loads httpx, YAML

    if not demo:
        raise CommandError("say what to fill it with: `sartiq seed --demo`")
    settings = get_settings()
    try:
        with log_in(
            base_url or local_url(settings),
            email or settings.first_superuser_email,
            password or settings.first_superuser_password.get_secret_value(),
            organization,
        ) as client:
            done = Seeder(client, say=lambda line: console.print(f"  {line}")).fill()
    except SeedError as error:
        raise CommandError(str(error)) from error
    if done.created:
        console.print(f"{done.created} things made; the shooting is {done.shooting_id}")
    else:
        console.print(f"All of it is there already; the shooting is {done.shooting_id}")
