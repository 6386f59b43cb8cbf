"""The command, and its two forms of report: a table, and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from configs.settings import Settings, get_settings
from serve_app.cli.console import console
from serve_app.cli.doctor import installation, machine
from serve_app.cli.doctor.findings import Finding

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what is wrong with this machine, and what to do about it."""
    findings = list(examine(get_settings()))
    failed = any(finding.level == "fail" for finding in findings)
    if as_json:
        report = {"ok": not failed, "findings": [asdict(finding) for finding in findings]}
        console.print_json(json.dumps(report))
    else:
        console.print(_table(findings))
    raise typer.Exit(code=1 if failed else 0)


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check, from the machine up."""
    yield machine.check_python()
    yield machine.check_cpus()
    yield machine.check_memory()
    yield machine.check_disk(settings)
    yield machine.check_shared_memory()
    yield machine.check_open_files()
    yield machine.check_gpu(settings)
    yield installation.check_ports(settings)
    yield installation.check_database(settings)
    yield installation.check_storage(settings)
    yield from installation.check_weights(settings)


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    table.add_column("check", no_wrap=True)
    table.add_column("seen", overflow="fold")
    table.add_column("what to do", overflow="fold")
    for finding in findings:
        style = _STYLES[finding.level]
        level = f"[{style}]{finding.level}[/]"
        table.add_row(level, finding.check, escape(finding.detail), escape(finding.advice))
    return table
