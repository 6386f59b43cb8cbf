"""Generations and their images, without a task that made them."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import func, select

from db.models import Generation, GenerationType, Prediction, Shot, ShotStatus, TaskStatus
from db.repositories import OrganizationScope
from db.repositories.shots import ShotWriter
from db.session import Database
from serve_app.backend.generations.recipe import Recipe
from serve_app.core.storage.base import ObjectStore
from tests.factories.pictures import picture

_CONFIG: dict[str, Any] = {
    "model": "atelier-tiny",
    "prompt": "a young woman wearing a linen summer dress",
    "negative_prompt": "",
    "num_outputs": 4,
    "seed": 7,
    "width": 48,
    "height": 64,
    "steps": 4,
    "guidance_scale": 4.0,
    "image_guidance_scale": 1.5,
    "strength": None,
    "output_format": "png",
    "loras": [],
}
_RECIPE = Recipe(
    composition={"subject": "a young woman", "product": "a linen summer dress"},
    config=_CONFIG,
    product=None,
    background=None,
    resolution=None,
    file_format="png",
)


async def make_generation(
    database: Database, scope: OrganizationScope, shot: Shot, **changes: Any
) -> Generation:
    """A completed generation of the shot's current revision."""
    values: dict[str, Any] = {
        "shot_id": shot.id,
        "revision": shot.revision,
        "type": GenerationType.BASE,
        "status": TaskStatus.COMPLETED,
        "model": _CONFIG["model"],
        "prompt": _CONFIG["prompt"],
        "negative_prompt": _CONFIG["negative_prompt"],
        "seed": _CONFIG["seed"],
        "num_predictions": _CONFIG["num_outputs"],
        "recipe": _RECIPE.as_dict(),
    }
    async with database.write() as session:
        generation = Generation(organization_id=scope.organization_id, **values | changes)
        session.add(generation)
        await session.flush()
        await session.refresh(generation)
    return generation


async def make_prediction(
    database: Database,
    scope: OrganizationScope,
    generation: Generation,
    *,
    store: ObjectStore | None = None,
    **changes: Any,
) -> Prediction:
    """The next image of a generation; its file is there if ``store`` is given."""
    data = picture()
    async with database.write() as session:
        count = select(func.count()).where(Prediction.generation_id == generation.id)
        index = await session.scalar(count) or 0
        folder = f"outputs/{scope.organization_id.hex}/{generation.id.hex}"
        values: dict[str, Any] = {
            "index": index,
            "path": f"{folder}/1-{index}.png",
            "content_type": "image/png",
            "width": 48,
            "height": 64,
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "seed": generation.seed + index,
        }
        prediction = Prediction(
            organization_id=scope.organization_id,
            generation_id=generation.id,
            shot_id=generation.shot_id,
            **values | changes,
        )
        session.add(prediction)
        await session.flush()
        await session.refresh(prediction)
    if store is not None:
        await store.put(prediction.path, data)
    return prediction


async def put_in_review(
    database: Database,
    scope: OrganizationScope,
    shot: Shot,
    *,
    images: int = 2,
    store: ObjectStore | None = None,
) -> list[Prediction]:
    """Bring a shot into review with some images, the first one shown; the images."""
    generation = await make_generation(database, scope, shot, num_predictions=images)
    predictions = [
        await make_prediction(database, scope, generation, store=store) for _ in range(images)
    ]
    async with database.write() as session:
        shots = ShotWriter(session, scope)
        locked = await shots.lock(shot.id)
        assert locked is not None
        await shots.move(locked, ShotStatus.REVIEW, {}, current_prediction_id=predictions[0].id)
    return predictions
