"""Looks."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, insert

from db.models import Look, LookProduct, Prediction, Shot
from db.repositories.children import Children
from db.repositories.scoped import ScopedRepository, ScopedWriter


class LookRepository(ScopedRepository[Look]):
    """An organization's looks, each with its further products and its shots."""

    model = Look
    searched = (Look.name, Look.outfit_instructions)
    sorts = {  # noqa: RUF012
        "name": Look.name,
        "created_at": Look.created_at,
        "updated_at": Look.updated_at,
    }
    children = (
        Children(
            Look.shots,
            Shot.look_id,
            further=(Prediction.path.label("current_image_path"),),
            joined=Shot.current_prediction,
        ),
        Children(Look.products, LookProduct.look_id),
    )


class LookWriter(LookRepository, ScopedWriter[Look]):
    """Looks, and changes of them."""

    async def set_products(self, look_id: UUID, product_ids: Sequence[UUID]) -> None:
        """Make these the look's further products, in this order."""
        await self._session.execute(delete(LookProduct).where(LookProduct.look_id == look_id))
        if product_ids:
            rows = [
                {
                    "look_id": look_id,
                    "product_id": product_id,
                    "organization_id": self._scope.organization_id,
                    "position": position,
                }
                for position, product_id in enumerate(product_ids)
            ]
            await self._session.execute(insert(LookProduct), rows)
