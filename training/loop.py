"""The training loop: one process of a team, or alone in a notebook.

from training.loop import train
train(request, print)
"""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import torch

from configs.catalog import ModelEntry, get_catalog
from training import checkpoints, dataset, provenance, team
from training.checkpoints import State
from training.contracts import (
    Checkpoint,
    Emit,
    Finished,
    InvalidTraining,
    Started,
    TrainingRequest,
    UnusableCheckpoint,
    Validation,
)
from training.evaluation import Evaluation, score
from training.losses import RowLoss
from training.metrics import StepLog
from training.numerics import memory_errors, reproducible
from training.optimization import Optimizer
from training.preparation import Prepared, check, prepare
from training.reporting import Reporter
from training.steps import Stepper


def train(
    request: TrainingRequest,
    emit: Emit,
    *,
    entry: ModelEntry | None = None,
    device: str = "auto",
    threads: int = 0,
) -> None:
    """Train the adapter of a request; ``emit`` gets the events, of which `Finished` is the last.

    Args:
        request: what to train.
        emit: called in this thread, by the first process of a team only.
        entry: the base model; None: the catalog's of that name.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for the GPU if there is one.
        threads: of torch on a CPU; 0: as many as it has chosen. A run that resumes keeps its own.

    Raises:
        InvalidTraining: the request can never succeed.
        TrainingOutOfMemory: of the device.
        Diverged: the loss is not a number any more.
    """
    check(request.config)
    if entry is None:
        entry = get_catalog().get(request.model)
        if entry is None:
            raise InvalidTraining(f"there is no model {request.model!r}")
    state = _restore(request, entry)
    own = state.figures["threads"] if state else threads or torch.get_num_threads()
    report = Reporter(emit)
    with reproducible(own), memory_errors():
        prepared = prepare(request, entry, state, report, _device(device))
        Loop(request, entry, prepared, report).run(state)


def _device(name: str) -> torch.device:
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise InvalidTraining("device 'cuda' is set, but torch sees no GPU")
    # Ray Train has made its own GPU the current one in each worker.
    if name != "cpu" and has_gpu:
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def _restore(request: TrainingRequest, entry: ModelEntry) -> State | None:
    if request.checkpoint is None:
        return None
    state = checkpoints.unpack(request.checkpoint)
    if state.figures["run"] != _identity(request, entry):
        raise UnusableCheckpoint("the checkpoint is one of another run: its request differs")
    return state


def _identity(request: TrainingRequest, entry: ModelEntry) -> str:
    """Of everything that decides the weights; how a batch is split up does not."""
    config = replace(request.config, accumulation=1, gradient_checkpointing=None)
    facts = (request.model, entry.source, asdict(config), dataset.digest(request.examples))
    return hashlib.sha256(repr(facts).encode()).hexdigest()


class Loop:
    """The steps of one run, its validations and checkpoints, and its end.

    Args:
        request: what to train.
        entry: the base model.
        prepared: what the steps work with.
        report: takes the events.
    """

    def __init__(
        self, request: TrainingRequest, entry: ModelEntry, prepared: Prepared, report: Reporter
    ) -> None:
        config, model = request.config, prepared.model
        self._request, self._config, self._entry = request, config, entry
        self._prepared, self._report = prepared, report
        loss = RowLoss(model, model.objective(), config.snr_gamma)
        self._optimizer = Optimizer(
            prepared.adapter.parameters, config, scaled=model.dtype == torch.float16
        )
        self._stepper = Stepper(config, prepared, loss, self._optimizer)
        self._log = StepLog(report, config.steps)
        self._evaluation = Evaluation(config, prepared, loss) if team.rank() == 0 else None
        self._best = self._last = Validation(0, None, None, is_best=True)
        self._best_weights = prepared.adapter.weights()
        self._loss_without: float | None = None

    def run(self, state: State | None) -> None:
        """All steps that are left, and the end."""
        config = self._config
        first = self._begin(state)
        with ThreadPoolExecutor(1) as aside:
            weights_hash = aside.submit(provenance.model_hash, self._entry)
            for step in range(first, config.steps):
                self._step(step)
                done, ends = step + 1, step + 1 == config.steps
                if ends or (config.sample_every and done % config.sample_every == 0):
                    self._validate(done)
                if not ends and done % config.checkpoint_every == 0:
                    self._save(done)
            if team.rank() == 0:
                self._finish(weights_hash.result())

    def _begin(self, state: State | None) -> int:
        """Steps that are done."""
        if state is not None:
            self._resume(state)
        elif self._evaluation is not None:
            self._loss_without = self._evaluation.loss()
        first = int(state.figures["step"]) if state else 0
        self._report(
            Started(
                step=first,
                steps=self._config.steps,
                epochs=self._stepper.epochs,
                images=len(self._prepared.train),
                validation_images=len(self._prepared.held_out),
                buckets=self._prepared.buckets,
            )
        )
        return first

    def _step(self, step: int) -> None:
        began = time.perf_counter()
        with self._report.phase("steps"):
            taken = self._stepper(step)
        if team.rank() == 0:
            self._log.add(step, taken, time.perf_counter() - began)

    def _validate(self, done: int) -> None:
        """Measure the adapter, and keep it if it is the best so far."""
        if self._evaluation is None:
            return
        self._log.flush()
        with self._report.phase("validation"):
            measured = Validation(
                done, self._evaluation.loss(), self._evaluation.sample(done, self._report), False
            )
        scores = [score(each, self._loss_without) for each in (measured, self._best)]
        is_best = self._best.step == 0 or scores[0] >= scores[1]
        self._last = replace(measured, is_best=is_best)
        if is_best:
            self._best, self._best_weights = self._last, self._prepared.adapter.weights()
        self._report(self._last)

    def _save(self, done: int) -> None:
        if team.rank() > 0:
            return
        self._log.flush()
        with self._report.phase("checkpoints"):
            data = checkpoints.pack(self._state(done))
        self._report(Checkpoint(done, data))

    def _state(self, done: int) -> State:
        """Rates, order and draws are functions of the step, and the request says the rest."""
        prior = self._prepared.prior
        groups = {
            "adapter": self._prepared.adapter.weights(),
            "optimizer": self._optimizer.moments(),
            "best": self._best_weights,
            "prior": prior.state() if prior else {},
        }
        figures = {
            "run": _identity(self._request, self._entry),
            "step": done,
            "threads": torch.get_num_threads(),
            "scale": self._optimizer.scale(),
            "best": asdict(self._best),
            "loss_without": self._loss_without,
        }
        return State(groups, figures)

    def _resume(self, state: State) -> None:
        figures = state.figures
        self._prepared.adapter.load(state.groups["adapter"])
        self._optimizer.load(state.groups["optimizer"], figures["scale"])
        self._best_weights = dict(state.groups["best"])
        self._best = self._last = Validation(**figures["best"])
        self._loss_without = figures["loss_without"]

    def _finish(self, weights_hash: str) -> None:
        metadata = provenance.metadata(self._request, self._entry, weights_hash, self._best)
        weights = self._prepared.adapter.file(self._best_weights, metadata)
        seconds = {phase: round(spent, 3) for phase, spent in self._report.seconds.items()}
        self._report(Finished(weights, metadata, self._best, self._last, seconds))
