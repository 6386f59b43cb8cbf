"""Everything between a request and its first step: model, pictures, adapter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from configs.catalog import ModelEntry
from training import families
from training.adapters import Adapter
from training.checkpoints import State
from training.contracts import InvalidTraining, TrainingConfig, TrainingRequest
from training.dataset import load_pictures, split
from training.encoding import Encoder
from training.families.base import Trainable
from training.numerics import arithmetic
from training.prior import Prior
from training.reporting import Reporter


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the steps of a run work with.

    Attributes:
        model: loaded, with the adapter in it.
        encoder: of all pictures.
        train, held_out: indices of the pictures to train on, and of those to validate with.
        prior: pictures of prior preservation, or None.
        adapter: untrained.
    """

    model: Trainable
    encoder: Encoder
    train: Sequence[int]
    held_out: Sequence[int]
    prior: Prior | None
    adapter: Adapter

    @property
    def buckets(self) -> dict[str, int]:
        """Width x height of each bucket, and how many pictures it has."""
        sizes = Counter(picture.frame.size for picture in self.encoder.pictures)
        return {f"{width}x{height}": count for (width, height), count in sorted(sizes.items())}


def check(config: TrainingConfig) -> None:
    """Refuse values that no run could work with.

    Raises:
        InvalidTraining: the text names the value.
    """
    least = {
        "steps": 1,
        "batch_size": 1,
        "accumulation": 1,
        "rank": 1,
        "warmup_steps": 0,
        "sample_every": 0,
        "checkpoint_every": 1,
    }
    for name, minimum in least.items():
        if getattr(config, name) < minimum:
            raise InvalidTraining(f"{name} must be at least {minimum}")
    if not config.learning_rate > 0 or not config.alpha > 0:
        raise InvalidTraining("learning_rate and alpha must be above 0")
    if not 0 <= config.validation_split < 1:
        raise InvalidTraining("validation_split must be in [0, 1)")
    if not 0 <= config.caption_dropout < 1:
        raise InvalidTraining("caption_dropout must be in [0, 1)")
    if config.prior_weight and (config.prior_images < 1 or not config.prior_prompt):
        raise InvalidTraining("prior preservation needs prior_prompt and prior_images")


def prepare(
    request: TrainingRequest,
    entry: ModelEntry,
    state: State | None,
    report: Reporter,
    device: torch.device,
) -> Prepared:
    """Decode the pictures, load the model, encode, and add an untrained adapter.

    Raises:
        InvalidTraining: model, pictures and values do not fit together.
    """
    config = request.config
    pictures = load_pictures(
        request.examples, entry, resolution=config.resolution, trigger_word=config.trigger_word
    )
    train, held_out = split(len(pictures), config.validation_split, config.seed)
    with report.preparing("load"):
        model = _load(entry, config, device)
    with report.preparing("encode"):
        encoder = Encoder(
            model,
            pictures,
            cache_latents=config.cache_latents,
            cache_prompts=config.cache_latents and not config.train_text_encoder,
        )
        for index in range(len(pictures)):
            encoder.warm(index)
            report.alive("encode")
    prior = None
    if config.prior_weight:
        with report.preparing("prior"):
            prior = _prior(model, config, state, report)
    adapter = Adapter(
        model,
        rank=config.rank,
        alpha=config.alpha,
        text=config.train_text_encoder,
        whole=config.train_whole_blocks,
        seed=config.seed,
    )
    return Prepared(model, encoder, train, held_out, prior, adapter)


def _load(entry: ModelEntry, config: TrainingConfig, device: torch.device) -> Trainable:
    try:
        family = families.resolve(entry.family)
    except KeyError:
        raise InvalidTraining(f"models of the family {entry.family!r} cannot be trained") from None
    model = family.load(entry, device, arithmetic(config.precision, device))
    checkpointing = config.gradient_checkpointing
    if device.type == "cuda" if checkpointing is None else checkpointing:
        model.family.denoiser.enable_gradient_checkpointing()
    return model


def _prior(
    model: Trainable, config: TrainingConfig, state: State | None, report: Reporter
) -> Prior:
    if state is None:
        return Prior.make(model, config, report)
    return Prior.restore(model, config, state.groups["prior"])
