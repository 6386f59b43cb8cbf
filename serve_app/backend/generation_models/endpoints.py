"""``/generation-models``: the models this installation can run. Public."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from serve_app.backend.generation_models.schemas import GenerationModelList, GenerationModelRead
from serve_app.core.dependencies import RequestResources
from serve_app.core.errors import NotFound
from serve_app.core.openapi import errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.routing import Router

router = Router(prefix="/generation-models", tags=["generation-models"])


@router.get("/", operation_id="list_generation_models")
async def list_models(
    resources: RequestResources,
    page: PageNumber = 1,
    size: PageSize = 20,
) -> GenerationModelList:
    """The models that this installation can run."""
    entries = resources.models
    shown = entries[(page - 1) * size : page * size]
    items = [GenerationModelRead.model_validate(entry) for entry in shown]
    return GenerationModelList(items=items, total=len(entries), page=page, size=size)


@router.get("/{name}", operation_id="get_generation_model", responses=errors(404))
async def get(
    name: Annotated[str, Path(description="Name of a model.", examples=["atelier-tiny"])],
    resources: RequestResources,
) -> GenerationModelRead:
    """One model: what it can do, its limits and its defaults."""
    for entry in resources.models:
        if entry.name == name:
            return GenerationModelRead.model_validate(entry)
    raise NotFound("Model not found")
