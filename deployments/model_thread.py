"""Run a model's blocking work on a thread of its own: a replica's event loop must stay live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from deployments.contracts import Event, Started
from deployments.errors import DeploymentError, InferenceFailed, ModelUnavailable, OutOfMemory
from deployments.priority import yield_to_servers

Model = TypeVar("Model")
Answer = TypeVar("Answer")


class ModelThread(Generic[Model]):
    """Owns a model and the only thread that touches it; requests take turns.

    Args:
        load: makes the model; called on the thread, so that what it imports delays no one.
        name: of the thread, seen in profilers.
        stall_seconds: a step that takes longer counts as hung.
    """

    def __init__(self, load: Callable[[], Model], *, name: str, stall_seconds: float) -> None:
        self._load = load
        self._stall_seconds = stall_seconds
        self._executor = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix=name, initializer=yield_to_servers
        )
        self._turn = asyncio.Lock()
        self._model: Model | None = None
        self._step_began: float | None = None

    @property
    def model(self) -> Model | None:
        """The model, once it is loaded; only its own thread may work with it."""
        return self._model

    def preload(self) -> None:
        """Start loading; a failure shows in the first request instead."""
        self._executor.submit(self._timed, self._get)

    async def stream(self, work: Callable[[Model], Iterator[Event]]) -> AsyncGenerator[Event, None]:
        """``Started`` once it is this request's turn, then every event of ``work(model)``.

        A consumer that goes away stops the work at the end of its present step.

        Raises:
            DeploymentError: what the work raised, or an error of this tree that says what it was.
        """
        async with self._turn:
            yield Started()
            events: Iterator[Event] | None = None
            try:
                events = await self._call(lambda: work(self._get()))
                while (event := await self._call(lambda: next(events, None))) is not None:
                    yield event
            finally:
                # Queued behind the step that may still be running: an iterator in use cannot close.
                self._executor.submit(getattr(events, "close", lambda: None))

    def check_health(self) -> None:
        """Serve's health check.

        Raises:
            RuntimeError: the present step has taken longer than it may.
        """
        began = self._step_began
        if began is not None and (seconds := time.monotonic() - began) > self._stall_seconds:
            raise RuntimeError(f"one step of the model has taken {seconds:.0f} s")

    def _get(self) -> Model:
        if self._model is None:
            try:
                self._model = self._load()
            except (ImportError, OSError, ValueError) as error:
                raise ModelUnavailable(f"{type(error).__name__}: {error}") from error
        return self._model

    async def _call(self, step: Callable[[], Answer]) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._timed, step)

    def _timed(self, step: Callable[[], Answer]) -> Answer:
        self._step_began = time.monotonic()
        try:
            return step()
        except DeploymentError:
            raise
        except MemoryError as error:
            raise OutOfMemory(str(error) or "not enough memory") from error
        except Exception as error:
            if type(error).__name__ == "OutOfMemoryError":  # torch's, without importing torch
                raise OutOfMemory(str(error)) from error
            raise InferenceFailed(f"{type(error).__name__}: {error}") from error
        finally:
            self._step_began = None
