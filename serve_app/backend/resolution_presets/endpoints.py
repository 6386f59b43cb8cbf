"""``/resolution-presets``: sizes of deliverables, the standard ones and an organization's own."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, status

from db.repositories.presets import ResolutionPresetRepository, ResolutionPresetWriter
from serve_app.backend.resolution_presets import service
from serve_app.backend.resolution_presets.schemas import (
    MAX_SIDE,
    ResolutionPresetCreate,
    ResolutionPresetList,
    ResolutionPresetRead,
    ResolutionPresetUpdate,
)
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Listed, Standard
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.versions import Versioned

router = Router(prefix="/resolution-presets", tags=["resolution-presets"])

PresetId = Annotated[UUID, Path(description="Id of a resolution.")]


@router.get("/", operation_id="list_resolution_presets", responses=errors(*MEMBER))
async def list_resolution_presets(
    scope: Scope,
    session: Reading,
    listing: Listed,
    width: Annotated[int | None, Query(ge=1, le=MAX_SIDE, description="Pixels.")] = None,
    height: Annotated[int | None, Query(ge=1, le=MAX_SIDE, description="Pixels.")] = None,
    is_standard: Standard = None,
) -> ResolutionPresetList:
    """The standard resolutions and your organization's own, by their position unless you sort them.
    `q` looks in the name; sort by `position`, `name`, `width`, `height`, `created_at` or
    `updated_at`."""
    with sorting():
        page = await ResolutionPresetRepository(session, scope).list(
            **listing.arguments("position"), width=width, height=height, is_standard=is_standard
        )
    items = [ResolutionPresetRead.model_validate(one) for one in page.items]
    return ResolutionPresetList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_resolution_preset",
    response_model=ResolutionPresetRead,
    responses=errors(*MEMBER, 409),
)
async def create(
    body: ResolutionPresetCreate, scope: Scope, session: Writing, once: Idempotency
) -> ResolutionPresetRead | Response:
    """Add a resolution of your organization's own."""

    async def make() -> ResolutionPresetRead:
        added = await ResolutionPresetWriter(session, scope).add(**body.model_dump())
        return ResolutionPresetRead.model_validate(added)

    return await once.create(session, make)


@router.get("/{preset_id}", operation_id="get_resolution_preset", responses=errors(304, *MEMBER))
async def get(
    preset_id: PresetId, scope: Scope, session: Reading, versions: Versioned
) -> ResolutionPresetRead:
    """One resolution."""
    preset = found(await ResolutionPresetRepository(session, scope).get(preset_id), "Resolution")
    versions.read(preset)
    return ResolutionPresetRead.model_validate(preset)


@router.patch(
    "/{preset_id}", operation_id="update_resolution_preset", responses=errors(*MEMBER, 412)
)
async def update(
    preset_id: PresetId,
    body: ResolutionPresetUpdate,
    scope: Scope,
    session: Writing,
    versions: Versioned,
) -> ResolutionPresetRead:
    """Change one of your organization's resolutions. The standard ones stay as they are."""
    preset = await service.update(session, scope, preset_id, body, versions)
    versions.show(preset)
    return ResolutionPresetRead.model_validate(preset)


@router.delete(
    "/{preset_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_resolution_preset",
    responses=errors(*MEMBER, 409),
)
async def delete(preset_id: PresetId, scope: Scope, session: Writing) -> Response:
    """Remove one of your organization's resolutions. One that looks use is refused."""
    await service.delete(session, scope, preset_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
