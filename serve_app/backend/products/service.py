"""Products: made, changed, archived, removed while no look shows them."""

from __future__ import annotations

from uuid import UUID

from db.models import Product
from db.repositories.products import ProductImageWriter, ProductWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.backend.products.schemas import ProductCreate, ProductUpdate
from serve_app.backend.trainings.service import cancel_training_of
from serve_app.core.media import MediaLibrary
from serve_app.core.references import check_references
from serve_app.core.rows import archiving, found, refusals
from serve_app.core.versions import Versions

UNIQUE = {
    "uq_products_organization_id_sku": "Another product of your organization has this SKU",
}


async def create(session: WriteSession, scope: OrganizationScope, body: ProductCreate) -> Product:
    """Make a product.

    Raises:
        NotFound: there is no such brand, or no such LoRA.
        Taken: another product has the SKU.
    """
    await check_references(session, scope, body.model_dump())
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
        NotFound: there is none with this id, no such brand, or no such LoRA.
        PreconditionFailed: the client knows an older version.
        Taken: another product has the SKU.
    """
    products = ProductWriter(session, scope)
    product = found(await products.lock(product_id), "Product")
    versions.change(product)
    await check_references(session, scope, body.changes())
    with refusals("This product", UNIQUE):
        return await products.change(product, archiving(body.changes(), product.archived_at))


async def delete(
    session: WriteSession, scope: OrganizationScope, library: MediaLibrary, product_id: UUID
) -> None:
    """Remove a product with its pictures; its training ends.

    Raises:
        NotFound: there is none with this id.
        InUse: looks show it.
    """
    products = ProductWriter(session, scope)
    await cancel_training_of(session, scope, found(await products.get(product_id), "Product"))
    product = found(await products.lock(product_id), "Product")
    media_ids = await ProductImageWriter(session, scope, product.id).media_ids()
    with refusals("This product"):
        await products.delete(product)
    await library.release(session, media_ids)
