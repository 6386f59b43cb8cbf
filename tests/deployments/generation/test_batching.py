"""Forming pipeline calls out of waiting requests."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.contracts import GenerationRequest, LoraRef
from deployments.generation.batching import Batcher, compatibility

CAPACITY = {"m": 4}


def request(count=1, first_seed=0, **changes):
    base = GenerationRequest(
        request_id="r",
        model="m",
        prompt="a red dress",
        seeds=tuple(range(first_seed, first_seed + count)),
        width=32,
        height=48,
        steps=4,
        guidance_scale=4.0,
    )
    return replace(base, **changes)


def shares_of(batch):
    return [(share.job, share.first, share.request.seeds) for share in batch]


def test_compatible_requests_share_a_call_in_order_of_arrival():
    batcher = Batcher()
    batcher.add("a", request(prompt="x", first_seed=1))
    batcher.add("b", request(prompt="y", negative_prompt="z", first_seed=2))
    assert shares_of(batcher.next(CAPACITY)) == [("a", 0, (1,)), ("b", 0, (2,))]
    assert batcher.next(CAPACITY) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 40},
        {"height": 40},
        {"steps": 5},
        {"guidance_scale": 1.0},
        {"image": np.zeros((8, 8, 3), np.uint8)},
        {"loras": (LoraRef("l", "0a"),)},
    ],
)
def test_a_request_that_differs_per_call_runs_alone(changes):
    batcher = Batcher()
    batcher.add("a", request())
    batcher.add("b", request(**changes))
    batcher.add("c", request())
    assert [share.job for share in batcher.next(CAPACITY)] == ["a", "c"]
    assert [share.job for share in batcher.next(CAPACITY)] == ["b"]


@pytest.mark.parametrize("changes", [{"strength": 0.5}, {"image_guidance_scale": 2.0}])
def test_values_that_concern_a_picture_matter_only_with_one(changes):
    picture = np.zeros((8, 8, 3), np.uint8)
    assert compatibility(request(**changes)) == compatibility(request())
    assert compatibility(request(image=picture, **changes)) != compatibility(request(image=picture))


def test_a_large_request_is_split_and_leaves_room_for_others():
    batcher = Batcher()
    batcher.add("big", request(7))
    batcher.add("small", request(1, first_seed=100))
    assert shares_of(batcher.next(CAPACITY)) == [("big", 0, (0, 1, 2)), ("small", 0, (100,))]
    assert shares_of(batcher.next(CAPACITY)) == [("big", 3, (3, 4, 5, 6))]
    assert len(batcher) == 0


def test_a_split_request_goes_behind_those_that_cannot_join_it():
    batcher = Batcher()
    batcher.add("big", request(9))
    batcher.add("other", request(1, steps=9))
    assert [[s.job for s in batcher.next(CAPACITY)] for _ in range(4)] == [
        ["big"],
        ["other"],
        ["big"],
        ["big"],
    ]


def test_a_discarded_request_is_not_run():
    batcher = Batcher()
    batcher.add("a", request())
    batcher.discard("a")
    assert batcher.next(CAPACITY) == []


@given(
    wanted=st.lists(
        st.tuples(st.integers(1, 20), st.sampled_from([2, 4, 6])), min_size=1, max_size=12
    )
)
def test_every_image_is_made_once_and_no_call_is_too_large(wanted):
    batcher = Batcher()
    for job, (count, steps) in enumerate(wanted):
        batcher.add(job, request(count, steps=steps))
    made = {job: [] for job in range(len(wanted))}
    calls_before_first = {}
    for call in range(1000):
        batch = batcher.next(CAPACITY)
        if not batch:
            break
        assert sum(len(share.request.seeds) for share in batch) <= CAPACITY["m"]
        assert len({compatibility(share.request) for share in batch}) == 1
        for share in batch:
            calls_before_first.setdefault(share.job, call)
            assert share.first == len(made[share.job])
            made[share.job].extend(share.request.seeds)
    assert made == {job: list(range(count)) for job, (count, _) in enumerate(wanted)}
    # Nobody's first image waits for more calls than there are requests before it.
    assert all(waited <= job for job, waited in calls_before_first.items())


def test_adapters_are_the_same_in_any_order_under_any_name():
    one, two = LoraRef("one", "0a", 0.5), LoraRef("two", "0b", 0.8)
    key = compatibility(request(loras=(one, two)))
    assert compatibility(request(loras=(replace(two, name="x", data=b"x"), one))) == key
    for others in ((one,), (one, replace(two, weight=0.7)), (one, replace(two, digest="0c")), ()):
        assert compatibility(request(loras=others)) != key
