"""What is told of an attempt: lines in the log, a span, metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind, StatusCode

from db.repositories.queue import ClaimedTask, Failure
from telemetry import context
from telemetry.logs import log
from telemetry.metrics import TASK_FAILURES, TASK_RUN_SECONDS, TASK_WAIT_SECONDS, TASKS
from telemetry.traces import TRACER

logger = logging.getLogger(__name__)


class Trail:
    """Of one attempt; whoever settles it says what came of it."""

    def __init__(self, task: ClaimedTask) -> None:
        self._task = task
        self._began = time.perf_counter()
        self._outcome = "cancelled"
        self._failure: Failure | None = None

    @contextmanager
    def told(self) -> Iterator[None]:
        """Around the attempt; what is done within follows from what queued the task."""
        task = self._task
        kept = task.origin or {}
        about: dict[str, str | int] = {"sartiq.task_id": task.id, "sartiq.attempt": task.attempt}
        with (
            context.known(
                request_id=kept.get("request_id"),
                organization=str(task.organization_id),
                task_id=task.id,
            ),
            TRACER.start_as_current_span(
                f"task {task.type}",
                context=context.parent(kept),
                kind=SpanKind.CONSUMER,
                attributes=about,
            ) as span,
        ):
            if task.attempt == 1:
                waited = (task.claimed_at - task.created_at).total_seconds()
                TASK_WAIT_SECONDS.observe(waited, type=task.type)
            log(logger, logging.INFO, "attempt began", type=task.type, attempt=task.attempt)
            try:
                yield
            finally:
                span.set_attribute("sartiq.outcome", self._outcome)
                if self._failure is not None:
                    span.set_status(StatusCode.ERROR, self._failure.reason)
                self._end()

    def completed(self) -> None:
        """Its result is stored."""
        self._outcome = "completed"

    def released(self) -> None:
        """It was handed back."""
        self._outcome = "released"

    def failed(self, failure: Failure, *, final: bool) -> None:
        """It failed, and so did the task if that is ``final``."""
        self._outcome, self._failure = "failed" if final else "retried", failure

    def _end(self) -> None:
        task, seconds = self._task, time.perf_counter() - self._began
        TASKS.add(type=task.type, outcome=self._outcome)
        if self._outcome == "completed":
            TASK_RUN_SECONDS.observe(seconds, type=task.type)
        if self._failure is not None:
            TASK_FAILURES.add(type=task.type, code=self._failure.code)
        log(
            logger,
            logging.INFO if self._failure is None else logging.WARNING,
            "attempt ended",
            type=task.type,
            attempt=task.attempt,
            outcome=self._outcome,
            code=self._failure and self._failure.code,
            reason=self._failure and self._failure.reason,
            seconds=round(seconds, 4),
        )
