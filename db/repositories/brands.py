"""Brands."""

from __future__ import annotations

from sqlalchemy import func

from db.models import Brand
from db.repositories.scoped import ScopedRepository, ScopedWriter


class BrandRepository(ScopedRepository[Brand]):
    """An organization's brands."""

    model = Brand
    searched = (Brand.name, Brand.description)
    sorts = {  # noqa: RUF012
        "name": Brand.name,
        "created_at": Brand.created_at,
        "updated_at": Brand.updated_at,
    }

    async def find(self, name: str) -> Brand | None:
        """The brand of this name, in any case of letters; the oldest if there are several."""
        brand: Brand | None = await self._session.scalar(
            self._visible()
            .where(func.lower(Brand.name) == name.lower())
            .order_by(Brand.id)
            .limit(1)
        )
        return brand


class BrandWriter(BrandRepository, ScopedWriter[Brand]):
    """Brands, and changes of them."""
