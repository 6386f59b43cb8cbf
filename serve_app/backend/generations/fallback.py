"""Another model for a generation that its own fails at, or keeps waiting: by the organization's
``fallback_model``.

The other one is settled when the generation begins, with a prompt and values of its own, and stands
in the recipe as ``fallback``: what was agreed on then is all that can happen later. Credits are by
image, whichever model makes it, so nothing is charged again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from db.models import Generation, GenerationStep
from db.repositories.generations import OPEN, GenerationWriter, overdue_tasks
from db.repositories.hosted import ProviderCircuits
from db.repositories.scope import OrganizationScope
from db.session import Database, WriteSession
from serve_app.backend.generations.recipe import Recipe
from serve_app.core.providers.errors import HostedCircuitOpen

# Why a generation is handed over that its own model has not failed at.
SATURATED: Final = "saturated"
# What the other model would have to refuse as well, or what leaves open whether the images are
# made: nothing is made twice.
_KEPT: Final = {"invalid_input", "hosted_refused", "hosted_outcome_unknown", "lora_deleted"}
_AT_ONCE: Final = 50


def can_fall_back(generation: Generation, code: str | None) -> bool:
    """Whether another model may make what this one failed at, by the code of its error."""
    return "fallback" in generation.recipe and code not in _KEPT


def hand_over(generation: Generation, code: str, reason: str) -> Recipe:
    """From now on the other model makes it; the recipe says from which one it was taken, and why.

    Images that the first one has made already are left out: a generation is of one model.
    """
    spare = generation.recipe["fallback"]
    first = {"model_id": generation.model, "code": code, "reason": reason}
    generation.recipe = {**spare, "fallen_back": first}
    config = spare["config"]
    generation.model = config["model"]
    generation.prompt = config["prompt"]
    generation.negative_prompt = config["negative_prompt"]
    generation.seed = config["seed"]
    generation.images = []
    return Recipe.of(spare)


async def fall_back(
    session: WriteSession, generation: Generation, step: GenerationStep, code: str, reason: str
) -> None:
    """Have the other model make a locked generation, in place of a task that has ended."""
    recipe = hand_over(generation, code, reason)
    generations = GenerationWriter(session, OrganizationScope(generation.organization_id))
    await generations.replace_step(generation, step, step.kind, recipe.generate(recipe.config))


async def hand_over_left_alone(session: WriteSession, generation: Generation) -> bool:
    """Hand a generation over before its images are asked for, if nothing is sent to its provider
    for now, and something is to that of the other model; whether it was."""
    if "fallback" not in generation.recipe:
        return False
    own, other = generation.recipe["config"], generation.recipe["fallback"]["config"]
    refusal = await _refusal(session, own)
    if refusal is None or await _refusal(session, other) is not None:
        return False
    hand_over(generation, refusal.code, str(refusal))
    return True


async def _refusal(session: WriteSession, config: Mapping[str, Any]) -> HostedCircuitOpen | None:
    if (provider := config.get("provider")) is None:
        return None
    _, left = await ProviderCircuits(session).get(provider)
    # Whether one that may be tried again is well, only trying tells.
    return None if left is None or left <= 0 else HostedCircuitOpen.of(provider, left)


async def hand_over_waiting(database: Database) -> None:
    """Hand over what has waited for its own model for longer than the organization wants."""
    async with database.read() as session:
        task_ids = await overdue_tasks(session, limit=_AT_ONCE)
    for task_id in task_ids:
        async with database.write() as session:
            await _hand_over_one(session, task_id)


async def _hand_over_one(session: WriteSession, task_id: str) -> None:
    step = await session.get(GenerationStep, task_id)
    if step is None:
        return
    generations = GenerationWriter(session, OrganizationScope(step.organization_id))
    # The task first: that is the order in which a runner that settles one locks them. From here on
    # no runner begins with it.
    waited = await generations.withdraw(task_id)
    if waited is None:
        return
    generation = await generations.lock(step.generation_id)
    if generation is not None and generation.status in OPEN and "fallback" in generation.recipe:
        reason = f"it had not been begun with after {waited:.0f} s"
        await fall_back(session, generation, step, SATURATED, reason)


def fallen_back(recipe: Mapping[str, Any]) -> Mapping[str, str] | None:
    """From which model a generation was taken, with ``code`` and ``reason``; None: from none."""
    found: Mapping[str, str] | None = recipe.get("fallen_back")
    return found
