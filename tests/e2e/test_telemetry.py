"""One request, followed through gateway, runner and replica: in logs, traces and metrics.

On a platform of its own, which in the end is told to stop while it works.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from configs.settings import CHECKOUT, Settings
from serve_app.platform import Platform
from serve_app.platform.environment import run_folder
from serve_app.platform.ports import Ports
from telemetry.metrics import ALL
from tests.e2e.client import ended, submit, wait_until
from tests.fixtures.otlp import Collector, Span, collecting
from tests.fixtures.platform import ENVIRONMENT, LivePlatform, free_http_port
from tests.monitoring.promql import metrics_of

pytestmark = pytest.mark.platform

REQUEST_ID = "req-of-the-test-0815"


@dataclass(frozen=True, slots=True)
class Watched:
    live: LivePlatform
    collector: Collector
    # Of a generation that was completed.
    task_id: str

    def lines(self) -> list[dict[str, Any]]:
        """Log lines of our own, of every process."""
        logs = run_folder(self.live.ports) / "ray" / "session_latest" / "logs"
        return [
            json.loads(line)
            for file in logs.glob("worker-*.err")
            for line in file.read_text(errors="replace").splitlines()
            if line.startswith('{"time"')
        ]

    def scraped(self) -> dict[str, list[Any]]:
        """Samples of Ray's exporter, by name."""
        url = f"http://127.0.0.1:{self.live.ports.ray_metrics}/metrics"
        text = httpx.get(url, trust_env=False, timeout=20).text
        found: dict[str, list[Any]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append(sample)
        return found


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    home = Path(tempfile.mkdtemp(prefix="sartiq-telemetry-"))
    home.chmod(0o755)
    port = free_http_port()
    settings = Settings(home=home, http={"port": port}, environment="test")
    with collecting() as collector:
        environment = {
            **ENVIRONMENT,
            "SARTIQ_HOME": str(home),
            "SARTIQ_HTTP_PORT": str(port),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        try:
            with Platform.running(settings, environment=environment) as running:
                live = LivePlatform(running, home, Ports.derive(settings))
                with live.client() as client:
                    client.headers["X-Request-ID"] = REQUEST_ID
                    task = submit(client, prompt="a woman wearing a red dress", steps=4)
                    client.headers["X-Request-ID"] = "of the polling: not good"
                    assert ended(client, task["id"])["status"] == "completed"
                yield Watched(live, collector, task["id"])
        finally:
            shutil.rmtree(home, ignore_errors=True)


def test_one_id_is_in_the_lines_of_every_process(watched: Watched) -> None:
    def told() -> dict[str, list[dict[str, Any]]] | None:
        found: dict[str, list[dict[str, Any]]] = {}
        for line in watched.lines():
            if line.get("request_id") == REQUEST_ID:
                found.setdefault(line["process"], []).append(line)
        return found if found.keys() == {"gateway", "runner", "generation"} else None

    found = wait_until(told, seconds=60)
    (request,) = found["gateway"]
    assert (request["message"], request["operation"]) == ("request", "create_generation")
    assert request["status"] == 201
    assert [line["message"] for line in found["runner"]] == ["attempt began", "attempt ended"]
    assert found["runner"][-1]["outcome"] == "completed"
    (served,) = found["generation"]
    assert served["outcome"] == "done"
    for line in (*found["runner"], served):
        assert line["task_id"] == watched.task_id
        assert line["organization"] == request["organization"]


def test_a_trace_leads_from_the_request_to_the_replica(watched: Watched) -> None:
    def found() -> list[Span] | None:
        spans = {span.id: span for span in watched.collector.spans}
        mine = (
            span
            for span in watched.collector.spans
            if span.name == "Generation"
            and span.attributes.get("sartiq.task_id") == watched.task_id
        )
        chain: list[Span] = []
        span = next(mine, None)
        while span is not None:
            chain.append(span)
            span = spans.get(span.parent)
        return chain if len(chain) >= 4 else None

    replica, call, attempt, request = wait_until(found, seconds=60)
    services = [span.service for span in (replica, call, attempt, request)]
    assert services == ["sartiq-generation", "sartiq-runner", "sartiq-runner", "sartiq-gateway"]
    assert (call.name, attempt.name) == ("call generation", "task generation")
    assert request.name.startswith("POST ")
    assert len({span.trace for span in (replica, call, attempt, request)}) == 1
    assert request.parent == ""


def test_metrics_are_exported(watched: Watched) -> None:
    wanted = {
        "ray_sartiq_http_request_seconds_count",
        "ray_sartiq_tasks_total",
        "ray_sartiq_task_wait_seconds_bucket",
        "ray_sartiq_task_run_seconds_bucket",
        "ray_sartiq_queue_pending",
        "ray_sartiq_queue_workers",
        "ray_sartiq_images_total",
        "ray_sartiq_denoising_step_seconds_sum",
        "ray_sartiq_model_loads_total",
        "ray_sartiq_database_connections",
    }
    wait_until(lambda: wanted <= watched.scraped().keys(), seconds=120)
    scraped = watched.scraped()
    completed = [
        sample.value
        for sample in scraped["ray_sartiq_tasks_total"]
        if (sample.labels["type"], sample.labels["outcome"]) == ("generation", "completed")
    ]
    assert completed == [1.0]
    operations = {s.labels["operation"] for s in scraped["ray_sartiq_http_request_seconds_count"]}
    assert {"create_generation", "get_task"} <= operations
    (images,) = scraped["ray_sartiq_images_total"]
    assert (images.labels["model"], images.value) == ("atelier-tiny", 1.0)


def test_dashboards_and_rules_name_only_metrics_that_exist(watched: Watched) -> None:
    """Ours are declared; those of Ray and of Serve are exported by this very platform."""
    declared = {f"ray_{metric.name}" for metric in ALL}
    named = metrics_of(CHECKOUT / "configs" / "monitoring")
    assert any(name.startswith("ray_sartiq_") for name in named)
    foreign = {name for name in named if not name.startswith("ray_sartiq_")}
    wait_until(lambda: foreign <= watched.scraped().keys(), seconds=120)
    for name in named - foreign:
        base = name
        for suffix in ("_total", "_bucket", "_count", "_sum"):
            base = base.removesuffix(suffix)
        assert base in declared, name
