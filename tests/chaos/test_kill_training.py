"""A training whose processes are killed ends with the same weights, to the last bit."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chaos.test_kill import patient
from tests.e2e.client import ended
from tests.e2e.test_training import begin, dataset
from tests.fixtures.platform import LivePlatform

pytestmark = [pytest.mark.platform, pytest.mark.chaos, pytest.mark.timeout(900)]

STEPS = 120
CHECKPOINT_EVERY = 8
# From a kill to the first step that had not been done before.
AGAIN_SECONDS = 45.0


def kill_worker(platform: LivePlatform) -> None:
    # A lone worker is its own driver.
    (worker,) = platform.processes("TrainingDriver")
    worker.kill()


def kill_runner(platform: LivePlatform) -> None:
    platform.replica("TaskRunner").kill()


def last_step(client: httpx.Client, training_id: str) -> int:
    """The last step that any attempt has done."""
    history = client.get(f"/training/{training_id}/metrics").json()
    return max((one["step"] for one in history["steps"]), default=0)


def beyond(client: httpx.Client, training_id: str, step: int, timeout: float = 120.0) -> int:
    """Wait until more steps than that are done; the last one."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            if (found := last_step(client, training_id)) > step:
                return found
        except (httpx.TransportError, KeyError):
            pass
        time.sleep(0.1)
    raise AssertionError(f"no step after {step} within {timeout} s")


def checkpoints(platform: LivePlatform, training_id: str) -> list[Path]:
    """Those that lie in storage."""
    return [
        path
        for path in (platform.home / "storage").rglob("*.ckpt")
        if path.parts[-3] == training_id
    ]


def train(client: httpx.Client, data: bytes) -> dict[str, Any]:
    return begin(client, data, steps=STEPS, checkpoint_every=CHECKPOINT_EVERY, sample_every=60)


def weights(client: httpx.Client, training_id: str) -> str:
    """SHA-256 of what the training delivers."""
    done = patient(lambda: ended(client, training_id, timeout=300))
    assert done["status"] == "completed", done
    found = client.get(f"/training/{training_id}").json()
    digest: str = found["output"]["lora"]["sha256"]
    return digest


def test_killed_trainings_end_with_the_same_weights(
    platform: LivePlatform, record_property: Callable[[str, object], None]
) -> None:
    data = dataset()
    with platform.client() as client:
        undisturbed = train(client, data)["id"]
        expected = weights(client, undisturbed)
        harmed = train(client, data)["id"]
        done = beyond(client, harmed, CHECKPOINT_EVERY + 1)
        for harm in (kill_worker, kill_runner):
            before, killed_at = last_step(client, harmed), time.monotonic()
            harm(platform)
            done = beyond(client, harmed, before)
            seconds = time.monotonic() - killed_at
            record_property(f"{harm.__name__}_seconds_to_new_step", seconds)
            figures = f"step {done} after {seconds:.1f} s, it was at {before}"
            print(f"{harm.__name__}: {figures}")  # noqa: T201 - the figure that is claimed
            assert seconds <= AGAIN_SECONDS
            assert done < STEPS, "it was killed in the middle"
        assert weights(client, harmed) == expected
        training = client.get(f"/training/{harmed}").json()
        codes = [one["code"] for one in training["failures"]]
        assert codes == ["replica_lost", "runner_lost"]
        history = client.get(f"/training/{harmed}/metrics").json()
        calm = client.get(f"/training/{undisturbed}/metrics").json()
    losses = [[one["loss"] for one in both["steps"]] for both in (history, calm)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == STEPS
    deadline = time.monotonic() + 15
    while (left := checkpoints(platform, harmed)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left, "checkpoints go soon after the training is done with"
