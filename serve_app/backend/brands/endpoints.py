"""``/brands``: labels of an organization."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response, status

from db.repositories.brands import BrandRepository, BrandWriter
from serve_app.backend.brands import service
from serve_app.backend.brands.schemas import BrandCreate, BrandList, BrandRead, BrandUpdate
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Archived, Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.versions import Versioned

router = Router(prefix="/brands", tags=["brands"])

BrandId = Annotated[UUID, Path(description="Id of a brand.")]


@router.get("/", operation_id="list_brands", responses=errors(*MEMBER))
async def list_brands(
    scope: Scope, session: Reading, listing: Listed, archived: Archived = None
) -> BrandList:
    """Your organization's brands. `q` looks in name and description; sort by `name`, `created_at`
    or `updated_at`."""
    with sorting():
        page = await BrandRepository(session, scope).list(**listing.arguments(), archived=archived)
    items = [BrandRead.model_validate(one) for one in page.items]
    return BrandList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_brand",
    response_model=BrandRead,
    responses=errors(*MEMBER, 409),
)
async def create(
    body: BrandCreate, scope: Scope, session: Writing, once: Idempotency
) -> BrandRead | Response:
    """Make a brand."""

    async def make() -> BrandRead:
        return BrandRead.model_validate(await BrandWriter(session, scope).add(**body.model_dump()))

    return await once.create(session, make)


@router.get("/{brand_id}", operation_id="get_brand", responses=errors(304, *MEMBER))
async def get(brand_id: BrandId, scope: Scope, session: Reading, versions: Versioned) -> BrandRead:
    """One brand."""
    brand = found(await BrandRepository(session, scope).get(brand_id), "Brand")
    versions.read(brand)
    return BrandRead.model_validate(brand)


@router.patch("/{brand_id}", operation_id="update_brand", responses=errors(*MEMBER, 412))
async def update(
    brand_id: BrandId, body: BrandUpdate, scope: Scope, session: Writing, versions: Versioned
) -> BrandRead:
    """Change a brand; `is_archived` takes it out of the way."""
    brand = await service.update(session, scope, brand_id, body, versions)
    versions.show(brand)
    return BrandRead.model_validate(brand)


@router.delete(
    "/{brand_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_brand",
    responses=errors(*MEMBER, 409),
)
async def delete(brand_id: BrandId, scope: Scope, session: Writing) -> Response:
    """Remove a brand. One that is in use is refused; archive it instead."""
    await service.delete(session, scope, brand_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
