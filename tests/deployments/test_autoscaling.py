"""The policy on contexts as Serve builds them, and once in a real Serve."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from ray.serve._private.common import DeploymentID, ReplicaID, TimeStampedValue
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from deployments.autoscaling import BacklogPolicy

NOW = 1_000.0
QUEUES = {"Generation": "generation", "Upscaling": "upscaling"}


def policy(**changes: object) -> BacklogPolicy:
    options = {"queues": QUEUES, "tasks_per_replica": {"Generation": 4, "Upscaling": 1}}
    return BacklogPolicy(**{**options, "stale_after_seconds": 5, **changes})


def deployment(name: str) -> DeploymentID:
    return DeploymentID(name=name, app_name="sartiq")


def context(
    name: str, target: int = 0, reports: Mapping[str, Mapping[str, list[tuple[float, float]]]] = {}
) -> AutoscalingContext:
    """A context; ``reports`` are (seconds ago, value) by metric and replica."""
    metrics = {
        metric: {
            ReplicaID(replica, deployment(name)): [
                TimeStampedValue(NOW - ago, value) for ago, value in points
            ]
            for replica, points in replicas.items()
        }
        for metric, replicas in reports.items()
    }
    return AutoscalingContext(
        deployment_id=deployment(name),
        deployment_name=name,
        app_name="sartiq",
        current_num_replicas=target,
        target_num_replicas=target,
        running_replicas=[],
        total_num_requests=0.0,
        total_queued_requests=0.0,
        aggregated_metrics={},
        raw_metrics=metrics,
        capacity_adjusted_min_replicas=0,
        capacity_adjusted_max_replicas=3,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=NOW,
        config=AutoscalingConfig(min_replicas=0, max_replicas=3),
    )


def decide(reports: Mapping, *, generation: int = 2, upscaling: int = 1, **options: object) -> dict:
    contexts = {
        c.deployment_id: c
        for c in (
            context("TaskRunner", 1, reports),
            context("Generation", generation),
            context("Upscaling", upscaling),
        )
    }
    desired, state = policy(**options)(contexts)
    assert state == {}
    return {key.name: count for key, count in desired.items()}


@pytest.mark.parametrize(("backlog", "replicas"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_replicas_follow_the_backlog(backlog: int, replicas: int) -> None:
    reports = {"generation": {"r1": [(1, backlog)]}, "upscaling": {"r1": [(1, 0)]}}
    assert decide(reports) == {"Generation": replicas, "Upscaling": 0}


def test_the_newest_report_of_any_replica_counts() -> None:
    reports = {"upscaling": {"r1": [(4, 9), (3, 7)], "r2": [(2, 5), (1, 2)], "r3": []}}
    assert decide(reports)["Upscaling"] == 2


def test_missing_and_stale_signals_hold_what_is_there() -> None:
    assert decide({}) == {"Generation": 2, "Upscaling": 1}
    assert decide({"generation": {"r1": [(5.1, 0)]}})["Generation"] == 2
    assert decide({"generation": {"r1": [(4.9, 0)]}})["Generation"] == 0


def test_one_queue_may_be_known_and_another_not() -> None:
    assert decide({"upscaling": {"r1": [(0, 3)]}}) == {"Generation": 2, "Upscaling": 3}


def test_reports_of_other_deployments_are_no_signal() -> None:
    reports = {"upscaling": {"r1": [(0, 3)]}}
    assert decide(reports, source="Gateway") == {"Generation": 2, "Upscaling": 1}


@pytest.mark.parametrize(
    "tasks_per_replica",
    [{"Generation": 4}, {"Generation": 4, "Upscaling": 0}, {"Generation": 4, "Other": 1}],
)
def test_an_incomplete_configuration_is_refused(tasks_per_replica: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="tasks_per_replica"):
        policy(tasks_per_replica=tasks_per_replica)


@pytest.mark.platform
def test_a_real_serve_scales_up_down_to_zero_and_holds(tmp_path: Path) -> None:
    """In a process of its own: Ray may not be started twice in one, and its output is Ray's."""
    here = Path(__file__).parent
    # Ray's sockets allow no long path, so not under pytest's tmp_path.
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as temp_dir:
        run = subprocess.run(
            [sys.executable, here / "backlog_run.py", temp_dir, tmp_path / "facts.json"],
            env={**os.environ, "PYTHONPATH": str(here)},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert run.returncode == 0, run.stderr[-4000:]
    facts = json.loads((tmp_path / "facts.json").read_text())
    # 0.3 s on an idle machine.
    assert facts["0->1 decided"] < 1.5
    assert facts["0->3 decided"] < 1.5
    # Without a signal, longer than every delay of the application.
    assert facts["held"] == [3, 1]
    # Not at once: the cool-down before zero was served.
    assert facts["1->0"] >= 2.0
    assert facts["upscaling stays"] == [0]
