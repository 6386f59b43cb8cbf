"""Products, without the API."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from db.models import Product
from db.repositories import OrganizationScope
from db.session import Database


async def make_product(database: Database, scope: OrganizationScope, **changes: Any) -> Product:
    """A summer dress; its SKU is a new one unless ``changes`` names one."""
    values: dict[str, Any] = {
        "name": "Summer Dress",
        "sku": f"DRS-{uuid4().hex[:8]}",
        "category": "dresses",
        "materials": ["linen"],
    }
    async with database.write() as session:
        product = Product(organization_id=scope.organization_id, **values | changes)
        session.add(product)
        await session.flush()
        await session.refresh(product)
    return product
