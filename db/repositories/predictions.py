"""Predictions: the images of shots."""

from __future__ import annotations

from sqlalchemy import select

from db.models import Generation, Prediction
from db.repositories.scoped import ScopedRepository, ScopedWriter


class PredictionRepository(ScopedRepository[Prediction]):
    """An organization's predictions."""

    model = Prediction
    sorts = {  # noqa: RUF012
        "index": Prediction.index,
        "created_at": Prediction.created_at,
        "updated_at": Prediction.updated_at,
    }

    async def revision_of(self, prediction: Prediction) -> int:
        """Number of the shot's revision for which the image was made."""
        revision = await self._session.scalar(
            select(Generation.revision).where(Generation.id == prediction.generation_id)
        )
        assert revision is not None
        return revision


class PredictionWriter(PredictionRepository, ScopedWriter[Prediction]):
    """Predictions, and changes of them. Lock the shot first: its decisions are about them."""
