"""What goes into a training run and what comes out: a typed request, a stream of typed events.

Free of torch, so that the task runner can import it. A run knows no database, no HTTP and no
storage: examples and checkpoints come in as bytes, checkpoints and weights go out as bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

# (height, width, 3) RGB, sRGB.
Pixels: TypeAlias = npt.NDArray[np.uint8]

EntityType = Literal["subject", "product", "style"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One picture to learn from: an encoded image file, and what it shows, in words."""

    name: str
    image: bytes = field(repr=False)
    caption: str


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to train a LoRA (Hu et al., 2021).

    Attributes:
        steps: optimizer steps.
        batch_size: examples of one optimizer step, over all workers, before accumulation.
        accumulation: micro-batches that one step is computed in; ``batch_size`` is divided by it.
        learning_rate: of AdamW; reached after ``warmup_steps``, then a cosine down to a tenth.
        rank, alpha: of the adapter; its update is scaled by ``alpha / rank``.
        resolution: pixels of the shorter side, buckets keep the aspect ratio; None: the model's
            own size.
        seed: of everything that is drawn.
        trigger_word: stands in every caption, and makes the trained thing appear in a prompt.
        snr_gamma: of min-SNR weighting (Hang et al., 2023); None: every timestep counts alike.
        caption_dropout: share of the rows that are learnt from without a caption, in [0, 1), so
            that the guidance's branch without a prompt learns as well (Ho and Salimans, 2022).
        prior_weight: of the loss on pictures that the untrained model makes of ``prior_prompt``
            (DreamBooth, Ruiz et al., 2022); 0: no prior preservation.
        prior_images: how many of them.
        train_text_encoder: adapters on the text encoders as well.
        train_whole_blocks: adapters on feed-forward layers and convolutions of the denoiser as well
            (known as LoCon), and not on its attention alone. Small models, whose attention is few
            of their weights, learn a person only so.
        cache_latents: encode pictures and captions once, ahead of the steps.
        validation_split: share of the examples that is held out, in [0, 1).
        sample_prompts: pictures to make every ``sample_every`` steps, each from a fixed seed.
        sample_every: optimizer steps between samples and validations; 0: only at the end.
        checkpoint_every: optimizer steps between checkpoints.
    """

    steps: int
    entity_type: EntityType = "subject"
    batch_size: int = 1
    accumulation: int = 1
    learning_rate: float = 1e-4
    warmup_steps: int = 0
    rank: int = 16
    alpha: float = 16.0
    resolution: int | None = None
    seed: int = 0
    trigger_word: str | None = None
    snr_gamma: float | None = 5.0
    caption_dropout: float = 0.0
    prior_weight: float = 0.0
    prior_prompt: str = ""
    prior_images: int = 0
    train_text_encoder: bool = False
    train_whole_blocks: bool = False
    cache_latents: bool = True
    validation_split: float = 0.0
    sample_prompts: tuple[str, ...] = ()
    sample_every: int = 0
    checkpoint_every: int = 50
    precision: Precision = "auto"
    gradient_checkpointing: bool | None = None


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """One run.

    Attributes:
        request_id: names the run in logs, in Ray's dashboard and in the result's metadata.
        model: name of a catalog entry.
        output_name: name of the adapter that is made.
        config: how to train.
        examples: what to learn from, in a fixed order.
        checkpoint: bytes of the last `Checkpoint` of an earlier attempt; None: start anew.
    """

    request_id: str
    model: str
    output_name: str
    config: TrainingConfig
    examples: tuple[TrainingExample, ...] = field(repr=False)
    checkpoint: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Preparing:
    """Before the first step; ``phase`` says what is done: start, load, encode, prior."""

    phase: str


@dataclass(frozen=True, slots=True)
class Started:
    """The first step is next. ``step`` is the last one done by an earlier attempt, or 0."""

    step: int
    steps: int
    epochs: int
    images: int
    validation_images: int
    # Width and height of each bucket, and how many pictures it has.
    buckets: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """One optimizer step; ``step`` and ``epoch`` count from 1."""

    step: int
    epoch: int
    loss: float
    learning_rate: float
    images_per_second: float
    eta_seconds: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """Steps since the last such event, in order; sent some times a second at most."""

    steps: tuple[StepMetrics, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture that the adapter makes after ``step``: ``index`` is that of its prompt."""

    step: int
    index: int
    prompt: str
    seed: int
    image: Pixels = field(repr=False)


@dataclass(frozen=True, slots=True)
class Validation:
    """How good the adapter is after ``step``.

    ``loss`` is that of the held-out examples at fixed timesteps and noise (None: none are held
    out); ``similarity`` of the fixed-seed samples to the examples, in [-1, 1] (None: no samples);
    ``is_best``: whether this is the adapter that would be delivered if training ended now.
    """

    step: int
    loss: float | None
    similarity: float | None
    is_best: bool


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that the next step depends on, after ``step``, in one piece."""

    step: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of every stream.

    Attributes:
        weights: ``pytorch_lora_weights.safetensors``, of the best step.
        metadata: what stands in the file's header: base model and its hash, rank, alpha, trigger
            word, dataset hash, seed, steps, versions.
        best: the validation that chose it.
        last: the final step's, which may be the same one.
        seconds: by phase.
    """

    weights: bytes = field(repr=False)
    metadata: Mapping[str, str]
    best: Validation
    last: Validation
    seconds: Mapping[str, float]


Event: TypeAlias = Preparing | Started | Metrics | Sample | Validation | Checkpoint | Finished
# What a run tells its events to.
Emit: TypeAlias = Callable[[Event], None]


class TrainingError(Exception):
    """A run could not do its work; ``retryable`` says whether another attempt may succeed."""

    code: ClassVar[str] = "training_failed"
    retryable: ClassVar[bool] = True

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidTraining(TrainingError):
    """The request can never succeed: model, pictures and values do not fit together."""

    code = "invalid_input"
    retryable = False


class UnusableCheckpoint(InvalidTraining):
    """The checkpoint is damaged, or is another run's; an older one, or none, may do."""

    code = "unusable_checkpoint"


class TrainingOutOfMemory(TrainingError):
    """The device ran out of memory; half the batch may fit."""

    code = "out_of_memory"


class Diverged(TrainingError):
    """The loss is not a finite number any more; a smaller learning rate may help."""

    code = "diverged"
    retryable = False
