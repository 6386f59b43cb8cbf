"""Run the small application on a Ray of its own and write down when replicas came and went."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ray
import yaml
from ray import serve
from ray.serve.context import _get_global_client
from ray.serve.schema import ServeDeploySchema

APP = "backlog"


def replicas(deployment: str) -> tuple[int, int]:
    """Replicas of a deployment: in any state, and running."""
    states = serve.status().applications[APP].deployments[deployment].replica_states
    counts = {getattr(state, "value", state): count for state, count in states.items()}
    return sum(counts.values()), counts.get("RUNNING", 0)


def seconds_until(condition: Callable[[], bool], timeout: float = 40.0) -> float:
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > timeout:
            raise TimeoutError(str(serve.status()))
        time.sleep(0.05)
    return round(time.monotonic() - start, 2)


def observe() -> dict[str, float | list[int]]:
    """Drive the backlog up and down; seconds by phase, and the numbers that must not change."""
    runner = serve.get_deployment_handle("TaskRunner", APP)
    facts: dict[str, float | list[int]] = {}
    for want in (1, 3):
        runner.set.remote({"upscaling": want, "generation": 0}).result()
        facts[f"0->{want} decided"] = seconds_until(lambda n=want: replicas("Upscaling")[0] >= n)
        facts[f"0->{want} running"] = seconds_until(lambda n=want: replicas("Upscaling")[1] >= n)
        if want == 3:
            # The signal fails: nothing may move, for longer than any cool-down of this app.
            runner.set.remote(None).result()
            time.sleep(6)
            facts["held"] = [replicas("Upscaling")[1], replicas("Generation")[1]]
        runner.set.remote({"upscaling": 0, "generation": 0}).result()
        facts[f"{want}->0"] = seconds_until(lambda: replicas("Upscaling")[0] == 0)
    runner.set.remote({"upscaling": 0, "generation": 9}).result()
    facts["generation 1->2"] = seconds_until(lambda: replicas("Generation")[0] == 2)
    facts["upscaling stays"] = [replicas("Upscaling")[0]]
    return facts


def main(temp_dir: str, output: str) -> None:
    config = yaml.safe_load(Path(__file__).with_name("backlog_config.yaml").read_text())
    ray.init(_temp_dir=temp_dir, include_dashboard=False, num_cpus=2, configure_logging=False)
    try:
        serve.start(proxy_location="Disabled")
        _get_global_client().deploy_apps(ServeDeploySchema(**config))
        seconds_until(lambda: serve.status().applications[APP].status == "RUNNING", 120)
        Path(output).write_text(json.dumps(observe()))
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
