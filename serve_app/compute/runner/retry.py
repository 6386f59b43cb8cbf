"""Whether a failed attempt is tried again, and when."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from db.repositories.queue import Failure
from deployments.errors import DeploymentError
from serve_app.core.errors import SartiqError
from serve_app.core.providers.errors import HostedError
from training.contracts import InvalidTraining, TrainingError


@dataclass(frozen=True, slots=True)
class RetryStrategy:
    """How often one kind of failure may happen to a task before the task fails.

    Attributes:
        attempts: failures of this kind that are allowed in all; 1 is no retry.
        first_delay: seconds before the second attempt; doubled for each further one.
        longest_delay: seconds.
        jitter: the share of a delay that chance adds, so that tasks that failed together do not
            come back together.
        least_delay: seconds that were asked for; nothing is tried before.
    """

    attempts: int
    first_delay: float = 0.5
    longest_delay: float = 30.0
    jitter: float = 0.0
    least_delay: float = 0.0

    def after(self, failures: int) -> float | None:
        """Seconds to wait after that many failures of the kind; None: give up."""
        if failures >= self.attempts:
            return None
        delay = min(self.first_delay * 2.0 ** (failures - 1), self.longest_delay)
        return max(delay, self.least_delay) * (1.0 + random.uniform(0.0, self.jitter))  # noqa: S311


class Stalled(DeploymentError):
    """The model gave no sign of life for too long, or the attempt took too long in all."""

    code = "timeout"
    retryable = True


NEVER = RetryStrategy(attempts=1)
# A model that fails on a request most likely fails on it again; once more guards against a fluke.
MODEL = RetryStrategy(attempts=2)
# A hung replica is replaced, so the next attempt meets another one; a request that hangs every
# replica must not go on doing so.
STALL = RetryStrategy(attempts=3)
# A replica or a runner that dies takes innocent tasks with it, perhaps many times in a row. Still
# there is an end to it: a task that kills whatever works on it must not do so for ever.
INFRASTRUCTURE = RetryStrategy(attempts=16, first_delay=0.2, longest_delay=10.0)
# A hosted provider is somebody else's: it asks for pauses, and has bad minutes.
HOSTED = RetryStrategy(attempts=5, first_delay=1.0, longest_delay=60.0, jitter=0.5)


def classify(error: BaseException) -> tuple[Failure, RetryStrategy]:
    """Failure and strategy of what a handler raised.

    Errors of our own keep their text. Of Ray's, the cause is told and never the traceback.
    """
    error = _unwrap(error)
    if isinstance(error, Stalled):
        return Failure(error.code, str(error)), STALL
    if isinstance(error, InvalidTraining):
        # The words that clients look for, as in every refusal.
        return Failure(error.code, f"Invalid input: {error}"), NEVER
    if isinstance(error, DeploymentError | TrainingError):
        return Failure(error.code, str(error)), MODEL if error.retryable else NEVER
    if isinstance(error, SartiqError):
        return Failure(error.code, str(error)), _strategy(error)
    if isinstance(error, RayError | RayServeException):
        return Failure("replica_lost", "The process that worked on it was lost"), INFRASTRUCTURE
    return Failure("internal_error", "Internal error"), MODEL


def _strategy(error: SartiqError) -> RetryStrategy:
    if not error.retryable:
        return NEVER
    if isinstance(error, HostedError):
        return replace(HOSTED, least_delay=error.retry_after or 0.0)
    return INFRASTRUCTURE


def _unwrap(error: BaseException) -> BaseException:
    """What a replica raised, out of the error that Ray wraps it in."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else error
