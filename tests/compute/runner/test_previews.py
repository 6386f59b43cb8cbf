from __future__ import annotations

import asyncio

import numpy as np
import pytest

from db.listen import SIGNALS_CHANNEL
from db.session import Database
from serve_app.compute.runner.handlers.generation import _preview_every
from serve_app.compute.runner.previews import Previews, encode_preview
from serve_app.core.signals import Latest, Signal


async def test_the_newest_of_each_image_is_sent(own_database: Database) -> None:
    heard: list[str] = []
    await own_database.listen(
        [SIGNALS_CHANNEL], lambda sent: heard.append(sent.payload), on_gap=lambda: None
    )
    previews = Previews(own_database)
    await previews.flush()  # nothing to say
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    for index in (0, 1, 0):
        previews.show("task_1", index, noise)
    await previews.flush()
    async with asyncio.timeout(5):
        while len(heard) < 2:
            await asyncio.sleep(0.01)
    signals = [Signal.model_validate_json(one) for one in heard]
    assert sorted(one.data["index"] for one in signals) == [0, 1]
    # The worst picture there is: noise. It fits all the same.
    assert all(len(one) < 8000 for one in heard)


def test_what_does_not_fit_is_left_out() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    assert encode_preview(noise) is None


@pytest.mark.parametrize(("steps", "previews"), [(20, 4), (4, 4), (1, 4), (7, 2), (100, 1)])
def test_no_more_previews_than_are_wanted(steps: int, previews: int) -> None:
    every = _preview_every(steps, previews)
    # The engine shows none after the last step.
    assert len([step for step in range(1, steps) if step % every == 0]) <= previews
    assert _preview_every(steps, 0) == 0


def test_a_slow_reader_has_one_of_each() -> None:
    changed = asyncio.Event()
    latest = Latest(changed)
    for number in range(1000):
        latest.put(Signal(task_id="t", event="progress", data={"progress": number / 1000}))
        latest.put(Signal(task_id="t", event="preview", data={"index": number % 2, "url": ""}))
    assert changed.is_set()
    taken = latest.take()
    assert [one.data.get("progress", one.data.get("index")) for one in taken] == [0.999, 0, 1]
    assert latest.take() == []
