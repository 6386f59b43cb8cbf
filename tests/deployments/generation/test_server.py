"""The server with engines that are quick, that fail, that hang, and with the real one."""

import asyncio
import threading
import time
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest

from configs.catalog import Catalog
from deployments.contracts import Preview, Progress, Result, Started
from deployments.errors import InferenceFailed, InvalidInput, ModelUnavailable, OutOfMemory
from deployments.generation.server import GenerationServer
from tests.factories.checkpoints import tiny_entry

LONG = 10.0


class PacedEngine:
    """An engine whose pictures are their seeds, and whose steps wait for ``gate``.

    A prompt of "fail" makes the whole call fail, as an exception in a pipeline does.
    """

    calls: list
    gate: threading.Event
    step_seconds = 0.0

    def __init__(self, entry, *, device, attention):
        if entry.name == "tiny-flux":
            raise ModelUnavailable("no such weights")

    def run(self, requests, emit, should_stop, pause):
        self.calls.append([(r.prompt, r.seeds) for r in requests])
        for step in range(1, requests[0].steps + 1):
            assert self.gate.wait(LONG)
            time.sleep(self.step_seconds)
            live = [i for i in range(len(requests)) if not should_stop(i)]
            if not live:
                self.calls[-1].append(f"stopped at {step}")
                return
            if step == 2 and any(r.prompt == "fail" for r in requests):
                raise InferenceFailed("the model failed")
            if any(r.prompt == "bug" for r in requests):
                raise KeyError("bug")
            if step > 1 and pause.is_wanted():
                pause.work()
            for i in live:
                emit(i, Progress(step / requests[i].steps, step, requests[i].steps))
                if requests[i].preview_every:
                    emit(i, Preview(0, np.zeros((4, 4, 3), np.uint8)))
        for i in live:
            images = tuple(np.full((2, 2, 3), seed, np.uint8) for seed in requests[i].seeds)
            info = {"batch_sizes": [sum(len(r.seeds) for r in requests)], "seconds": {"denoise": 1}}
            emit(i, Result(images, info))


@pytest.fixture
def paced():
    """A fresh subclass, so that tests share no calls; its gate is open."""
    gate = threading.Event()
    gate.set()
    engine = type("Paced", (PacedEngine,), {"calls": [], "gate": gate})
    yield engine
    gate.set()


@pytest.fixture
def catalog(tmp_path):
    families = ("sd", "sd-instruct", "sdxl", "flux")
    entries = {f"tiny-{f}": tiny_entry(f, tmp_path) for f in families}
    return Catalog(entries, "tiny-sd")


@pytest.fixture
def serve_with(catalog):
    """``serve_with(engine, **options)``: a server that is closed after the test."""
    servers = []

    def make(engine, **options):
        server = GenerationServer(
            catalog=options.pop("catalog", catalog),
            engine=engine,
            **{"progress_seconds": 0.0, **options},
        )
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.close()


async def collect(stream):
    return [event async for event in stream]


async def until(condition):
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_a_stream_starts_counts_and_ends_with_the_pictures(serve_with, paced, make_request):
    events = await collect(serve_with(paced)(make_request("sd", seeds=(3, 4))))
    assert events[:-1] == [Started(), *(Progress(s / 3, s, 3) for s in (1, 2, 3))]
    assert [image[0, 0, 0] for image in events[-1].images] == [3, 4]


async def test_the_default_model_has_a_name_in_the_engine(serve_with, paced, make_request):
    server = serve_with(paced)
    await collect(server(replace(make_request("sd"), model="default")))
    assert await server.models() == ["tiny-sd"]


async def test_what_queued_up_during_a_call_forms_the_next(serve_with, paced, make_request):
    server = serve_with(paced)
    paced.gate.clear()
    first = asyncio.create_task(collect(server(make_request("sd", "first"))))
    await until(lambda: paced.calls)
    later = [
        asyncio.create_task(collect(server(make_request("sd", prompt, (seed,)))))
        for seed, prompt in enumerate("abc")
    ]
    odd = asyncio.create_task(collect(server(make_request("sd", "odd", steps=5))))
    await asyncio.sleep(0.02)
    assert (await server.status()).waiting == 4
    paced.gate.set()
    results = await asyncio.gather(first, *later, odd)
    assert paced.calls == [
        [("first", (1,))],
        [("a", (0,)), ("b", (1,)), ("c", (2,))],
        [("odd", (1,))],
    ]
    assert [events[-1].images[0][0, 0, 0] for events in results] == [1, 0, 1, 2, 1]


async def test_what_comes_right_after_a_call_of_many_shares_the_next(
    serve_with, paced, make_request, catalog, monkeypatch
):
    monkeypatch.setattr("deployments.generation.server._REFILL_SECONDS", 0.3)
    server = serve_with(paced)
    largest = catalog["tiny-sd"].limits.max_batch
    await collect(server(make_request("sd", seeds=tuple(range(largest)))))
    followers = []
    for seed in (101, 102, 103):
        await asyncio.sleep(0.01)
        followers.append(asyncio.create_task(collect(server(make_request("sd", seeds=(seed,))))))
    await asyncio.gather(*followers)
    assert [seeds for _, seeds in paced.calls[1]] == [(101,), (102,), (103,)]
    # That call was of few, so nobody waits after it.
    monkeypatch.setattr("deployments.generation.server._REFILL_SECONDS", 10 * LONG)
    for seed in (104, 105):
        async with asyncio.timeout(LONG):
            await collect(server(make_request("sd", seeds=(seed,))))


def of(organization, request):
    return replace(request, origin={"organization": organization})


async def test_a_backlog_gives_way_between_two_steps(serve_with, paced, make_request):
    """Nine images of one organization, of which eight are being made, and two newcomers."""
    server = serve_with(paced)
    paced.gate.clear()
    ended = []

    async def ends(name, request):
        ended.append((name, (await collect(server(request)))[-1]))

    big = make_request("sd", "big", tuple(range(9)), steps=20)
    tasks = [asyncio.create_task(ends("big", of("a", big)))]
    await until(lambda: paced.calls)
    for seed in (101, 102):
        newcomer = make_request("sd", f"small {seed}", (seed,))
        tasks.append(asyncio.create_task(ends(seed, of("b", newcomer))))
    # Of the same organization: it stays behind, and so does what needs another model.
    tasks.append(asyncio.create_task(ends("own", of("a", make_request("sd", "own", (201,))))))
    other = of("b", make_request("sd-instruct", "other", (202,)))
    tasks.append(asyncio.create_task(ends("other", other)))
    await until(lambda: len(server._batcher) == 5)
    paced.gate.set()
    await asyncio.gather(*tasks)
    assert [name for name, _ in ended][:2] == [101, 102]
    assert paced.calls[0] == [("big", tuple(range(8)))]
    assert paced.calls[1] == [("small 101", (101,)), ("small 102", (102,))]
    assert len(paced.calls) == 5
    images = dict(ended)["big"].images
    assert [image[0, 0, 0] for image in images] == list(range(9))


async def test_who_has_no_backlog_is_not_interrupted(serve_with, paced, make_request):
    server = serve_with(paced)
    paced.gate.clear()
    first = asyncio.create_task(collect(server(of("a", make_request("sd", "first", steps=20)))))
    await until(lambda: paced.calls)
    newcomer = asyncio.create_task(collect(server(of("b", make_request("sd", "newcomer")))))
    await until(lambda: len(server._batcher) == 1)
    paced.gate.set()
    done, _ = await asyncio.wait({first, newcomer}, return_when=asyncio.FIRST_COMPLETED)
    assert first in done
    await newcomer


async def test_a_newcomer_that_leaves_or_fails_holds_nobody_up(serve_with, paced, make_request):
    server = serve_with(paced)
    paced.gate.clear()
    big = make_request("sd", "big", tuple(range(9)), steps=20)
    tasks = [asyncio.create_task(collect(server(of("a", big))))]
    await until(lambda: paced.calls)
    leaves = asyncio.create_task(collect(server(of("b", make_request("sd", "leaves")))))
    await until(lambda: len(server._batcher) == 2)
    leaves.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaves
    fails = asyncio.create_task(collect(server(of("b", make_request("sd", "fail")))))
    paced.gate.set()
    with pytest.raises(InferenceFailed):
        await fails
    assert len((await tasks[0])[-1].images) == 9
    assert paced.calls[1] == [("fail", (1,))]


async def test_a_split_request_comes_back_whole(serve_with, paced, make_request):
    request = make_request("sd", seeds=tuple(range(19)), preview_every=1)
    events = await collect(serve_with(paced)(request))
    assert [[len(seeds) for _, seeds in call] for call in paced.calls] == [[8], [8], [3]]
    result = events[-1]
    assert [image[0, 0, 0] for image in result.images] == list(range(19))
    assert result.info == {"batch_sizes": [8, 8, 3], "seconds": {"denoise": 3}}
    progress = [event for event in events if isinstance(event, Progress)]
    fractions = [event.fraction for event in progress]
    assert fractions == sorted(set(fractions))
    assert fractions[-1] == 1.0
    steps = [event.step for event in progress]
    assert steps == sorted(steps)
    assert progress[-1].step == progress[-1].steps == 3
    assert {event.index for event in events if isinstance(event, Preview)} == {0, 8, 16}


async def test_closing_the_stream_stops_the_work_within_a_step(serve_with, paced, make_request):
    paced.step_seconds = 0.01
    server = serve_with(paced)
    async with aclosing(server(make_request("sd", steps=50))) as stream:
        async for event in stream:
            if isinstance(event, Progress):
                break
    seen = event.step
    await until(lambda: len(paced.calls[0]) == 2)
    stopped_at = int(paced.calls[0][1].removeprefix("stopped at "))
    assert seen < stopped_at <= seen + 3
    assert isinstance((await collect(server(make_request("sd"))))[-1], Result)


async def test_cancelling_a_waiting_request_means_it_never_runs(serve_with, paced, make_request):
    server = serve_with(paced)
    paced.gate.clear()
    first = asyncio.create_task(collect(server(make_request("sd", "first"))))
    await until(lambda: paced.calls)
    second = asyncio.create_task(collect(server(make_request("sd", "second"))))
    await asyncio.sleep(0.02)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    paced.gate.set()
    await first
    await asyncio.sleep(0.02)
    assert paced.calls == [[("first", (1,))]]


async def test_a_failure_reaches_only_the_request_that_caused_it(serve_with, paced, make_request):
    server = serve_with(paced)
    paced.gate.clear()
    first = asyncio.create_task(collect(server(make_request("sd", "first"))))
    await until(lambda: paced.calls)
    together = [
        asyncio.create_task(collect(server(make_request("sd", prompt))))
        for prompt in ("good", "fail", "fine")
    ]
    await asyncio.sleep(0.02)
    paced.gate.set()
    await first
    good, failed, fine = await asyncio.gather(*together, return_exceptions=True)
    assert isinstance(failed, InferenceFailed)
    for events in (good, fine):
        assert isinstance(events[-1], Result)
        assert [e.step for e in events if isinstance(e, Progress)] == [1, 2, 3]


async def test_an_engines_own_bug_ends_the_stream(serve_with, paced, make_request):
    server = serve_with(paced)
    with pytest.raises(InferenceFailed, match="KeyError: 'bug'"):
        await collect(server(make_request("sd", "bug")))
    assert isinstance((await collect(server(make_request("sd"))))[-1], Result)


async def test_a_model_that_cannot_be_loaded_says_so(serve_with, paced, make_request):
    with pytest.raises(ModelUnavailable, match="no such weights"):
        await collect(serve_with(paced)(make_request("flux")))


@pytest.mark.parametrize(
    ("changes", "text"), [({"model": "imagen"}, "unknown model"), ({"width": 9999}, "width 9999")]
)
async def test_what_cannot_succeed_is_refused_at_once(
    changes, text, serve_with, paced, make_request
):
    with pytest.raises(InvalidInput, match=text):
        await collect(serve_with(paced)(replace(make_request("sd"), **changes)))
    assert paced.calls == []


async def test_a_hung_model_fails_the_health_check_and_the_loop_stays_live(
    serve_with, paced, make_request
):
    server = serve_with(paced, stall_seconds=0.05)
    server.check_health()
    paced.gate.clear()
    task = asyncio.create_task(collect(server(make_request("sd"))))
    await until(lambda: paced.calls)
    await asyncio.sleep(0.1)
    with pytest.raises(RuntimeError, match="no step"):
        server.check_health()
    assert (await server.status()).running
    paced.gate.set()
    await task
    # The stream may end a moment before the worker's thread has put the call away.
    while (await server.status()).running:
        await asyncio.sleep(0.01)
    server.check_health()


async def test_models_are_loaded_ahead_and_the_oldest_gives_way(serve_with, paced, make_request):
    server = serve_with(paced, warm=["tiny-sd", "tiny-flux", "tiny-sdxl"], max_models=2)
    loaded = ("tiny-sd", "tiny-sdxl")
    status = await server.status()
    while status.loaded != loaded:
        status = await server.status()
        await asyncio.sleep(0.005)
    assert not await server.ready()
    await collect(server(make_request("sd")))
    await collect(server(make_request("sd-instruct")))
    assert await server.models() == ["tiny-sd", "tiny-sd-instruct"]


async def test_out_of_memory_is_tried_one_by_one(serve_with, paced, make_request):
    class Small(paced):
        def run(self, requests, emit, should_stop, pause):
            if len(requests) > 1:
                raise OutOfMemory("too many")
            super().run(requests, emit, should_stop, pause)

    server = serve_with(Small)
    paced.gate.clear()
    tasks = [asyncio.create_task(collect(server(make_request("sd", p)))) for p in "abc"]
    await asyncio.sleep(0.02)
    paced.gate.set()
    assert all(isinstance(events[-1], Result) for events in await asyncio.gather(*tasks))


async def test_the_real_engine_behind_the_server(serve_with, checkpoint, make_request, engine, run):
    entry = tiny_entry("sd", checkpoint("sd"))
    server = serve_with(
        "deployments.generation.engine:GenerationEngine",
        catalog=Catalog({entry.name: entry}, entry.name),
        threads=1,
        device="cpu",
    )
    requests = [make_request("sd", prompt, tuple(range(n))) for n, prompt in ((1, "a"), (10, "b"))]
    streams = await asyncio.gather(*(collect(server(request)) for request in requests))
    for request, events in zip(requests, streams, strict=True):
        assert len(events[-1].images) == len(request.seeds)
        [[*_, alone]] = run(engine("sd"), replace(request, seeds=request.seeds[-1:]))
        np.testing.assert_array_equal(events[-1].images[-1], alone.images[0])
