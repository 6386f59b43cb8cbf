"""One optimizer step: a batch, in micro-batches and over the team, into one move of the adapter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from training import team
from training.contracts import TrainingConfig
from training.dataset import Frame, Order, share_out
from training.draws import generator
from training.losses import Row, RowLoss
from training.optimization import Optimizer
from training.preparation import Prepared


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did; ``epoch`` counts from 0, ``loss`` is the mean over the whole batch."""

    epoch: int
    loss: torch.Tensor
    rate: float
    images: int


class Stepper:
    """Takes the steps of a run.

    A step is the same, up to rounding, however its rows are divided: each row has draws of its
    own, and counts as much as any other.

    Args:
        config: of the run.
        prepared: model, pictures and adapter.
        loss: of rows.
        optimizer: moves the adapter.
    """

    def __init__(
        self, config: TrainingConfig, prepared: Prepared, loss: RowLoss, optimizer: Optimizer
    ) -> None:
        self._config, self._prepared = config, prepared
        self._loss, self._optimizer = loss, optimizer
        shapes = [self._frame(index).size for index in prepared.train]
        self._order = Order(shapes, config.batch_size, config.seed)

    @property
    def epochs(self) -> int:
        """Of the whole run, the last one begun included."""
        return -(-self._config.steps // self._order.steps_per_epoch)

    def __call__(self, step: int) -> Step:
        """Take a step, counted from 0."""
        epoch, batch = self._order.batch(step)
        total = torch.zeros((), device=self._prepared.model.device)
        for rows in self._micro_batches(step, batch):
            loss = self._sum(rows) / len(batch)
            self._optimizer.backward(loss)
            total += loss.detach()
        rate = self._optimizer.step(step, [total])
        return Step(epoch, total, rate, len(batch))

    def _frame(self, index: int) -> Frame:
        return self._prepared.encoder.pictures[index].frame

    def _micro_batches(self, step: int, batch: Sequence[int]) -> Iterator[list[Row]]:
        """This process's rows of a batch, each lot of one shape."""
        parts = share_out(len(batch), team.size() * self._config.accumulation)
        first = team.rank() * self._config.accumulation
        for part in parts[first : first + self._config.accumulation]:
            by_size: defaultdict[object, list[Row]] = defaultdict(list)
            for number in part:
                row = Row(self._prepared.train[batch[number]], (self._config.seed, step, number))
                by_size[self._frame(row.index).size].append(row)
            yield from by_size.values()

    def _sum(self, rows: list[Row]) -> torch.Tensor:
        """The loss of all rows, and of as many pictures of the prior."""
        indices = [row.index for row in rows]
        frames = [self._frame(index) for index in indices]
        silent = [place for place, row in enumerate(rows) if self._is_silent(row)]
        loss = self._loss(rows, frames, self._prepared.encoder.rows(indices, silent)).sum()
        if (prior := self._prepared.prior) is None:
            return loss
        kept = [self._prior_row(row) for row in rows]
        encoded = prior.rows([row.index for row in kept])
        return loss + self._config.prior_weight * (
            self._loss(kept, [prior.frame] * len(kept), encoded).sum()
        )

    def _is_silent(self, row: Row) -> bool:
        """Whether the row is learnt from without its caption."""
        share = self._config.caption_dropout
        if share == 0:
            return False
        return bool(torch.rand((), generator=generator("caption", *row.key)) < share)

    def _prior_row(self, beside: Row) -> Row:
        key = ("prior", *beside.key)
        chosen = torch.randint(self._config.prior_images, (), generator=generator("choice", *key))
        return Row(int(chosen), key)
