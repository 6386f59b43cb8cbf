"""From the outcome of a task to the generation that it belongs to.

Runs in the transaction that settles the task, so that nothing can come between the two. What was
settled elsewhere (a cancelled task, one whose runner was lost) is caught up with soon after.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from db.models import (
    EventKind,
    Generation,
    GenerationStep,
    GenerationType,
    ShotStatus,
    StepKind,
    Task,
    TaskStatus,
)
from db.repositories.credits import CreditAccount
from db.repositories.generations import OPEN, GenerationWriter, unanswered_questions
from db.repositories.queue import TaskQueue
from db.repositories.scope import OrganizationScope
from db.session import Database, WriteSession
from serve_app.backend.generations.agentic import adjusted, best
from serve_app.backend.generations.composing import written
from serve_app.backend.generations.fallback import (
    can_fall_back,
    fall_back,
    hand_over_left_alone,
    hand_over_waiting,
)
from serve_app.backend.generations.recipe import Recipe

logger = logging.getLogger(__name__)

_CATCH_UP_AT_ONCE = 100
# For which a generation waits for a language model, failed attempts included, before it goes on
# without it. An attempt that is under way is waited for: it has limits of its own.
_PATIENCE_SECONDS = 120.0
_ENDS = (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)
_EVENTS = {
    TaskStatus.COMPLETED: EventKind.GENERATION_COMPLETED,
    TaskStatus.FAILED: EventKind.GENERATION_FAILED,
    TaskStatus.CANCELLED: EventKind.GENERATION_CANCELLED,
}


class GenerationProjection:
    """What the runner tells of tasks that have ended."""

    async def settled(self, session: WriteSession, task_ids: Sequence[str]) -> None:
        """Draw the outcomes of tasks that have ended into the generations that they belong to."""
        steps = await session.scalars(
            select(GenerationStep)
            .where(GenerationStep.task_id.in_(task_ids), GenerationStep.projected_at.is_(None))
            .order_by(GenerationStep.generation_id, GenerationStep.task_id)
        )
        for step in steps.all():
            await _Projecting(session, step).run()

    async def catch_up(self, database: Database) -> None:
        """Draw in what was settled by others, each task in a transaction of its own."""
        async with database.read() as session:
            waiting = await session.scalars(
                select(GenerationStep.task_id)
                .join(Task, Task.id == GenerationStep.task_id)
                .where(GenerationStep.projected_at.is_(None), Task.status.in_(_ENDS))
                .order_by(GenerationStep.created_at)
                .limit(_CATCH_UP_AT_ONCE)
            )
            task_ids = waiting.all()
        for task_id in task_ids:
            try:
                async with database.write() as session:
                    await self.settled(session, [task_id])
            except Exception:
                # The others must not wait for it.
                logger.exception("the outcome of %s could not be drawn in", task_id)
        await hand_over_waiting(database)
        await _go_on_unanswered(database)


async def _go_on_unanswered(database: Database) -> None:
    """Have the rules compose, and pixels judge, where a language model does not come to it: its key
    may have been taken away, or its provider be left alone for long."""
    async with database.read() as session:
        task_ids = await unanswered_questions(
            session, seconds=_PATIENCE_SECONDS, limit=_CATCH_UP_AT_ONCE
        )
    for task_id in task_ids:
        async with database.write() as session:
            step = await session.get(GenerationStep, task_id)
            if step is not None:
                await _Projecting(session, step).go_on_unanswered()


class _Projecting:
    """One task's outcome."""

    def __init__(self, session: WriteSession, step: GenerationStep) -> None:
        self._session = session
        self._step = step
        self._scope = OrganizationScope(step.organization_id)
        self._generations = GenerationWriter(session, self._scope)

    async def run(self) -> None:
        """Lock the generation, and move it on if it is still open."""
        generation = await self._generations.lock(self._step.generation_id)
        assert generation is not None, "a step goes with its generation"
        # Somebody else may have been here between the first look and the lock.
        step = await self._session.get(GenerationStep, self._step.task_id, populate_existing=True)
        if step is None:
            return
        task = await self._session.get_one(Task, self._step.task_id, populate_existing=True)
        if self._step.projected_at is not None or task.status not in _ENDS:
            return
        self._step.projected_at = datetime.now(UTC)
        await self._session.flush()
        if generation.status not in OPEN:
            return
        if task.status is TaskStatus.COMPLETED:
            assert task.output is not None
            await self._advance(generation, task.output)
        elif task.status is TaskStatus.CANCELLED or not await self._goes_on(
            generation, task.error_code or "failed", task.error or "it failed"
        ):
            generation.error, generation.error_code = task.error, task.error_code
            await end_early(self._session, generation, task.status)

    async def go_on_unanswered(self) -> None:
        """Take a question back that nobody is at, and do without its answer."""
        # The task first, as wherever one is settled. Nobody claims it from here on.
        waited = await self._generations.withdraw(self._step.task_id, tried=True)
        if waited is None:
            return
        generation = await self._generations.lock(self._step.generation_id)
        if generation is None or generation.status not in OPEN:
            return
        self._step.projected_at = datetime.now(UTC)
        reason = f"the language model had not answered after {waited:.0f} s"
        await self._goes_on(generation, "unanswered", reason)

    async def _goes_on(self, generation: Generation, code: str, reason: str) -> bool:
        """Whether somebody else does what a task has failed at."""
        match self._step.kind:
            case StepKind.COMPOSE:
                await self._compose(generation, None, reason)
            case StepKind.EVALUATE if generation.recipe.get("judge") is not None:
                note = f"The images are judged by their pixels: {reason}"
                notes = [*generation.recipe["notes"], note]
                generation.recipe = {**generation.recipe, "judge": None, "notes": notes}
                # Those of earlier attempts too: scores of two judges say nothing of each other.
                await self._generations.replace_step(
                    generation,
                    self._step,
                    StepKind.EVALUATE,
                    Recipe.of(generation.recipe).evaluate(generation.images),
                )
            case StepKind.GENERATE if can_fall_back(generation, code):
                await fall_back(self._session, generation, self._step, code, reason)
            case _:
                return False
        return True

    async def _compose(
        self, generation: Generation, answer: dict[str, Any] | None, reason: str = ""
    ) -> None:
        """Make the images, by the prompt of a language model or, without its answer, of the
        rules."""
        generation.recipe = written(generation.recipe, answer, reason)
        await hand_over_left_alone(self._session, generation)
        recipe = Recipe.of(generation.recipe)
        generation.prompt = recipe.config["prompt"]
        generation.negative_prompt = recipe.config["negative_prompt"]
        task = recipe.generate(recipe.config)
        await self._generations.add_step(generation, StepKind.GENERATE, task)

    async def _advance(self, generation: Generation, output: dict[str, Any]) -> None:
        recipe = Recipe.of(generation.recipe)
        match self._step.kind:
            case StepKind.COMPOSE:
                await self._compose(generation, output["answer"])
            case StepKind.GENERATE if generation.type is GenerationType.AGENTIC:
                # The candidates of earlier attempts stay in front.
                generation.images = [*generation.images, *output["images"]]
                task = recipe.evaluate(output["images"])
                await self._generations.add_step(generation, StepKind.EVALUATE, task)
            case StepKind.GENERATE:
                generation.images = output["images"]
                await self._finish_each(generation, recipe)
            case StepKind.EVALUATE:
                await self._judge(generation, recipe, output["scores"])
            case kind:
                await self._finished_one(generation, recipe, kind, output["images"][0])

    async def _judge(
        self, generation: Generation, recipe: Recipe, scores: list[dict[str, float]]
    ) -> None:
        """Accept the best images, or try again.

        Args:
            scores: of the last images: of those of this attempt or, by another judge than before,
                of all.
        """
        count = generation.num_predictions
        judged = [
            image | {"scores": {**one, "attempt": _attempt_of(image) or generation.attempt}}
            for image, one in zip(generation.images[-len(scores) :], scores, strict=True)
        ]
        candidates = [*generation.images[: -len(scores)], *judged]
        chosen = best(candidates, count)
        # Every image has to be good enough: somebody asked for that many.
        is_good = chosen[-1]["scores"]["confidence"] >= (generation.min_confidence_score or 0.0)
        if is_good or generation.attempt >= generation.max_attempts:
            generation.images = chosen
            await self._refund(generation, count * (generation.max_attempts - generation.attempt))
            await self._finish_each(generation, recipe)
            return
        generation.images = candidates
        generation.attempt += 1
        config = adjusted(generation.recipe.get("adjusted") or recipe.config, scores[-count:])
        generation.recipe = {**generation.recipe, "adjusted": config}
        await self._generations.add_step(generation, StepKind.GENERATE, recipe.generate(config))

    async def _finish_each(self, generation: Generation, recipe: Recipe) -> None:
        if not recipe.finishing:
            await self._complete(generation)
            return
        kind = recipe.finishing[0]
        for index, image in enumerate(generation.images):
            task = recipe.finish(kind, image)
            await self._generations.add_step(generation, kind, task, index=index)

    async def _finished_one(
        self, generation: Generation, recipe: Recipe, kind: StepKind, image: dict[str, Any]
    ) -> None:
        """The next step of this image, or the end when it was the last image's last."""
        index = self._step.index
        before = generation.images[index]
        # An operation has no seed of its own.
        kept = {"seed": before["seed"], "scores": before.get("scores")}
        images = list(generation.images)
        images[index] = {**image, **kept}
        generation.images = images
        following = recipe.finishing[recipe.finishing.index(kind) + 1 :]
        if following:
            task = recipe.finish(following[0], images[index])
            await self._generations.add_step(generation, following[0], task, index=index)
        elif not await self._generations.open_tasks(generation.id):
            await self._complete(generation)

    async def _complete(self, generation: Generation) -> None:
        predictions = await self._generations.add_predictions(generation)
        generation.status = TaskStatus.COMPLETED
        generation.completed_at = datetime.now(UTC)
        await self._session.flush()
        if generation.reproduces_id is None:
            shot = await self._generations.lock_shot(generation.shot_id)
            # A shot that was taken out of this state meanwhile stays as it is.
            if shot is not None and shot.status is ShotStatus.GENERATING:
                await self._generations.set_shot(
                    shot, ShotStatus.REVIEW, current_prediction_id=predictions[0].id
                )
        await self._generations.log(EventKind.GENERATION_COMPLETED, generation)

    async def _refund(self, generation: Generation, amount: int) -> None:
        if amount > 0:
            await CreditAccount(self._session, self._scope).refund(amount, generation.id)
            generation.credits_charged -= amount


def _attempt_of(image: Mapping[str, Any]) -> int | None:
    """In which attempt it was made, if it was judged before."""
    attempt: int | None = (image.get("scores") or {}).get("attempt")
    return attempt


async def end_early(session: WriteSession, generation: Generation, status: TaskStatus) -> None:
    """End a generation that has no result: its tasks, its charge, and the state of its shot.

    Args:
        session: in which the generation is locked.
        generation: an open one; its error is set already.
        status: failed or cancelled.
    """
    scope = OrganizationScope(generation.organization_id)
    generations = GenerationWriter(session, scope)
    generation.status = status
    generation.completed_at = datetime.now(UTC)
    for task_id in await generations.open_tasks(generation.id):
        await TaskQueue(session).cancel(scope, task_id)
    await generations.close_steps(generation.id)
    if generation.credits_charged:
        await CreditAccount(session, scope).refund(generation.credits_charged, generation.id)
        generation.credits_charged = 0
    await session.flush()
    if generation.reproduces_id is None:
        shot = await generations.lock_shot(generation.shot_id)
        if shot is not None and shot.status is ShotStatus.GENERATING:
            has_images = await generations.has_images(shot)
            await generations.set_shot(
                shot, ShotStatus.REVIEW if has_images else ShotStatus.PENDING
            )
    await generations.log(_EVENTS[status], generation)
