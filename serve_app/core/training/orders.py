"""From what is asked of a training to its task: everything settled that was left open."""

from __future__ import annotations

import math
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from configs.catalog import ModelEntry
from db.ids import prefixed_id
from db.models import EntityType
from db.repositories.queue import NewTask
from db.repositories.scope import OrganizationScope
from db.repositories.trainings import TrainingState, TrainingWriter
from db.session import WriteSession
from serve_app.core.llm.answers import CaptionKind
from serve_app.core.orders import MAX_ATTEMPTS, MAX_SEED, Refuse, choose_model, settle_question
from serve_app.core.resources import Resources
from serve_app.core.training.options import MAX_STEPS, TrainingOptions

QUEUE: Final = "training"
# How often samples are made and the adapter is validated, when nobody says.
_LOOKS: Final = 10
# What a picture shows, in the words of somebody who knows no more than that.
_NOUNS: Final[Mapping[EntityType, str]] = {
    EntityType.SUBJECT: "a person",
    EntityType.PRODUCT: "a product",
    EntityType.STYLE: "a picture",
}
# What a language model is asked to see in it.
_CAPTIONS: Final[Mapping[EntityType, CaptionKind]] = {
    EntityType.SUBJECT: "person",
    EntityType.PRODUCT: "garment",
    EntityType.STYLE: "person",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """A training that can be queued.

    Attributes:
        entry: the base model.
        output_name: of the adapter.
        entity_type: what it shows.
        learns_from: what its handler reads: ``dataset`` or ``pictures``, and how it captions.
        settings: of the run, as they are stored: see :func:`settle`.
        media_ids: pictures of the studio among them.
        requested_by: the person who asked for it.
        priority: among the organization's own tasks.
    """

    entry: ModelEntry
    output_name: str
    entity_type: EntityType
    learns_from: Mapping[str, Any]
    settings: Mapping[str, Any]
    media_ids: Collection[UUID] = ()
    requested_by: UUID | None = None
    priority: int = 0

    @property
    def lane(self) -> str:
        """The queue where it waits: ours, or that of the provider that trains the model."""
        return self.entry.provider or QUEUE

    def task(self) -> NewTask:
        """The task that does it."""
        return NewTask(
            id=prefixed_id("train"),
            type="training",
            queue=self.lane,
            config={
                "model": self.entry.name,
                "output_name": self.output_name,
                "family": self.entry.family,
                "entity_type": self.entity_type.value,
                **self.learns_from,
                "settings": dict(self.settings),
            },
            priority=self.priority,
            max_attempts=MAX_ATTEMPTS,
        )

    def about(self) -> dict[str, Any]:
        """What the row says that goes with the task."""
        return {
            "base_model": self.entry.name,
            "output_name": self.output_name,
            "entity_type": self.entity_type,
            "trigger_word": self.settings["trigger_word"],
            "requested_by": self.requested_by,
        }

    async def queue(self, session: WriteSession, scope: OrganizationScope) -> TrainingState:
        """Its task, and the row that says what the task is about."""
        return await TrainingWriter(session, scope).queue(
            self.task(), media_ids=self.media_ids, **self.about()
        )


def noun(entity_type: EntityType) -> str:
    """A caption for a picture of which nothing is known."""
    return _NOUNS[entity_type]


def choose_base(resources: Resources, name: str | None, refuse: Refuse) -> ModelEntry:
    """As `orders.choose_model`, of a model that can be trained here or at its provider.

    Raises:
        UnprocessableField: it cannot.
    """
    entry = choose_model(resources, name, refuse)
    if entry.hosting is not None and "training" not in entry.hosting.endpoints:
        raise refuse("model", f"{entry.name} cannot be trained at {entry.provider}")
    return entry


def captioner(
    resources: Resources, captioning: str, entity_type: EntityType, refuse: Refuse
) -> dict[str, Any]:
    """What a training's config says of the language model that captions its pictures; nothing where
    none does.

    Raises:
        UnprocessableField: there is no key for any.
    """
    if captioning != "hosted":
        return {}
    asked = {"operation": "caption", "kind": _CAPTIONS[entity_type]}
    return {
        "captioner": settle_question(
            resources, asked, lambda _, reason: refuse("captioning", reason)
        )
    }


def settle(
    entry: ModelEntry,
    options: TrainingOptions,
    *,
    images: int,
    sample_prompts: Sequence[str],
    refuse: Refuse,
) -> dict[str, Any]:
    """The values of a run: what is absent is the default, a seed is drawn, epochs become steps.

    Args:
        entry: the model.
        options: as the client wants it.
        images: how many pictures there are.
        sample_prompts: those of a client that names none.
        refuse: makes the errors.

    Raises:
        UnprocessableField: a value is beyond the model's limits, or does not go with the pictures.
    """
    wanted = options.wanted()
    for field, default in entry.training:
        if wanted[field] is None:
            wanted[field] = default
    if wanted["accumulation"] > wanted["batch_size"]:
        raise refuse("accumulation", f"must not be more than batch_size, {wanted['batch_size']}")
    if wanted["alpha"] is None:
        wanted["alpha"] = float(wanted["rank"])
    if wanted["seed"] is None:
        wanted["seed"] = secrets.randbelow(MAX_SEED + 1)
    if wanted["sample_prompts"] is None:
        wanted["sample_prompts"] = list(sample_prompts)
    wanted["steps"] = _steps(options, wanted, images, refuse)
    if wanted["sample_every"] is None:
        wanted["sample_every"] = math.ceil(wanted["steps"] / _LOOKS)
    wanted["prior_prompt"] = wanted["prior_prompt"] or ""
    _check_limits(entry, wanted, refuse)
    return wanted


def _steps(options: TrainingOptions, wanted: Mapping[str, Any], images: int, refuse: Refuse) -> int:
    share = options.validation_split
    # As `training.dataset` divides them.
    training = images - (max(1, round(images * share)) if share else 0)
    if training < 1:
        raise refuse("validation_split", f"nothing of {images} pictures is left to learn from")
    if options.epochs is None:
        return int(wanted["steps"])
    steps: int = options.epochs * math.ceil(training / wanted["batch_size"])
    if steps > MAX_STEPS:
        reason = f"with {training} pictures this makes {steps:,} steps; at most {MAX_STEPS:,}"
        raise refuse("epochs", reason)
    return steps


def _check_limits(entry: ModelEntry, wanted: Mapping[str, Any], refuse: Refuse) -> None:
    limits, resolution = entry.limits, wanted["resolution"]
    if resolution is not None and entry.sizes:
        sizes = " or ".join(f"{width}x{height}" for width, height in entry.sizes)
        raise refuse("resolution", f"{entry.name} is trained at {sizes}; leave it out")
    largest = min(limits.max_width, limits.max_height)
    if resolution is not None and not limits.min_side <= resolution <= largest:
        raise refuse("resolution", f"from {limits.min_side} to {largest} for this model")
    longest = limits.max_prompt_characters
    for field in ("sample_prompts", "prior_prompt"):
        prompts = wanted[field] if field == "sample_prompts" else [wanted[field]]
        if any(len(prompt) > longest for prompt in prompts):
            raise refuse(field, f"at most {longest} characters for this model")
