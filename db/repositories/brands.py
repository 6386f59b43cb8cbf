"""Brands."""

from __future__ import annotations

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


class BrandWriter(BrandRepository, ScopedWriter[Brand]):
    """Brands, and changes of them."""
