"""One model, one thread: turns, errors, cancellation, stalls."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from deployments.contracts import Event, Progress, Result, Started
from deployments.errors import InferenceFailed, InvalidInput, ModelUnavailable, OutOfMemory
from deployments.model_thread import ModelThread


def steps(count: int, log: list[str], name: str = "") -> Iterator[Event]:
    try:
        for step in range(1, count + 1):
            log.append(f"{name}{step}")
            yield Progress(step / count, step, count)
        yield Result(())
    finally:
        log.append(f"{name}closed")


def model_thread(stall_seconds: float = 60) -> ModelThread[str]:
    return ModelThread(lambda: "model", name="test", stall_seconds=stall_seconds)


async def collect(thread: ModelThread[str], log: list[str], name: str) -> list[Event]:
    return [event async for event in thread.stream(lambda _: steps(3, log, name))]


async def test_requests_take_turns() -> None:
    thread, log = model_thread(), []
    first, second = await asyncio.gather(collect(thread, log, "a"), collect(thread, log, "b"))
    assert log == ["a1", "a2", "a3", "aclosed", "b1", "b2", "b3", "bclosed"]
    assert first == second
    assert first[0] == Started()


async def test_work_runs_off_the_event_loop_on_one_thread() -> None:
    thread, names = model_thread(), set()

    def work(model: str) -> Iterator[Event]:
        assert model == "model"
        names.add(threading.current_thread().name)
        yield Result(())

    for _ in range(2):
        async for _event in thread.stream(work):
            pass
    assert names == {"test_0"}


async def test_a_consumer_that_leaves_closes_the_work_and_frees_the_turn() -> None:
    thread, log = model_thread(), []
    async with aclosing(thread.stream(lambda _: steps(100, log))) as events:
        async for event in events:
            if isinstance(event, Progress):
                break
    await collect(thread, log, "next ")
    assert log == ["1", "closed", "next 1", "next 2", "next 3", "next closed"]


async def test_cancelling_within_a_step_waits_for_no_more_than_that_step() -> None:
    thread, log = model_thread(), []
    entered, release = threading.Event(), threading.Event()

    def work(_: str) -> Iterator[Event]:
        try:
            entered.set()
            release.wait(10)
            yield Progress(0.5)
            log.append("went on")
        finally:
            log.append("closed")

    async def consume() -> None:
        async for _event in thread.stream(work):
            pass

    task = asyncio.create_task(consume())
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await collect(thread, log, "")
    assert log[0] == "closed"


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (InvalidInput("no"), InvalidInput),
        (MemoryError(), OutOfMemory),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), OutOfMemory),
        (ZeroDivisionError("by zero"), InferenceFailed),
    ],
)
async def test_errors_belong_to_the_tree(raised: Exception, expected: type[Exception]) -> None:
    def work(_: str) -> Iterator[Event]:
        raise raised
        yield

    thread = model_thread()
    with pytest.raises(expected):
        async for _event in thread.stream(work):
            pass
    assert len(await collect(thread, [], "")) == 5


async def test_a_model_that_does_not_load_is_unavailable_and_tried_again() -> None:
    attempts = []

    def load() -> str:
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError("no such file")
        return "model"

    thread = ModelThread(load, name="test", stall_seconds=60)
    thread.preload()
    with pytest.raises(ModelUnavailable, match="no such file"):
        await collect(thread, [], "")
    assert len(await collect(thread, [], "")) == 5


async def test_a_stalled_step_is_unhealthy() -> None:
    thread, release = model_thread(stall_seconds=0.05), threading.Event()

    def work(_: str) -> Iterator[Event]:
        release.wait(10)
        yield Result(())

    async def consume() -> None:
        async for _event in thread.stream(work):
            pass

    thread.check_health()
    task = asyncio.create_task(consume())
    await asyncio.sleep(0.2)
    with pytest.raises(RuntimeError, match="one step of the model"):
        thread.check_health()
    release.set()
    await task
    thread.check_health()
