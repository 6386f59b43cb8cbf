"""Figures of the steps, as they go out."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import replace

import torch

from training.contracts import Diverged, Metrics, StepMetrics
from training.reporting import Reporter
from training.steps import Step

_FLUSH_SECONDS = 0.5
# Steps that the speed is averaged over.
_WINDOW = 50


class StepLog:
    """Figures of the steps, kept until it is time to send them.

    Losses stay on the device until then, so that a GPU need not wait for the CPU in every step.

    Args:
        report: where they go.
        steps: of the whole run.
    """

    def __init__(self, report: Reporter, steps: int) -> None:
        self._report, self._steps = report, steps
        # Loss of each step on its device; everything else is known.
        self._kept: list[tuple[torch.Tensor, StepMetrics]] = []
        self._recent: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._flushed_at = time.monotonic()

    def add(self, step: int, taken: Step, seconds: float) -> None:
        """Keep a step, counted from 0; send what is kept when the last time is long ago.

        Raises:
            Diverged: a loss is not a finite number.
        """
        self._recent.append((seconds, taken.images))
        spent = sum(recent for recent, _ in self._recent)
        metrics = StepMetrics(
            step=step + 1,
            epoch=taken.epoch + 1,
            loss=math.nan,
            learning_rate=taken.rate,
            images_per_second=sum(images for _, images in self._recent) / spent,
            eta_seconds=(self._steps - step - 1) * spent / len(self._recent),
        )
        self._kept.append((taken.loss, metrics))
        if time.monotonic() - self._flushed_at >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send what is kept.

        Raises:
            Diverged: a loss is not a finite number.
        """
        self._flushed_at = time.monotonic()
        if not self._kept:
            return
        losses = torch.stack([loss for loss, _ in self._kept]).tolist()
        steps = tuple(
            replace(metrics, loss=loss)
            for loss, (_, metrics) in zip(losses, self._kept, strict=True)
        )
        self._kept.clear()
        for step in steps:
            if not math.isfinite(step.loss):
                raise Diverged(
                    f"the loss of step {step.step} is {step.loss}: try a smaller learning rate"
                )
        self._report(Metrics(steps))
