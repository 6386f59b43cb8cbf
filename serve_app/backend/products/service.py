"""Products: made, changed, archived, removed while no look shows them."""

from __future__ import annotations

from uuid import UUID

from db.models import Product
from db.repositories.brands import BrandRepository
from db.repositories.products import ProductImageWriter, ProductWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.backend.products.schemas import ProductCreate, ProductUpdate
from serve_app.core.media import MediaLibrary
from serve_app.core.rows import archiving, found, refusals
from serve_app.core.versions import Versions

UNIQUE = {
    "uq_products_organization_id_sku": "Another product of your organization has this SKU",
}


async def create(session: WriteSession, scope: OrganizationScope, body: ProductCreate) -> Product:
    """Make a product.

    Raises:
        NotFound: there is no such brand.
        Taken: another product has the SKU.
    """
    await _check_brand(session, scope, body.brand_id)
    with refusals("This product", UNIQUE):
        return await ProductWriter(session, scope).add(**body.model_dump())


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    product_id: UUID,
    body: ProductUpdate,
    versions: Versions,
) -> Product:
    """Change a product.

    Raises:
        NotFound: there is none with this id, or no such brand.
        PreconditionFailed: the client knows an older version.
        Taken: another product has the SKU.
    """
    products = ProductWriter(session, scope)
    product = found(await products.lock(product_id), "Product")
    versions.change(product)
    await _check_brand(session, scope, body.brand_id)
    with refusals("This product", UNIQUE):
        return await products.change(product, archiving(body.changes(), product.archived_at))


async def delete(
    session: WriteSession, scope: OrganizationScope, library: MediaLibrary, product_id: UUID
) -> None:
    """Remove a product with its pictures.

    Raises:
        NotFound: there is none with this id.
        InUse: looks show it.
    """
    products = ProductWriter(session, scope)
    product = found(await products.lock(product_id), "Product")
    media_ids = await ProductImageWriter(session, scope, product.id).media_ids()
    with refusals("This product"):
        await products.delete(product)
    await library.release(session, media_ids)


async def _check_brand(
    session: WriteSession, scope: OrganizationScope, brand_id: UUID | None
) -> None:
    if brand_id is not None:
        found(await BrandRepository(session, scope).get(brand_id), "Brand")
