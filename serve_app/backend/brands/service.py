"""Brands: made, changed, archived, removed while nothing is of them."""

from __future__ import annotations

from uuid import UUID

from db.models import Brand
from db.repositories.brands import BrandWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.backend.brands.schemas import BrandUpdate
from serve_app.core.rows import archiving, found, refusals
from serve_app.core.versions import Versions


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    brand_id: UUID,
    body: BrandUpdate,
    versions: Versions,
) -> Brand:
    """Change a brand.

    Raises:
        NotFound: there is none with this id.
        PreconditionFailed: the client knows an older version.
    """
    brands = BrandWriter(session, scope)
    brand = found(await brands.lock(brand_id), "Brand")
    versions.change(brand)
    return await brands.change(brand, archiving(body.changes(), brand.archived_at))


async def delete(session: WriteSession, scope: OrganizationScope, brand_id: UUID) -> None:
    """Remove a brand.

    Raises:
        NotFound: there is none with this id.
        InUse: products, guidelines or shootings are of it.
    """
    brands = BrandWriter(session, scope)
    brand = found(await brands.lock(brand_id), "Brand")
    with refusals("This brand"):
        await brands.delete(brand)
