"""Every command of `sartiq`; importing them loads nothing heavy, so that help is instant."""

from __future__ import annotations

from typing import Annotated

import typer

from serve_app.cli import (
    db,
    demo,
    doctor,
    models,
    pictures,
    seed,
    tail,
    tasks,
    train,
    workers,
    workflows,
)

app = typer.Typer(
    name="sartiq",
    help="Turn product photos into on-model fashion pictures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Turn product photos into on-model fashion pictures."""


@app.command()
def up(
    *,
    plain: Annotated[
        bool, typer.Option("--plain", help="Lines without colour or motion, for logs.")
    ] = False,
) -> None:
    """Start the whole platform and serve until Ctrl-C."""
    from serve_app.cli.up import up as serve  # noqa: PLC0415 - loads SQLAlchemy and Alembic

    serve(plain=plain)


app.command()(demo.demo)
app.command()(pictures.generate)
app.command()(pictures.upscale)
app.command()(pictures.remove_background)
app.command()(train.train)
app.command()(models.models)
app.command()(doctor.doctor)
app.command()(seed.seed)
app.command()(tail.tail)
app.command()(workers.workers)
app.add_typer(tasks.app, name="tasks")
app.add_typer(workflows.app, name="workflows")
app.add_typer(db.app, name="db")
