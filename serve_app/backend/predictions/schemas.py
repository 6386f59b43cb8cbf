"""What the API says about predictions."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from db.models import Prediction, PredictionStatus
from serve_app.core.dependencies import Sign
from serve_app.core.schemas import ListOf


class PredictionRead(BaseModel):
    """One image of a generation."""

    id: UUID
    generation_id: UUID
    shot_id: UUID
    index: int = Field(description="Place among the generation's images, from 0.")
    status: PredictionStatus
    image_url: str = Field(description="For a while, without a header.")
    content_type: str = Field(examples=["image/png"])
    width: int = Field(description="Pixels.")
    height: int = Field(description="Pixels.")
    size: int = Field(description="Bytes.")
    seed: int
    scores: dict[str, float] | None = Field(
        description="Of an evaluator, each 0 to 1, with the whole as `confidence`."
    )
    created_at: datetime
    updated_at: datetime

    @classmethod
    async def of(cls, prediction: Prediction, sign: Sign) -> Self:
        """Render a prediction with a URL of its image."""
        return cls(
            id=prediction.id,
            generation_id=prediction.generation_id,
            shot_id=prediction.shot_id,
            index=prediction.index,
            status=prediction.status,
            image_url=await sign(prediction.path),
            content_type=prediction.content_type,
            width=prediction.width,
            height=prediction.height,
            size=prediction.size,
            seed=prediction.seed,
            scores=prediction.scores,
            created_at=prediction.created_at,
            updated_at=prediction.updated_at,
        )


class PredictionList(ListOf[PredictionRead]):
    """One page of predictions."""
