"""One run in this process: what is the same however it is computed, and what it says."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load

from training.adapters import Adapter
from training.contracts import (
    Checkpoint,
    Diverged,
    Finished,
    InvalidTraining,
    Preparing,
    Sample,
    Started,
    TrainingOutOfMemory,
    UnusableCheckpoint,
    Validation,
)
from training.optimization import learning_rate


def test_the_order_of_events(run, make_request, of):
    events = run(
        make_request(
            steps=4, sample_every=2, sample_prompts=("ohwx", "a dress"), validation_split=0.2
        )
    )
    started = next(event for event in events if isinstance(event, Started))
    assert [event.phase for event in events[: events.index(started)]] == ["load", "encode"]
    assert (started.step, started.steps, started.images) == (0, 4, 4)
    assert started.validation_images == 1
    assert sum(started.buckets.values()) == 5
    kinds = [type(e) for e in events if isinstance(e, Sample | Validation | Checkpoint | Finished)]
    first = [Sample, Sample, Validation, Checkpoint]
    assert kinds == [*first, Sample, Sample, Validation, Finished]
    finished = events[-1]
    validations = of(Validation, events)
    assert finished.last == validations[-1]
    assert finished.best == [v for v in validations if v.is_best][-1]
    assert finished.best.loss is not None
    assert -1 <= finished.best.similarity <= 1


def test_every_step_is_told_once(run, make_request, losses, of):
    from training.contracts import Metrics

    events = run(make_request(steps=5, warmup_steps=2))
    steps = [step for event in of(Metrics, events) for step in event.steps]
    assert [step.step for step in steps] == [1, 2, 3, 4, 5]
    # Three pictures of one shape and two of another, two at a time.
    assert [step.epoch for step in steps] == [1, 1, 1, 2, 2]
    assert steps[-1].eta_seconds == 0
    assert all(step.images_per_second > 0 for step in steps)


def test_the_rate_warms_up_and_falls_to_a_tenth(make_request):
    config = make_request(steps=100, warmup_steps=10, learning_rate=1.0).config
    rates = [learning_rate(config, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.55)
    assert rates[99] == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("family", ["sd", "sd-instruct", "sdxl", "flux"])
@pytest.mark.parametrize(
    "way", [{"cache_latents": False}, {"accumulation": 2}, {"gradient_checkpointing": True}]
)
def test_how_a_step_is_computed_does_not_change_it(family, way, run, make_request, losses):
    plain, other = (
        run(make_request(f"tiny-{family}", steps=3, **changes)) for changes in ({}, way)
    )
    assert losses(other) == pytest.approx(losses(plain), rel=1e-4)
    expected, got = load(plain[-1].weights), load(other[-1].weights)
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("family", ["sd", "sd-instruct", "sdxl", "flux"])
def test_a_run_that_resumes_ends_with_the_same_bits(family, run, make_request, losses, of):
    options = {
        "steps": 6,
        "train_text_encoder": True,
        "caption_dropout": 0.3,
        "prior_weight": 0.5,
        "prior_prompt": "a person",
        "prior_images": 2,
        "sample_prompts": ("ohwx",),
        "sample_every": 3,
        "validation_split": 0.2,
    }
    request = make_request(f"tiny-{family}", **options)
    whole = run(request)
    for checkpoint in of(Checkpoint, whole):
        rest = run(replace(request, checkpoint=checkpoint.data))
        assert next(e for e in rest if isinstance(e, Started)).step == checkpoint.step
        expected = {s: loss for s, loss in losses(whole).items() if s > checkpoint.step}
        assert losses(rest) == expected
        assert rest[-1].weights == whole[-1].weights
        assert rest[-1].best == whole[-1].best
        assert of(Validation, rest) == of(Validation, whole)[-len(of(Validation, rest)) :]
        kept = [c.data for c in of(Checkpoint, whole) if c.step > checkpoint.step]
        assert [c.data for c in of(Checkpoint, rest)] == kept


def test_a_run_keeps_its_number_of_threads(run, make_request, of):
    """The checkpoint of two threads goes on with two, whatever the next machine would take."""
    request = make_request(steps=4)
    whole = run(request, threads=2)
    [checkpoint] = of(Checkpoint, whole)
    before = torch.get_num_threads()
    rest = run(replace(request, checkpoint=checkpoint.data), threads=1)
    assert rest[-1].weights == whole[-1].weights
    assert torch.get_num_threads() == before


def test_a_checkpoint_of_another_run_is_refused(run, make_request, example, of):
    request = make_request(steps=3)
    [checkpoint] = of(Checkpoint, run(request))
    others = [
        replace(request, config=replace(request.config, seed=1)),
        replace(request, config=replace(request.config, rank=2)),
        replace(request, examples=request.examples[1:]),
    ]
    for other in others:
        with pytest.raises(UnusableCheckpoint, match="another run"):
            run(replace(other, checkpoint=checkpoint.data))
    with pytest.raises(UnusableCheckpoint, match="damaged"):
        run(replace(request, checkpoint=checkpoint.data[:-1]))


def test_half_the_batch_goes_on_from_a_checkpoint_of_the_whole(run, make_request, losses, of):
    """What a retry after running out of memory does."""
    request = make_request(steps=4)
    whole = run(request)
    [checkpoint] = of(Checkpoint, whole)
    halved = replace(
        request, checkpoint=checkpoint.data, config=replace(request.config, accumulation=2)
    )
    rest = losses(run(halved))
    assert rest == pytest.approx({s: losses(whole)[s] for s in (3, 4)}, rel=1e-4)


def test_an_untrained_adapter_changes_nothing(run, make_request, of):
    """Zero up-projections: the first step's loss is the base model's, whatever the rank."""
    first = [run(make_request(steps=1, rank=rank))[2:] for rank in (2, 4)]
    from training.contracts import Metrics

    [[a], [b]] = [of(Metrics, events) for events in first]
    assert a.steps[0].loss == b.steps[0].loss


def test_a_dropped_caption_is_an_empty_one(run, make_request, example, losses):
    sizes = [(32, 48), (32, 48)]
    told, untold = (
        tuple(example(f"{i}.png", size, i, caption) for i, size in enumerate(sizes))
        for caption in ("a dress", "")
    )
    steps = {"steps": 3, "trigger_word": None}
    all_dropped = run(make_request(examples=told, caption_dropout=0.999_999, **steps))
    assert losses(all_dropped) == losses(run(make_request(examples=untold, **steps)))
    assert losses(all_dropped) != losses(run(make_request(examples=told, **steps)))


def test_prior_pictures_are_those_of_the_base_model_and_count(run, make_request, losses):
    prior = {"prior_prompt": "a person", "prior_images": 3}
    without = losses(run(make_request(steps=2)))
    events = run(make_request(steps=2, prior_weight=1.0, **prior))
    assert Preparing("prior") in events
    some = losses(run(make_request(steps=2, prior_weight=0.5, **prior)))
    full = losses(events)
    assert full[1] - without[1] == pytest.approx(2 * (some[1] - without[1]), rel=1e-4)
    assert full[1] > without[1]


def test_a_loss_that_is_no_number_ends_the_run(run, make_request):
    with pytest.raises(Diverged, match="smaller learning rate"):
        run(make_request(steps=30, learning_rate=1e30))


def test_out_of_memory_is_recognized(run, make_request, monkeypatch):
    """By the device's real error: more than any machine has."""
    import training.numerics

    with pytest.raises(TrainingOutOfMemory), training.numerics.memory_errors():
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(TrainingOutOfMemory), training.numerics.memory_errors():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")
    with pytest.raises(RuntimeError, match="shape"), training.numerics.memory_errors():
        raise RuntimeError("shape mismatch")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"rank": 0}, "rank"),
        ({"validation_split": 1.0}, "validation_split"),
        ({"validation_split": 0.95}, "too few"),
        ({"caption_dropout": 1.0}, "caption_dropout"),
        ({"prior_weight": 1.0}, "prior_images"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"resolution": 4096}, "4096 pixels"),
        ({"precision": "fp16"}, "needs a GPU"),
    ],
)
def test_values_that_cannot_work_are_refused(changes, words, run, make_request):
    with pytest.raises(InvalidTraining, match=words):
        run(make_request(**changes))


def test_missing_weights_are_the_requests_fault(make_request, entry, tmp_path):
    from configs.catalog import Source
    from training.loop import train

    gone = entry("sd").model_copy(update={"source": Source(path=tmp_path / "gone")})
    with pytest.raises(InvalidTraining, match="cannot be loaded"):
        train(make_request(), print, entry=gone)
    with pytest.raises(InvalidTraining, match="no model 'unheard-of'"):
        train(make_request("unheard-of"), print)


def test_bf16_trains_in_half_precision_with_whole_adapters(run, make_request, of, losses):
    events = run(make_request(steps=2, precision="bf16"))
    assert {value.dtype for value in load(events[-1].weights).values()} == {torch.bfloat16}
    whole = losses(run(make_request(steps=2)))
    assert losses(events) == pytest.approx(whole, rel=0.05)
    from training.checkpoints import unpack

    for checkpoint in of(Checkpoint, run(make_request(steps=3, precision="bf16"))):
        adapter = unpack(checkpoint.data).groups["adapter"]
        assert {value.dtype for value in adapter.values()} == {torch.float32}


def test_the_file_says_what_it_was_made_from(run, make_request, entry, tmp_path):
    from safetensors import safe_open

    finished = run(make_request(steps=2, alpha=8.0))[-1]
    path = tmp_path / "lora.safetensors"
    path.write_bytes(finished.weights)
    with safe_open(path, "pt") as file:
        header = dict(file.metadata())
    assert header.pop("format") == "pt"
    assert header == finished.metadata
    assert header["base_model"] == "tiny-sd"
    assert len(header["base_model_hash"]) == len(header["dataset_hash"]) == 64
    assert (header["rank"], header["alpha"]) == ("4", "8.0")
    assert (header["trigger_word"], header["seed"], header["steps"]) == ("ohwx", "0", "2")
    assert header["torch"] == torch.__version__
    again = run(make_request(steps=2, alpha=8.0))[-1]
    assert again.weights == finished.weights


def test_alpha_is_multiplied_into_the_file(entry):
    from training.families.sd import TrainableStableDiffusion

    model = TrainableStableDiffusion.load(entry("sd"), torch.device("cpu"), torch.float32)
    adapter = Adapter(model, rank=4, alpha=8.0, text=False, whole=False, seed=0)
    weights = {name: torch.ones_like(value) for name, value in adapter.weights().items()}
    for name, value in load(adapter.file(weights, {})).items():
        assert value.unique().tolist() == [2.0 if ".lora_B." in name else 1.0]
