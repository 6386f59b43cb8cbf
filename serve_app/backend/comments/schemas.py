"""What the API says and takes about comments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from serve_app.core.schemas import Input, ListOf, Patch

Text = Annotated[str, Field(min_length=1, max_length=5000, examples=["The collar is creased here"])]
X = Annotated[
    float, Field(ge=0, le=1, description="Of the width, from the left; with `y`.", examples=[0.42])
]
Y = Annotated[
    float, Field(ge=0, le=1, description="Of the height, from the top; with `x`.", examples=[0.17])
]
PredictionRef = Annotated[UUID, Field(description="The image of the shot that it is about.")]


class CommentRead(BaseModel):
    """A remark about a shot, pinned to a point of an image if it is about one."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    shot_id: UUID
    prediction_id: UUID | None
    author_id: UUID | None = Field(description="Id of the user who wrote it.")
    text: str
    x: float | None
    y: float | None
    resolved_at: datetime | None
    created_at: datetime
    updated_at: datetime


class CommentList(ListOf[CommentRead]):
    """One page of comments."""


class CommentCreate(Input):
    """A new remark."""

    text: Text
    prediction_id: PredictionRef | None = None
    x: X | None = None
    y: Y | None = None


class CommentUpdate(Patch):
    """Changes of a remark."""

    required = frozenset({"text", "is_resolved"})

    text: Text | None = None
    prediction_id: PredictionRef | None = None
    x: X | None = None
    y: Y | None = None
    is_resolved: bool | None = None
