"""What each worker of a run does: the training loop, with its events sent to the run's driver."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayError

from configs.catalog import ModelEntry
from training.contracts import Event, TrainingError, TrainingRequest

_NICER = 10


@dataclass(frozen=True, slots=True)
class Assignment:
    """One worker's part of a run; all have the same.

    Attributes:
        request: what to train, in the object store.
        entry: the base model.
        driver: takes events and errors.
        device: ``"cpu"`` or ``"cuda"``.
        threads: of torch.
    """

    request: ray.ObjectRef[TrainingRequest]
    entry: ModelEntry
    driver: ActorHandle[Any]
    device: str
    threads: int


def work(config: dict[str, Assignment]) -> None:
    """Ray Train calls this in every worker.

    Raises:
        TrainingError: the run could not do its work; the driver knows.
    """
    # Ray Train has torch imported by now; the diffusers that the loop needs takes as long again.
    from training.loop import train  # noqa: PLC0415
    from training.team import PeerLost  # noqa: PLC0415

    assignment = config["assignment"]
    if assignment.device == "cpu":
        _yield_to_everybody()
    request: TrainingRequest = ray.get(assignment.request)
    outbox = Outbox(assignment.driver)
    try:
        train(
            request,
            outbox.send,
            entry=assignment.entry,
            device=assignment.device,
            threads=assignment.threads,
        )
        outbox.wait()
    except TrainingError as error:
        outbox.fail(error)
        raise
    except (RayError, PeerLost):
        # The driver is gone, and takes this process with it; or another worker is, of which the
        # driver hears first-hand.
        raise
    except Exception as error:
        outbox.fail(TrainingError(f"{type(error).__name__}: {error}"))
        raise


class Outbox:
    """Sends events to the driver in their order, at most one of them on its way."""

    def __init__(self, driver: ActorHandle[Any]) -> None:
        self._driver = driver
        self._sent: ray.ObjectRef[None] | None = None

    def send(self, event: Event) -> None:
        """Send an event, as soon as the one before it has arrived."""
        self.wait()
        self._sent = self._driver.put.remote(event)

    def wait(self) -> None:
        """Return when everything has arrived."""
        if self._sent is not None:
            ray.get(self._sent)

    def fail(self, error: TrainingError) -> None:
        """Say why this worker ends."""
        self.wait()
        ray.get(self._driver.fail.remote(error))


def _yield_to_everybody() -> None:
    """Run this thread, and those that it starts, behind servers and behind generation.

    A training takes minutes of every core that it gets; nobody waits for its next step.
    """
    if sys.platform == "linux":  # where priority is a thread's own
        os.nice(_NICER)
