"""Pictures of products: added, changed, removed. Each is a new version of its product."""

from __future__ import annotations

from uuid import UUID

from db.models import Product, ProductImage, ProductImageType
from db.repositories.products import ProductImageWriter, ProductWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.backend.products.images.schemas import ProductImageUpdate
from serve_app.core.attachments import Attachment
from serve_app.core.media import MediaLibrary
from serve_app.core.pictures import Picture
from serve_app.core.rows import found, refusals
from serve_app.core.versions import Versions

UNIQUE = {"uq_product_images_product_id_media_id": "This product has this picture already"}


async def add(
    session: WriteSession,
    scope: OrganizationScope,
    product_id: UUID,
    attachment: Attachment,
    picture: Picture,
    *,
    kind: ProductImageType,
) -> ProductImage:
    """Add a picture.

    Raises:
        NotFound: there is no such product.
        Taken: the product has this picture.
    """
    products = ProductWriter(session, scope)
    product = found(await products.lock(product_id), "Product")
    media = await attachment.keep(session, picture)
    with refusals("This picture", UNIQUE):
        image = await ProductImageWriter(session, scope, product.id).add(media, type=kind)
    await products.touch(product)
    return image


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    product_id: UUID,
    image_id: UUID,
    body: ProductImageUpdate,
    *,
    versions: Versions,
) -> tuple[Product, ProductImage]:
    """Change a picture.

    Raises:
        NotFound: there is no such product or picture.
        PreconditionFailed: the client knows an older version of the product.
    """
    products = ProductWriter(session, scope)
    product = found(await products.lock(product_id), "Product")
    images = ProductImageWriter(session, scope, product.id)
    image = found(await images.get(image_id), "Image")
    versions.change(product)
    image = await images.change(image, body.changes())
    return await products.touch(product), image


async def delete(
    session: WriteSession,
    scope: OrganizationScope,
    library: MediaLibrary,
    product_id: UUID,
    image_id: UUID,
) -> None:
    """Remove a picture.

    Raises:
        NotFound: there is no such product or picture.
    """
    products = ProductWriter(session, scope)
    product = found(await products.lock(product_id), "Product")
    images = ProductImageWriter(session, scope, product.id)
    image = found(await images.get(image_id), "Image")
    await images.remove(image)
    await products.touch(product)
    await library.release(session, [image.media_id])
