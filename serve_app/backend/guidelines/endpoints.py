"""``/guidelines``: rules for pictures, and what they add for a shot type."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, status

from db.repositories.guidelines import GuidelineRepository
from serve_app.backend.guidelines import service
from serve_app.backend.guidelines.schemas import (
    GuidelineCreate,
    GuidelineList,
    GuidelineRead,
    GuidelineRulePut,
    GuidelineRuleRead,
    GuidelineUpdate,
)
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Archived, Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.versions import Versioned

router = Router(prefix="/guidelines", tags=["guidelines"])

GuidelineId = Annotated[UUID, Path(description="Id of guidelines.")]
ShotTypeId = Annotated[UUID, Path(description="Id of the shot type that the rule is for.")]


@router.get("/", operation_id="list_guidelines", responses=errors(*MEMBER))
async def list_guidelines(
    scope: Scope,
    session: Reading,
    listing: Listed,
    brand_id: Annotated[UUID | None, Query(description="Only of this brand.")] = None,
    archived: Archived = None,
) -> GuidelineList:
    """Your organization's guidelines. `q` looks in name, description and prompt; sort by `name`,
    `created_at` or `updated_at`."""
    with sorting():
        page = await GuidelineRepository(session, scope).list(
            **listing.arguments(), archived=archived, brand_id=brand_id
        )
    items = [GuidelineRead.model_validate(one) for one in page.items]
    return GuidelineList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_guideline",
    response_model=GuidelineRead,
    responses=errors(*MEMBER, 409),
)
async def create(
    body: GuidelineCreate, scope: Scope, session: Writing, once: Idempotency
) -> GuidelineRead | Response:
    """Make guidelines, with a rule for each shot type that needs one."""

    async def make() -> GuidelineRead:
        return GuidelineRead.model_validate(await service.create(session, scope, body))

    return await once.create(session, make)


@router.get("/{guideline_id}", operation_id="get_guideline", responses=errors(304, *MEMBER))
async def get(
    guideline_id: GuidelineId, scope: Scope, session: Reading, versions: Versioned
) -> GuidelineRead:
    """Guidelines with their rules."""
    guideline = found(await GuidelineRepository(session, scope).get(guideline_id), "Guideline")
    versions.read(guideline)
    return GuidelineRead.model_validate(guideline)


@router.patch("/{guideline_id}", operation_id="update_guideline", responses=errors(*MEMBER, 412))
async def update(
    guideline_id: GuidelineId,
    body: GuidelineUpdate,
    scope: Scope,
    session: Writing,
    versions: Versioned,
) -> GuidelineRead:
    """Change guidelines. `rules` take the place of all there were; `is_archived` takes the
    guidelines out of the way."""
    guideline = await service.update(session, scope, guideline_id, body, versions)
    versions.show(guideline)
    return GuidelineRead.model_validate(guideline)


@router.delete(
    "/{guideline_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_guideline",
    responses=errors(*MEMBER, 409),
)
async def delete(guideline_id: GuidelineId, scope: Scope, session: Writing) -> Response:
    """Remove guidelines with their rules. Those that are in use are refused; archive them
    instead."""
    await service.delete(session, scope, guideline_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.put(
    "/{guideline_id}/rules/{shot_type_id}",
    operation_id="put_guideline_rule",
    responses=errors(*MEMBER, 412),
)
async def put_rule(
    guideline_id: GuidelineId,
    shot_type_id: ShotTypeId,
    body: GuidelineRulePut,
    scope: Scope,
    session: Writing,
    versions: Versioned,
) -> GuidelineRuleRead:
    """Set the rule for a shot type. `If-Match` and `ETag` are of the guidelines."""
    guideline, rule = await service.put_rule(
        session, scope, guideline_id, shot_type_id, body, versions=versions
    )
    versions.show(guideline)
    return GuidelineRuleRead.model_validate(rule)


@router.delete(
    "/{guideline_id}/rules/{shot_type_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_guideline_rule",
    responses=errors(*MEMBER),
)
async def delete_rule(
    guideline_id: GuidelineId, shot_type_id: ShotTypeId, scope: Scope, session: Writing
) -> Response:
    """Remove the rule for a shot type."""
    await service.delete_rule(session, scope, guideline_id, shot_type_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
