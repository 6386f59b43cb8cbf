"""Products, and the pictures of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update

from db.models import Media, Product, ProductImage, ProductImageType
from db.repositories.children import MEDIA, Children
from db.repositories.images import ImageWriter
from db.repositories.scoped import ScopedRepository, ScopedWriter


class ProductRepository(ScopedRepository[Product]):
    """An organization's products."""

    model = Product
    searched = (Product.name, Product.sku, Product.description, Product.caption)
    sorts = {  # noqa: RUF012
        "name": Product.name,
        "sku": Product.sku,
        "category": Product.category,
        "created_at": Product.created_at,
        "updated_at": Product.updated_at,
    }
    children = (
        Children(
            Product.images, ProductImage.product_id, further=(MEDIA,), joined=ProductImage.media
        ),
    )


class ProductWriter(ProductRepository, ScopedWriter[Product]):
    """Products, and changes of them."""

    async def lock_by_sku(self, sku: str) -> Product | None:
        """As :meth:`lock`, by the brand's own number."""
        product_id = await self._session.scalar(
            self._visible().with_only_columns(Product.id).where(Product.sku == sku)
        )
        return None if product_id is None else await self.lock(product_id)


class ProductImageWriter(ImageWriter[ProductImage]):
    """The pictures of a locked product; at most one of them is the primary one."""

    model = ProductImage
    owner = "product_id"

    async def set_cover(self, media: Media) -> None:
        """Show the product by this picture, which it may have already."""
        kind = ProductImageType.PRIMARY
        image = await self.showing(media)
        if image is None:
            await self.add(media, type=kind)
        elif image.type is not kind:
            await self.change(image, {"type": kind})

    async def _make_room(self, values: Mapping[str, Any]) -> None:
        if values.get("type") is not ProductImageType.PRIMARY:
            return
        await self._session.execute(
            update(ProductImage)
            .where(self._is_owned(), ProductImage.type == ProductImageType.PRIMARY)
            .values(type=ProductImageType.OTHER)
        )
