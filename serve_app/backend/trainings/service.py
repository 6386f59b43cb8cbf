"""Subjects and products trained from their own pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias
from uuid import UUID

from db.models import (
    EntityType,
    Product,
    ProductImage,
    ProductImageType,
    ShotType,
    Subject,
    SubjectImage,
)
from db.repositories.presets import ShotTypeRepository
from db.repositories.products import ProductWriter
from db.repositories.queue import TaskQueue
from db.repositories.scope import OrganizationScope
from db.repositories.subjects import SubjectWriter
from db.repositories.trainings import OPEN, TrainingRepository, TrainingState
from db.session import WriteSession
from serve_app.backend.trainings.schemas import TrainRequest
from serve_app.core.admission import admit
from serve_app.core.errors import Conflict, UnprocessableField
from serve_app.core.phrases import describe_product, describe_shot_type, describe_subject
from serve_app.core.resources import Resources
from serve_app.core.rows import found
from serve_app.core.training.orders import TrainingOrder, captioner, choose_base, noun, settle
from serve_app.core.training.words import adapter_name, trigger_word

Trainee: TypeAlias = Subject | Product

# What a picture of a product shows of it; of the others it is the front, or anything.
_SIDES: Mapping[ProductImageType, str] = {
    ProductImageType.BACK: "back view",
    ProductImageType.SIDE: "side view",
    ProductImageType.DETAIL: "detail",
}
_SETTING = "full body, front view, white background"


class BeingTrained(Conflict):
    """Its last training has not ended."""

    code = "being_trained"
    default_detail = "This is being trained; wait for it, or cancel its training"


class TooFewPictures(Conflict):
    """There is not enough to learn from."""

    code = "too_few_pictures"


@dataclass(frozen=True, slots=True)
class Lesson:
    """A picture to learn from, where it lies in storage, and what it shows."""

    media_id: UUID
    path: str
    caption: str

    @classmethod
    def of(cls, image: SubjectImage | ProductImage, caption: str) -> Self:
        """From a picture whose media are loaded."""
        return cls(image.media_id, image.media.path, caption)


@dataclass(frozen=True, slots=True)
class Trainings:
    """Where trainings of the studio are begun: for whom, by whom, in which transaction."""

    session: WriteSession
    scope: OrganizationScope
    resources: Resources
    user_id: UUID | None

    async def train_subject(self, subject_id: UUID, body: TrainRequest) -> TrainingState:
        """Queue a training of a subject from its pictures; its images will be made with the result.

        Raises:
            NotFound: there is no such subject.
            BeingTrained, TooFewPictures: as they say.
            UnprocessableField: a value does not go with the model or the pictures.
        """
        subjects = SubjectWriter(self.session, self.scope)
        found(await subjects.lock(subject_id), "Subject")
        subject = found(await subjects.get(subject_id), "Subject")
        phrase = describe_subject(subject)
        shot_types = await ShotTypeRepository(self.session, self.scope).get_many(
            {image.shot_type_id for image in subject.images if image.shot_type_id is not None}
        )
        lessons = [
            Lesson.of(image, _of_subject(phrase, image, shot_types)) for image in subject.images
        ]
        state = await self._begin(subject, EntityType.SUBJECT, body, lessons, phrase)
        await subjects.change(subject, {"training_id": state.task.id})
        return state

    async def train_product(self, product_id: UUID, body: TrainRequest) -> TrainingState:
        """As :meth:`train_subject`, of a product."""
        products = ProductWriter(self.session, self.scope)
        found(await products.lock(product_id), "Product")
        product = found(await products.get(product_id), "Product")
        phrase = describe_product(product)
        lessons = [Lesson.of(image, _of_product(phrase, image)) for image in product.images]
        state = await self._begin(product, EntityType.PRODUCT, body, lessons, phrase)
        await products.change(product, {"training_id": state.task.id})
        return state

    async def _begin(
        self,
        trainee: Trainee,
        entity_type: EntityType,
        body: TrainRequest,
        lessons: Sequence[Lesson],
        phrase: str,
    ) -> TrainingState:
        await self._check_idle(trainee)
        least = self.resources.settings.datasets.min_images
        if len(lessons) < least:
            raise TooFewPictures(
                f"There are {len(lessons)} pictures of {trainee.name} to learn from; at least "
                f"{least} are needed"
            )
        entry = choose_base(self.resources, body.base_model, _refuse_model)
        options = body.config
        if options.trigger_word is None:
            trigger = trigger_word(trainee.name, trainee.id)
            options = options.model_copy(update={"trigger_word": trigger})
        if options.captioning == "none":
            lessons = [replace(one, caption=noun(entity_type)) for one in lessons]
        settings = settle(
            entry,
            options,
            images=len(lessons),
            sample_prompts=[f"{options.trigger_word}, {phrase}, {_SETTING}"],
            refuse=_refuse,
        )
        order = TrainingOrder(
            entry=entry,
            output_name=body.output_name or adapter_name(trainee.name, trainee.id),
            entity_type=entity_type,
            learns_from={
                "pictures": [{"path": one.path, "caption": one.caption} for one in lessons],
                "captioning": options.captioning,
                **captioner(self.resources, options.captioning, entity_type, _refuse),
            },
            settings=settings,
            media_ids=[one.media_id for one in lessons],
            requested_by=self.user_id,
        )
        await admit(self.session, self.scope, self.resources, [order.lane], counted=0)
        return await order.queue(self.session, self.scope)

    async def _check_idle(self, trainee: Trainee) -> None:
        if trainee.training_id is None:
            return
        last = await TrainingRepository(self.session, self.scope).get(trainee.training_id)
        if last is not None and last.task.status in OPEN:
            raise BeingTrained


async def cancel_training_of(
    session: WriteSession, scope: OrganizationScope, trainee: Trainee
) -> None:
    """End the training of what is about to be removed. Call it before the trainee is locked: a
    runner that settles a task locks in this order."""
    if trainee.training_id is not None:
        await TaskQueue(session).cancel(scope, trainee.training_id)


def _of_subject(phrase: str, image: SubjectImage, shot_types: Mapping[UUID, ShotType]) -> str:
    shot_type = shot_types.get(image.shot_type_id) if image.shot_type_id else None
    return phrase if shot_type is None else f"{phrase}, {describe_shot_type(shot_type)}"


def _of_product(phrase: str, image: ProductImage) -> str:
    side = _SIDES.get(image.type)
    return phrase if side is None else f"{phrase}, {side}"


def _refuse(field: str, reason: str) -> UnprocessableField:
    return UnprocessableField(f"{field}: {reason}", ("body", "config", field))


def _refuse_model(field: str, reason: str) -> UnprocessableField:
    del field
    return UnprocessableField(f"base_model: {reason}", ("body", "base_model"))
