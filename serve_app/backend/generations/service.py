"""Generations begun, cancelled and reproduced, and what the API answers about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from db.models import EventKind, Generation, GenerationType, Shot, ShotStatus, StepKind, TaskStatus
from db.repositories.generations import OPEN, GenerationRepository, GenerationWriter, StepProgress
from db.repositories.organizations import OrganizationRepository
from db.repositories.queue import TaskQueue
from db.repositories.scope import OrganizationScope
from db.repositories.shot_inputs import ShotInputs, load_shot_inputs
from db.repositories.shots import ShotWriter
from db.session import ReadSession, WriteSession
from serve_app.backend.generations.composing import question
from serve_app.backend.generations.composition import compose
from serve_app.backend.generations.fallback import (
    SATURATED,
    can_fall_back,
    fallen_back,
    hand_over,
    hand_over_left_alone,
)
from serve_app.backend.generations.loras import ShotLoras, check_loras
from serve_app.backend.generations.projection import end_early
from serve_app.backend.generations.recipe import (
    PIXELS,
    RULES,
    Recipe,
    background_of,
    media_of,
    native_size,
    product_picture,
    reference_to,
)
from serve_app.backend.generations.schemas import (
    FallenBack,
    GeneratedImage,
    GenerateOptions,
    GenerateRequest,
    GenerationRead,
    GenerationStatus,
)
from serve_app.core import orders
from serve_app.core.admission import QueueFull, admit
from serve_app.core.credits import charge
from serve_app.core.dependencies import Sign
from serve_app.core.errors import Conflict, UnprocessableField
from serve_app.core.resources import Resources
from serve_app.core.rows import found

# Fields of the request, by that of the task which is refused.
_FIELDS = {"model": "model_id", "num_outputs": "num_predictions"}


class ShotIsBusy(Conflict):
    """The shot's images are being made."""

    code = "shot_is_generating"
    default_detail = "This shot is being generated; wait for it, or cancel its generation"


class ShotIsApproved(Conflict):
    """The shot is done."""

    code = "shot_is_approved"
    default_detail = "This shot is approved; take the approval back, or request a revision"


@dataclass(frozen=True, slots=True)
class Studio:
    """Where generations are begun: for whom, by whom, in which transaction."""

    session: WriteSession
    scope: OrganizationScope
    resources: Resources
    user_id: UUID | None

    async def generate(self, shot_id: UUID, body: GenerateRequest) -> Generation:
        """Compose a shot's prompt, charge for its images and queue them. A rejected shot begins
        its next revision.

        Raises:
            NotFound: there is no such shot.
            ShotIsBusy, ShotIsApproved: its state does not allow it.
            UnprocessableField: a value is beyond the model's limits.
            InsufficientCredits: as it says; nothing is begun.
        """
        generations = GenerationWriter(self.session, self.scope)
        shot = found(await generations.lock_shot(shot_id), "Shot")
        _check_state(shot)
        if shot.status is ShotStatus.REJECTED:
            # The decision stays with the revision that it was about.
            shot.revision += 1
            await ShotWriter(self.session, self.scope).begin_revision(shot, shot.revision)
        inputs = await load_shot_inputs(self.session, shot)
        recipe = self._recipe(inputs, body)
        recipe, spare = await self._spare(inputs, body, recipe)
        media_ids = list(media_of(inputs))
        generation = await self._begin(shot, recipe, body, media_ids, spare=spare)
        await generations.set_shot(shot, ShotStatus.GENERATING)
        await generations.log(EventKind.GENERATION_CREATED, generation)
        return generation

    async def reproduce(self, generation_id: UUID) -> Generation:
        """Make a generation's images again from what it was made of. The shot stays as it is.

        Raises:
            NotFound: there is no such generation.
            LoraIsGone: one that it was made with has been deleted.
            InsufficientCredits: as it says.
        """
        generations = GenerationWriter(self.session, self.scope)
        first = found(await generations.get(generation_id), "Generation")
        # As it was made: with the model and the prompt that it came to in the end.
        recipe = replace(Recipe.of(first.recipe), composer=None)
        await check_loras(self.session, self.scope, recipe.config["loras"])
        options = GenerateRequest(
            num_predictions=first.num_predictions,
            generation_type=first.type,
            max_attempts=first.max_attempts,
            min_confidence_score=first.min_confidence_score or 0.0,
        )
        shot = found(await generations.lock_shot(first.shot_id), "Shot")
        media_ids = await generations.inputs_of(first.id)
        generation = await self._begin(shot, recipe, options, media_ids, reproduces=first)
        await generations.log(EventKind.GENERATION_CREATED, generation)
        return generation

    async def _spare(
        self, inputs: ShotInputs, body: GenerateRequest, recipe: Recipe
    ) -> tuple[Recipe, Recipe | None]:
        """The recipe, and that of the model which may stand in for its own, if the organization has
        named one and it can make this; if not, the notes say why."""
        organization = await OrganizationRepository(self.session).get(self.scope.organization_id)
        name = organization.fallback_model if organization is not None else None
        if name is None or name == recipe.config["model"]:
            return recipe, None
        # Steps and guidance were chosen for the other model.
        neutral = dict.fromkeys(body.settings()) | {
            "model_id": name,
            "seed": recipe.config["seed"],
        }
        try:
            return recipe, self._recipe(inputs, body.model_copy(update=neutral))
        except UnprocessableField as error:
            note = f"{name} cannot stand in: {error.detail}"
            return replace(recipe, notes=(*recipe.notes, note)), None

    def _recipe(self, inputs: ShotInputs, body: GenerateRequest) -> Recipe:
        entry = orders.choose_model(self.resources, body.model_id, _refuse)
        loras = ShotLoras.of(inputs, entry)
        composition = compose(
            inputs, loras, extra=body.prompt or "", negative=body.negative_prompt or ""
        )
        preset = inputs.resolution
        resolution = (preset.width, preset.height) if preset else None
        width, height = native_size(entry, resolution)
        picture = product_picture(inputs)
        wanted = {
            **body.settings(),
            "prompt": composition.prompt,
            "negative_prompt": composition.negative or None,
            "num_outputs": body.num_predictions,
            "seed": body.seed,
            "width": width,
            "height": height,
            "loras": loras.pins(),
        }
        config = orders.settle_generation(entry, wanted, _refuse)
        orders.check_mode(entry, _refuse_product, has_image=picture is not None)
        return Recipe(
            composition=composition.as_dict(),
            config=config,
            product=reference_to(picture) if picture else None,
            background=background_of(inputs),
            resolution=resolution,
            file_format=inputs.look.file_format.value,
            notes=loras.notes,
            composer=self._asked(
                "composer", body.composer, RULES, question(composition, inputs, loras, entry)
            ),
            judge=self._asked("judge", body.judge, PIXELS, {}),
        )

    def _asked(
        self, field: str, model: str, own: str, config: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """The question to a language model that has a part in it; None: we do it ourselves."""
        if model == own:
            return None

        def refuse(_: str, reason: str) -> UnprocessableField:
            return UnprocessableField(f"{field}: {reason}, and {own!r}", ("body", field))

        return orders.settle_question(self.resources, {**config, "model": model}, refuse)

    async def _begin(
        self,
        shot: Shot,
        recipe: Recipe,
        options: GenerateOptions,
        media_ids: Sequence[UUID],
        *,
        spare: Recipe | None = None,
        reproduces: Generation | None = None,
    ) -> Generation:
        is_agentic = options.generation_type is GenerationType.AGENTIC
        attempts = options.max_attempts if is_agentic else 1
        cost = options.num_predictions * attempts
        generations = GenerationWriter(self.session, self.scope)
        generation = await generations.add(
            shot_id=shot.id,
            revision=shot.revision if reproduces is None else reproduces.revision,
            type=options.generation_type,
            model=recipe.config["model"],
            prompt=recipe.config["prompt"],
            negative_prompt=recipe.config["negative_prompt"],
            seed=recipe.config["seed"],
            num_predictions=options.num_predictions,
            max_attempts=attempts,
            min_confidence_score=options.min_confidence_score if is_agentic else None,
            recipe=recipe.as_dict() | ({"fallback": spare.as_dict()} if spare else {}),
            reproduces_id=reproduces.id if reproduces else None,
            credits_charged=cost,
            requested_by=self.user_id,
        )
        await charge(self.session, self.scope, self.resources.plans, cost, generation.id)
        await generations.keep_inputs(generation, media_ids)
        await self._queue(generation)
        return generation

    async def _queue(self, generation: Generation) -> None:
        """Queue its first task: of the model that stands in, if its own one has no room for it or
        its provider is left alone.

        Raises:
            QueueFull: as it says.
        """
        kind, task = Recipe.of(generation.recipe).begin()
        if kind is StepKind.GENERATE and await hand_over_left_alone(self.session, generation):
            kind, task = Recipe.of(generation.recipe).begin()
        try:
            await admit(self.session, self.scope, self.resources, [task.queue], counted=0)
        except QueueFull as full:
            if kind is not StepKind.GENERATE or not can_fall_back(generation, SATURATED):
                raise
            kind, task = hand_over(generation, SATURATED, full.detail).begin()
            await admit(self.session, self.scope, self.resources, [task.queue], counted=0)
        if fallen_back(generation.recipe) is not None:
            await self.session.flush()
            await self.session.refresh(generation, ["updated_at"])
        await GenerationWriter(self.session, self.scope).add_step(generation, kind, task)


async def cancel(
    session: WriteSession, scope: OrganizationScope, generation_id: UUID
) -> Generation:
    """End a generation with its tasks, and give its credits back. One that has ended stays.

    Raises:
        NotFound: there is no such generation.
    """
    generations = GenerationWriter(session, scope)
    found(await generations.get(generation_id), "Generation")
    # Tasks before the generation: that is the order in which a runner that settles one locks them.
    for task_id in await generations.open_tasks(generation_id):
        await TaskQueue(session).cancel(scope, task_id)
    generation = found(await generations.lock(generation_id), "Generation")
    if generation.status in OPEN:
        await end_early(session, generation, TaskStatus.CANCELLED)
    return found(await generations.get(generation_id), "Generation")


def _check_state(shot: Shot) -> None:
    if shot.status is ShotStatus.GENERATING:
        raise ShotIsBusy
    if shot.status is ShotStatus.APPROVED:
        raise ShotIsApproved


def _refuse(field: str, reason: str) -> UnprocessableField:
    return UnprocessableField(f"{field}: {reason}", ("body", _FIELDS.get(field, field)))


def _refuse_product(field: str, reason: str) -> UnprocessableField:
    del field
    return UnprocessableField(
        f"{reason}; see the pictures of the shot's product", ("body", "model_id")
    )


async def read_many(
    session: ReadSession,
    scope: OrganizationScope,
    generations: Sequence[Generation],
    sign: Sign,
) -> list[GenerationRead]:
    """What the API answers about generations; their tasks are read in one statement."""
    steps: dict[UUID, list[StepProgress]] = defaultdict(list)
    # One that is completed has no more to say.
    ids = [one.id for one in generations if one.status is not TaskStatus.COMPLETED]
    for step in await GenerationRepository(session, scope).progress(ids) if ids else []:
        steps[step.generation_id].append(step)
    return [await _read(one, steps[one.id], sign) for one in generations]


async def _read(
    generation: Generation, steps: Sequence[StepProgress], sign: Sign
) -> GenerationRead:
    recipe = Recipe.of(generation.recipe)
    return GenerationRead(
        id=generation.id,
        shot_id=generation.shot_id,
        revision=generation.revision,
        generation_type=generation.type,
        status=_status(generation, steps),
        progress=_progress(generation, recipe, steps),
        model_id=generation.model,
        fallen_back=_fallen_back(generation),
        prompt=generation.prompt,
        composed_by=recipe.composed_by,
        judged_by=_judge(generation, recipe),
        negative_prompt=generation.negative_prompt,
        seed=generation.seed,
        num_predictions=generation.num_predictions,
        attempt=generation.attempt,
        max_attempts=generation.max_attempts,
        min_confidence_score=generation.min_confidence_score,
        credits_charged=generation.credits_charged,
        reproduces_id=generation.reproduces_id,
        inputs=_inputs(recipe),
        notes=list(recipe.notes),
        predictions=[
            GeneratedImage(
                id=one.id,
                index=one.index,
                status=one.status,
                image_url=await sign(one.path),
                width=one.width,
                height=one.height,
                seed=one.seed,
                scores=one.scores,
            )
            for one in generation.predictions
        ],
        error=generation.error,
        error_code=generation.error_code,
        created_at=generation.created_at,
        updated_at=generation.updated_at,
        completed_at=generation.completed_at,
    )


def _fallen_back(generation: Generation) -> FallenBack | None:
    first = fallen_back(generation.recipe)
    return None if first is None else FallenBack.model_validate(first)


def _judge(generation: Generation, recipe: Recipe) -> str | None:
    if generation.type is not GenerationType.AGENTIC:
        return None
    return PIXELS if recipe.judge is None else str(recipe.judge["model"])


def _inputs(recipe: Recipe) -> dict[str, object]:
    """The recipe without names in storage, which are nobody's business."""
    shown = recipe.as_dict()
    for name in ("notes", "composer", "composed_by", "judge"):
        del shown[name]
    if shown["product"]:
        shown["product"] = {"sha256": shown["product"]["sha256"]}
    if shown["background"] and "image" in shown["background"]:
        shown["background"] = {"sha256": shown["background"]["image"]["sha256"]}
    return shown


def _status(generation: Generation, steps: Sequence[StepProgress]) -> GenerationStatus:
    has_started = any(step.status is not TaskStatus.PENDING for step in steps)
    if generation.status in OPEN and has_started:
        return "running"
    return generation.status.value


def _progress(generation: Generation, recipe: Recipe, steps: Sequence[StepProgress]) -> float:
    """Of the present attempt: each of its tasks, made or still to come, counts the same."""
    if generation.status is TaskStatus.COMPLETED:
        return 1.0
    own = 2 if generation.type is GenerationType.AGENTIC else 1
    own += any(step.kind is StepKind.COMPOSE for step in steps)
    total = own + len(recipe.finishing) * generation.num_predictions
    done = sum(step.progress for step in steps if step.attempt == generation.attempt)
    return round(min(done / total, 1.0), 4)
