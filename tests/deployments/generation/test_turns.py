"""When a call gives way, and for how long."""

import time
from dataclasses import replace

import pytest

from deployments.contracts import GenerationRequest
from deployments.generation import turns
from deployments.generation.turns import Turn


def of(organization, model="m"):
    return GenerationRequest(
        request_id="r",
        model=model,
        prompt="a red dress",
        seeds=(1,),
        width=32,
        height=48,
        steps=4,
        guidance_scale=4.0,
        origin={"organization": organization},
    )


@pytest.mark.parametrize(
    ("running", "waiting", "gives_way"),
    [
        ("a", "ab", True),
        ("a", "b", False),
        ("a", "a", False),
        ("a", "", False),
        ("ab", "abc", True),
        ("ab", "ac", False),
    ],
)
def test_it_gives_way_to_a_newcomer_if_all_it_works_for_have_more(running, waiting, gives_way):
    turn = Turn([of(one) for one in running])
    assert not turn.gives_way()
    turn.look([of(one) for one in waiting])
    assert turn.gives_way() == gives_way


def test_only_what_its_model_can_make_passes():
    turn = Turn([of("a")])
    turn.look([of("a"), of("b", model="n")])
    assert not turn.gives_way()


def test_requests_of_nobody_known_are_of_one():
    turn = Turn([replace(of("a"), origin={})])
    turn.look([replace(of("b"), origin={})])
    assert not turn.gives_way()


def test_it_stands_no_longer_than_it_runs(monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr(turns.time, "monotonic", lambda: now)
    turn = Turn([of("a")], _started=now)
    turn.look([of("a"), of("b")])
    assert turn.gives_way()
    now, turn.paused = now + 5, 5.0
    assert not turn.gives_way()
    now += 4.9
    assert not turn.gives_way()
    now += 0.2
    assert turn.gives_way()
