"""The engine on tiny checkpoints of every family."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from deployments.contracts import Preview, Progress, Result
from deployments.errors import InferenceFailed, InvalidInput, ModelUnavailable, OutOfMemory
from deployments.generation import lanes
from deployments.generation.contracts import Pause
from deployments.generation.engine import GenerationEngine
from tests.factories.checkpoints import BUILDERS, tiny_entry

FAMILIES = tuple(BUILDERS)
WITH_PICTURE = pytest.mark.parametrize("with_picture", [False, True], ids=["text", "picture"])
EACH_FAMILY = pytest.mark.parametrize("family", FAMILIES)


@pytest.mark.usefixtures("two_threads")
@EACH_FAMILY
@WITH_PICTURE
def test_a_seed_gives_the_same_pixels_alone_and_among_strangers(
    family, with_picture, engine, make_request, picture, run
):
    image = picture if with_picture else None
    request = make_request(family, seeds=(1,), image=image)
    strangers = [
        make_request(family, "blue jeans", (5, 6), image=image),
        make_request(
            family, "a hat", (3,), image=None if image is None else image[::-1], negative_prompt="x"
        ),
    ]
    [[*_, alone]] = run(engine(family), request)
    _, [*_, among], _ = run(
        engine(family), strangers[0], replace(request, seeds=(1, 2)), strangers[1]
    )
    assert alone.images[0].shape == (48, 32, 3)
    assert alone.images[0].dtype == np.uint8
    assert alone.images[0].std() > 5
    np.testing.assert_array_equal(among.images[0], alone.images[0])
    assert np.any(among.images[1] != among.images[0])


@EACH_FAMILY
def test_the_picture_and_the_prompt_matter(family, engine, make_request, picture, run):
    request = make_request(family, image=picture)
    results = run(
        engine(family),
        request,
        replace(request, prompt="green"),
        replace(request, image=picture[::-1]),
    )
    base, other_prompt, other_picture = (events[-1].images[0] for events in results)
    assert np.any(base != other_prompt)
    assert np.any(base != other_picture)


@pytest.mark.usefixtures("two_threads")
@EACH_FAMILY
@WITH_PICTURE
def test_lanes_do_not_show_in_the_pixels_nor_in_the_events(
    family, with_picture, engine, make_request, picture, run, monkeypatch
):
    image = picture if with_picture else None
    request = make_request(family, seeds=(1, 2, 3), image=image, preview_every=1)
    [[*_, alone]] = run(engine(family), replace(request, seeds=(3,)))
    monkeypatch.setattr(lanes, "ROWS_PER_LANE", 1)
    # Four images in two lanes: the first request's last one is in the second lane.
    events, _ = run(engine(family), request, replace(request, prompt="green", seeds=(4,)))
    result = events[-1]
    np.testing.assert_array_equal(result.images[2], alone.images[0])
    steps = [event.step for event in events if isinstance(event, Progress)]
    assert steps == list(range(1, steps[-1] + 1))
    previews = [event.index for event in events if isinstance(event, Preview)]
    # Between the first step and the last one.
    assert sorted(previews) == sorted([0, 1, 2] * (steps[-1] - 2))


@pytest.mark.usefixtures("two_threads")
@EACH_FAMILY
@pytest.mark.parametrize("count", [1, 4], ids=["one lane", "two lanes"])
def test_another_call_between_two_steps_does_not_show_in_the_pixels(
    family, count, engine, make_request, picture, run, monkeypatch
):
    """The other one is of another size, with a picture, unguided, and has other steps."""
    monkeypatch.setattr(lanes, "ROWS_PER_LANE", 2)
    request = make_request(family, seeds=tuple(range(count)), steps=5)
    other = make_request(
        family, "blue", (7, 8), image=picture, steps=4, guidance_scale=1.0, width=48
    )
    [[*_, undisturbed]], [[*_, alone]] = run(engine(family), request), run(engine(family), other)
    passed = []

    def pass_by():
        [[*_, result]] = run(engine(family), other)
        passed.append(result)

    events = []
    pause = Pause(lambda: len(passed) < 2, pass_by)
    engine(family).run([request], lambda _, event: events.append(event), lambda _: False, pause)
    assert len(passed) == 2
    for result in passed:
        np.testing.assert_array_equal(result.images, alone.images)
    np.testing.assert_array_equal(events[-1].images, undisturbed.images)
    # How long it stood still is no time of its own.
    assert events[-1].info["seconds"]["denoise"] < sum(
        sum(one.info["seconds"].values()) for one in (undisturbed, *passed)
    )


def test_lanes_meet_though_one_has_ended():
    """The second lane ends while the first one stands and waits for it."""
    worked = threading.Event()
    meeting = lanes.Meeting(2, Pause(lambda: not worked.is_set(), worked.set))
    first = threading.Thread(target=lambda: (meeting.come(), meeting.leave()))
    first.start()
    second = threading.Timer(0.05, meeting.leave)
    second.start()
    meeting.hold(worked.set)
    assert worked.is_set()
    first.join(10)
    assert not first.is_alive()


@pytest.mark.parametrize(("family", "rows"), [("sd-instruct", {8}), ("sd", {4}), ("sdxl", {8})])
def test_what_rows_have_in_common_is_computed_once(
    family, rows, engine, make_request, picture, run
):
    """Of 3 rows an image, or 2; SDXL's rows differ by what its time embedding holds."""
    seen = set()
    layer = engine(family).family.denoiser.conv_in
    hook = layer.register_forward_pre_hook(lambda _, args: seen.add(len(args[0])))
    run(engine(family), make_request(family, seeds=(1, 2, 3, 4), image=picture))
    hook.remove()
    assert seen == rows


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_the_batch_size_does_not_show_in_the_pixels(count, engine, make_request, run):
    [[*_, one]] = run(engine("sd-instruct"), make_request("sd-instruct", seeds=(0,)))
    [[*_, many]] = run(
        engine("sd-instruct"), make_request("sd-instruct", seeds=tuple(range(count)))
    )
    np.testing.assert_array_equal(many.images[0], one.images[0])


@pytest.mark.usefixtures("two_threads")
def test_a_single_unguided_row_is_the_same_alone_and_batched(engine, make_request, run):
    request = make_request("sd", guidance_scale=1.0)
    [[*_, alone]] = run(engine("sd"), request)
    [*_, [*_, among]] = run(engine("sd"), replace(request, seeds=(7, 8)), request)
    np.testing.assert_array_equal(among.images[0], alone.images[0])


def test_the_bare_pipeline_makes_the_same_picture(checkpoint, engine, make_request, picture, run):
    """What the engine adds (blocks, caches, skipped rows, own decoding) changes no picture."""
    from diffusers import StableDiffusionInstructPix2PixPipeline

    from deployments.generation.pictures import as_condition

    request = make_request("sd-instruct", image=picture, image_guidance_scale=1.7)
    [[*_, ours]] = run(engine("sd-instruct"), request)
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        checkpoint("sd-instruct"), safety_checker=None, requires_safety_checker=False
    )
    bare = pipeline(
        request.prompt,
        image=as_condition(picture, 32, 48, "contain"),
        num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale,
        image_guidance_scale=1.7,
        generator=torch.Generator().manual_seed(1),
        output_type="np",
    ).images[0]
    np.testing.assert_allclose(ours.images[0], bare * 255, atol=1.0)


def test_without_a_product_the_row_without_conditions_is_skipped(engine, make_request, picture):
    family = engine("sd-instruct").family
    assert family.rows_per_image(make_request("sd-instruct")) == 2
    assert family.rows_per_image(make_request("sd-instruct", image=picture)) == 3
    assert family.rows_per_image(make_request("sd-instruct", guidance_scale=1.0)) == 1


def test_a_skipped_row_changes_nothing(engine, make_request, picture, run, monkeypatch):
    request = make_request("sd-instruct", image=picture, image_guidance_scale=1.0)
    [[*_, skipped]] = run(engine("sd-instruct"), request)
    monkeypatch.setattr(engine("sd-instruct").family, "rows_per_image", lambda request: 3)
    [[*_, computed]] = run(engine("sd-instruct"), request)
    difference = skipped.images[0].astype(int) - computed.images[0]
    assert np.abs(difference).max() <= 1


def test_progress_counts_real_steps(engine, make_request, run):
    [[*progress, result]] = run(engine("sd"), make_request("sd", steps=5))
    assert progress == [Progress(step / 5, step, 5) for step in range(1, 6)]
    assert isinstance(result, Result)


def test_strength_shortens_image_to_image(engine, make_request, picture, run):
    [[*progress, _]] = run(engine("sd"), make_request("sd", steps=6, strength=0.5, image=picture))
    assert [event.step for event in progress] == [1, 2, 3]
    assert progress[-1].fraction == 1.0


@EACH_FAMILY
def test_previews_are_small_and_of_the_right_shape(family, engine, make_request, run):
    with_previews = make_request(family, seeds=(1, 2), steps=5, preview_every=2)
    without = make_request(family, "quiet", steps=5)
    events, quiet = run(engine(family), with_previews, without)
    previews = [event for event in events if isinstance(event, Preview)]
    assert [preview.index for preview in previews] == [0, 1, 0, 1]
    assert all(max(p.image.shape[:2]) == 128 for p in previews)
    assert all(p.image.shape[:2] == (128, 85) for p in previews)
    assert not [event for event in quiet if isinstance(event, Preview)]


def test_a_stopped_request_hears_nothing_more_and_the_others_finish(engine, make_request, run):
    steps = []

    def should_stop(index):
        steps.append(index)
        # Asked once before the call, then after every step, for each request.
        return index == 0 and steps.count(0) > 3

    first, second = run(
        engine("sd"),
        make_request("sd", steps=6),
        make_request("sd", "other", steps=6),
        should_stop=should_stop,
    )
    assert [event.step for event in first] == [1, 2]
    assert [event.step for event in second[:-1]] == [1, 2, 3, 4, 5, 6]
    assert isinstance(second[-1], Result)


def test_a_call_that_nobody_wants_ends_within_one_step(engine, make_request, run):
    calls = 0

    def count(module, args, output):
        nonlocal calls
        calls += 1

    hook = engine("sd").family.denoiser.register_forward_hook(count)
    try:
        [events] = run(
            engine("sd"), make_request("sd", steps=20), should_stop=lambda index: calls >= 3
        )
    finally:
        hook.remove()
    assert [event.step for event in events] == [1, 2]
    assert calls == 3
    [[*_, result]] = run(engine("sd"), make_request("sd"))
    assert isinstance(result, Result)


def test_the_result_says_what_made_it(engine, make_request, run):
    [[*_, result]] = run(engine("sd"), make_request("sd", seeds=(1, 2)))
    assert result.info["model"] == "tiny-sd"
    assert result.info["scheduler"] == "DDIMScheduler"
    assert result.info["torch"] == torch.__version__
    assert result.info["batch_sizes"] == [2]
    assert set(result.info["seconds"]) == {"adapters", "encode", "denoise", "decode"}


def test_the_entry_chooses_the_scheduler(checkpoint, make_request, run):
    entry = tiny_entry(
        "sd",
        checkpoint("sd"),
        scheduler="DPMSolverMultistepScheduler",
        scheduler_options={"algorithm_type": "dpmsolver++"},
    )
    engine = GenerationEngine(entry)
    [[*_, result]] = run(engine, make_request("sd"))
    assert result.info["scheduler"] == "DPMSolverMultistepScheduler"
    assert engine.family.image_pipeline.scheduler is engine.family.text_pipeline.scheduler


def test_missing_weights_are_unavailable(tmp_path):
    with pytest.raises(ModelUnavailable, match="tiny-sd"):
        GenerationEngine(tiny_entry("sd", tmp_path))


def test_a_hub_model_is_unavailable_offline(tmp_path):
    from configs.catalog import Source

    source = Source(repo="sartiq/none", revision="0" * 40)
    with pytest.raises(ModelUnavailable, match="tiny-sd"):
        GenerationEngine(tiny_entry("sd", tmp_path, source=source))


def test_a_checkpoint_of_another_family_is_unavailable(checkpoint):
    with pytest.raises(ModelUnavailable, match="tiny-flux"):
        GenerationEngine(tiny_entry("flux", checkpoint("sd")))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_model_that_needs_a_gpu_is_unavailable(tmp_path):
    with pytest.raises(ModelUnavailable, match="needs a GPU"):
        GenerationEngine(tiny_entry("sd", tmp_path, requires_gpu=True))


def test_a_request_beyond_the_limits_is_refused(engine, make_request, run):
    with pytest.raises(InvalidInput, match="width 4096"):
        run(engine("sd"), make_request("sd", width=4096))


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemory),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemory),
        (ValueError("shapes differ"), InferenceFailed),
    ],
)
def test_what_the_model_raises_becomes_an_error_of_ours(
    raised, expected, engine, make_request, run
):
    def fail(module, args):
        raise raised

    hook = engine("sd").family.denoiser.register_forward_pre_hook(fail)
    try:
        with pytest.raises(expected, match=str(raised)[:10]):
            run(engine("sd"), make_request("sd"))
    finally:
        hook.remove()
