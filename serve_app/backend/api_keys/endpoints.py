"""``/api-keys``: keys by which an organization's programs use the Compute API."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response, status

from db.repositories.api_keys import ApiKeyRepository, ApiKeyWriter
from serve_app.backend.api_keys import service
from serve_app.backend.api_keys.schemas import (
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyList,
    ApiKeyRead,
)
from serve_app.core.auth import Caller
from serve_app.core.dependencies import Reading, Writing
from serve_app.core.errors import NotFound
from serve_app.core.openapi import errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.routing import Router

router = Router(prefix="/api-keys", tags=["api-keys"])


@router.get("/", operation_id="list_api_keys", responses=errors(400, 401, 403, 404))
async def list_keys(
    caller: Caller, session: Reading, page: PageNumber = 1, size: PageSize = 20
) -> ApiKeyList:
    """The keys of your organization, the newest first."""
    found = await ApiKeyRepository(session).list(caller.organization_id, page=page, size=size)
    items = [ApiKeyRead.model_validate(one) for one in found.items]
    return ApiKeyList(items=items, total=found.total, page=found.page, size=found.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_api_key",
    responses=errors(400, 401, 403, 404),
)
async def create(body: ApiKeyCreate, caller: Caller, session: Writing) -> ApiKeyCreated:
    """Make a key. The answer is the only time that it is shown."""
    row, key = await service.create(session, caller.organization_id, body.name)
    return ApiKeyCreated(**ApiKeyRead.model_validate(row).model_dump(), key=key)


@router.delete(
    "/{api_key_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="revoke_api_key",
    responses=errors(400, 401, 403, 404),
)
async def revoke(
    api_key_id: Annotated[UUID, Path(description="Id of a key.")],
    caller: Caller,
    session: Writing,
) -> Response:
    """End a key at once. It stays in the list, with the time of its end."""
    if not await ApiKeyWriter(session).revoke(caller.organization_id, api_key_id):
        raise NotFound("API key not found")
    return Response(status_code=status.HTTP_204_NO_CONTENT)
