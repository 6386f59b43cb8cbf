"""From a request for a training to a queued one, and from a training to what the API answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from db.models import EntityType, TrainingSample
from db.repositories.trainings import TrainingState
from serve_app.compute.storage.datasets import DatasetIntake, StoredDataset
from serve_app.compute.training.schemas import (
    TrainedOn,
    TrainingCreate,
    TrainingItem,
    TrainingOutput,
    TrainingRead,
    TrainingSampleImage,
    TrainingSummary,
    TrainingValidationRead,
)
from serve_app.core.dependencies import Sign
from serve_app.core.errors import InvalidInput, Loc, UnprocessableField
from serve_app.core.resources import Resources
from serve_app.core.training.orders import TrainingOrder, captioner, choose_base, noun, settle
from serve_app.core.training.reading import TrainedLora, TrainingMetrics, phase_of


@dataclass(frozen=True, slots=True)
class Submission:
    """Checks one request and settles everything that it left open."""

    resources: Resources
    intake: DatasetIntake
    # Where the request stands in its body.
    loc: Loc = ("body",)

    async def order(self, body: TrainingCreate, user_id: UUID | None) -> TrainingOrder:
        """The training of a request, its dataset checked and stored.

        Raises:
            UnprocessableField: a value does not go with the model, or the dataset is unusable.
        """
        # What costs least is checked first.
        settled = self.check(body)
        dataset = await self._dataset(body.dataset_url)
        return TrainingOrder(
            entry=choose_base(self.resources, body.base_model, self._refuse_model),
            output_name=body.output_name,
            entity_type=EntityType(body.config.entity_type),
            learns_from={
                "dataset": _reference(dataset),
                "captioning": body.config.captioning,
                **self._captioner(body),
            },
            settings=settled(dataset.images),
            requested_by=user_id,
            priority=body.priority,
        )

    def check(self, body: TrainingCreate) -> Callable[[int], dict[str, Any]]:
        """Everything but the dataset; what settles the run for a number of pictures.

        Raises:
            UnprocessableField: a value does not go with the model.
        """
        entry = choose_base(self.resources, body.base_model, self._refuse_model)
        self._captioner(body)
        entity_type = EntityType(body.config.entity_type)
        trigger = body.config.trigger_word
        prompt = f"{trigger}, {noun(entity_type)}" if trigger else noun(entity_type)

        def settled(images: int) -> dict[str, Any]:
            return settle(
                entry, body.config, images=images, sample_prompts=[prompt], refuse=self._refuse
            )

        settled(self.resources.settings.datasets.min_images)
        return settled

    def _captioner(self, body: TrainingCreate) -> dict[str, Any]:
        entity_type = EntityType(body.config.entity_type)
        return captioner(self.resources, body.config.captioning, entity_type, self._refuse)

    async def _dataset(self, url: str) -> StoredDataset:
        try:
            return await self.intake.take_url(url)
        except InvalidInput as error:
            raise error.at(*self.loc, "dataset_url") from error

    def _refuse(self, field: str, reason: str) -> UnprocessableField:
        return UnprocessableField(f"{field}: {reason}", (*self.loc, "config", field))

    def _refuse_model(self, field: str, reason: str) -> UnprocessableField:
        del field
        return UnprocessableField(f"base_model: {reason}", (*self.loc, "base_model"))


def _reference(dataset: StoredDataset) -> dict[str, Any]:
    known = asdict(dataset)
    return {name: known[name] for name in ("path", "sha256", "images", "captions")}


async def read_item(state: TrainingState, sign: Sign) -> TrainingItem:
    """What the API answers about a training in a list."""
    return TrainingItem(**_fields(state), output=await _summary(state, sign))


async def read_training(
    state: TrainingState, samples: Sequence[TrainingSample], sign: Sign
) -> TrainingRead:
    """What the API answers about one training."""
    config = dict(state.task.config)
    summary = await _summary(state, sign)
    return TrainingRead(
        **_fields(state),
        output=None if summary is None else await _output(state, summary, samples, sign),
        dataset=await _trained_on(config, sign),
        config={
            "training_type": "lora",
            "entity_type": config["entity_type"],
            "captioning": config["captioning"],
            **config["settings"],
        },
        failures=state.task.failures,
    )


def _fields(state: TrainingState) -> dict[str, Any]:
    task, training = state.task, state.training
    names = set(TrainingItem.model_fields) & set(task.__table__.columns.keys()) - {"output"}
    return {name: getattr(task, name) for name in names} | {
        "base_model": training.base_model,
        "output_name": training.output_name,
        "entity_type": training.entity_type.value,
        "trigger_word": training.trigger_word,
    }


async def _summary(state: TrainingState, sign: Sign) -> TrainingSummary | None:
    if state.training.phase is None:
        return None
    ended = state.task.output or {}
    return TrainingSummary(
        phase=phase_of(state),
        metrics=TrainingMetrics.of(state),
        lora=None if state.adapter is None else await TrainedLora.of(state.adapter, sign),
        best=_validation(ended.get("best")),
        last=_validation(ended.get("last")),
    )


def _validation(stored: dict[str, Any] | None) -> TrainingValidationRead | None:
    return None if stored is None else TrainingValidationRead(**stored)


async def _output(
    state: TrainingState, summary: TrainingSummary, samples: Sequence[TrainingSample], sign: Sign
) -> TrainingOutput:
    facts = state.training.facts
    return TrainingOutput(
        **dict(summary),
        samples=[await _sample(one, sign) for one in samples],
        buckets=facts.get("buckets", {}),
        validation_images=facts.get("validation_images"),
        accumulation=facts.get("accumulation"),
    )


async def _sample(sample: TrainingSample, sign: Sign) -> TrainingSampleImage:
    names = set(TrainingSampleImage.model_fields) - {"url"}
    return TrainingSampleImage(
        url=await sign(sample.path), **{name: getattr(sample, name) for name in names}
    )


async def _trained_on(config: dict[str, Any], sign: Sign) -> TrainedOn:
    if (dataset := config.get("dataset")) is not None:
        return TrainedOn(
            url=await sign(dataset["path"]),
            sha256=dataset["sha256"],
            images=dataset["images"],
            captions=dataset["captions"],
        )
    pictures = config["pictures"]
    return TrainedOn(url=None, sha256=None, images=len(pictures), captions=len(pictures))
