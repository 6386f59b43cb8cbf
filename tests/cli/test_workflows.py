"""`sartiq workflows` against the real gateway behind a socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve_app.client import ComputeClient
from tests.cli.conftest import Run
from tests.fixtures.api import API_KEY, make_settings
from tests.fixtures.serving import serving
from tests.fixtures.workflows import STEPS


def test_a_table_and_one_of_them(
    own_database_url: str, tmp_path: Path, sartiq: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(make_settings(tmp_path, own_database_url)) as url:
        there = ["--base-url", url, "--api-key", API_KEY]
        assert sartiq("workflows", "--once", *there) == 0
        assert "No workflows yet" in capsys.readouterr().out
        with ComputeClient(url, API_KEY) as client:
            made = client.create_workflow("summer [SS27]", STEPS)
            started = client.create_workflow("autumn", STEPS[:1], start={}, cache=True)
            assert started.status == "running"
            client.steer(started.id, "cancel")
            assert client.start_workflow(client.create_workflow("more", STEPS[:1]).id).started_at
        assert sartiq("workflows", "--once", "--size", 2, *there) == 0
        table = capsys.readouterr().out
        assert "autumn" in table
        assert "cancelled" in table
        assert "and 1 older ones" in table
        assert sartiq("workflows", "show", made.id, "--once", *there) == 0
        shown = capsys.readouterr().out
        assert "summer [SS27]" in shown
        assert [name in shown for name in ("generate-base", "upscale", "background-removal")]
        assert sartiq("workflows", "show", "wf_nobody", *there) == 1
        assert "Workflow not found" in capsys.readouterr().err
