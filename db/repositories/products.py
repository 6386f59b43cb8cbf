"""Products, and the pictures of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import joinedload, selectinload

from db.models import Media, Product, ProductImage, ProductImageType
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
    loads = (selectinload(Product.images).joinedload(ProductImage.media),)


class ProductWriter(ProductRepository, ScopedWriter[Product]):
    """Products, and changes of them."""

    async def lock_by_sku(self, sku: str) -> Product | None:
        """As :meth:`lock`, by the brand's own number."""
        product_id = await self._session.scalar(
            self._visible().with_only_columns(Product.id).where(Product.sku == sku)
        )
        return None if product_id is None else await self.lock(product_id)

    async def image(self, product: Product, image_id: UUID) -> ProductImage | None:
        """One picture of a product."""
        return await self._session.scalar(
            select(ProductImage)
            .where(ProductImage.id == image_id, ProductImage.product_id == product.id)
            .options(joinedload(ProductImage.media)),
            execution_options={"populate_existing": True},
        )

    async def add_image(
        self, product: Product, media: Media, kind: ProductImageType
    ) -> ProductImage:
        """A new picture of a locked product, behind the others; as primary one it replaces the one
        that was.

        Raises:
            sqlalchemy.exc.IntegrityError: the product has this picture already.
        """
        if kind is ProductImageType.PRIMARY:
            await self._demote(product)
        last = await self._session.scalar(
            select(func.max(ProductImage.position)).where(ProductImage.product_id == product.id)
        )
        image = ProductImage(
            organization_id=product.organization_id,
            product_id=product.id,
            media_id=media.id,
            type=kind,
            position=0 if last is None else last + 1,
        )
        self._session.add(image)
        await self._session.flush()
        return await self._loaded(product, image)

    async def change_image(
        self, product: Product, image: ProductImage, values: Mapping[str, Any]
    ) -> ProductImage:
        """A picture of a locked product with new values."""
        if values.get("type") is ProductImageType.PRIMARY:
            await self._demote(product)
        for name, value in values.items():
            setattr(image, name, value)
        await self._session.flush()
        return await self._loaded(product, image)

    async def set_cover(self, product: Product, media: Media) -> None:
        """Show a locked product by this picture, which it may have already."""
        image = await self._session.scalar(
            select(ProductImage).where(
                ProductImage.product_id == product.id, ProductImage.media_id == media.id
            )
        )
        if image is None:
            await self.add_image(product, media, ProductImageType.PRIMARY)
        elif image.type is not ProductImageType.PRIMARY:
            await self.change_image(product, image, {"type": ProductImageType.PRIMARY})

    async def remove_image(self, image: ProductImage) -> None:
        """Remove a picture of a locked product."""
        await self._session.delete(image)
        await self._session.flush()

    async def media_ids(self, product: Product) -> Sequence[UUID]:
        """What the pictures of a product show."""
        ids = await self._session.scalars(
            select(ProductImage.media_id).where(ProductImage.product_id == product.id)
        )
        return ids.all()

    async def _demote(self, product: Product) -> None:
        await self._session.execute(
            update(ProductImage)
            .where(
                ProductImage.product_id == product.id,
                ProductImage.type == ProductImageType.PRIMARY,
            )
            .values(type=ProductImageType.OTHER)
        )

    async def _loaded(self, product: Product, image: ProductImage) -> ProductImage:
        found = await self.image(product, image.id)
        assert found is not None
        return found
