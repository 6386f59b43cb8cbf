"""`sartiq db`: the schema of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from configs.settings import Settings, get_settings
from serve_app.cli.console import CommandError, console

app = typer.Typer(help="Look after the database's schema.", no_args_is_help=True)


@app.command()
def upgrade(revision: str = typer.Argument("head", help="Where to; default: the newest.")) -> None:
    """Bring the database to a revision of the schema."""
    from db import migrate  # noqa: PLC0415 - loads SQLAlchemy and Alembic

    with _database(get_settings()) as url:
        try:
            asyncio.run(migrate.upgrade(url, revision))
        except Exception as error:
            raise CommandError(f"The database was not upgraded: {error}") from error
    console.print(f"The database is at {revision}.")


@app.command()
def current() -> None:
    """Show the database's revision, and the newest there is."""
    from serve_app.cli.schema import newest_revision, read_revision  # noqa: PLC0415 - SQLAlchemy

    with _database(get_settings()) as url:
        try:
            revision = asyncio.run(read_revision(url))
        except Exception as error:
            raise CommandError(f"The database cannot be read: {error}") from error
    newest = newest_revision()
    note = "up to date" if revision == newest else f"newest: {newest}; run `sartiq db upgrade`"
    console.print(f"{revision or 'empty'} ({note})")


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The configured database, or the platform's own, started if it is not running."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    from db.embedded import EmbeddedPostgres  # noqa: PLC0415

    server = EmbeddedPostgres(settings.home)
    was_running = server.pid is not None
    url = server.start()
    try:
        yield url
    finally:
        if not was_running:
            server.stop()
