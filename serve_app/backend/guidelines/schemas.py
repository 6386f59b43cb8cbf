"""What the API says and takes about guidelines."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from serve_app.core.schemas import Input, ListOf, Patch

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Shop pictures 2026"])]
Description = Annotated[str, Field(max_length=5000, examples=["For all product pages"])]
BrandId = Annotated[UUID, Field(description="The brand that they are of; null: of any.")]
Prompt = Annotated[
    str,
    Field(
        max_length=2000,
        description="What the prompt of every shot says.",
        examples=["relaxed posture, natural expression"],
    ),
]
NegativePrompt = Annotated[
    str,
    Field(
        max_length=2000, description="What no shot should show.", examples=["jewellery, sunglasses"]
    ),
]
RulePrompt = Annotated[
    str,
    Field(
        max_length=2000,
        description="What the prompt says of shots of this type, besides.",
        examples=["shoes entirely in the picture"],
    ),
]
RuleNegativePrompt = Annotated[
    str,
    Field(
        max_length=2000,
        description="What shots of this type should not show, besides.",
        examples=["cropped feet"],
    ),
]


class GuidelineRuleRead(BaseModel):
    """What guidelines add for one shot type."""

    model_config = ConfigDict(from_attributes=True)

    shot_type_id: UUID
    prompt: str | None
    negative_prompt: str | None


class GuidelineRead(BaseModel):
    """Rules for pictures."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    brand_id: UUID | None
    name: str
    description: str | None
    prompt: str | None
    negative_prompt: str | None
    rules: list[GuidelineRuleRead]
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime


class GuidelineList(ListOf[GuidelineRead]):
    """One page of guidelines."""


class GuidelineRulePut(Input):
    """What guidelines add for a shot type."""

    prompt: RulePrompt | None = None
    negative_prompt: RuleNegativePrompt | None = None


class GuidelineRuleCreate(GuidelineRulePut):
    """A rule for one shot type."""

    shot_type_id: UUID


Rules = Annotated[
    list[GuidelineRuleCreate], Field(max_length=100, description="At most one for a shot type.")
]


class GuidelineCreate(Input):
    """New guidelines."""

    name: Name
    brand_id: BrandId | None = None
    description: Description | None = None
    prompt: Prompt | None = None
    negative_prompt: NegativePrompt | None = None
    rules: Rules = Field(default_factory=list)


class GuidelineUpdate(Patch):
    """Changes of guidelines. Rules that are given take the place of all that there were."""

    required = frozenset({"name", "rules", "is_archived"})

    name: Name | None = None
    brand_id: BrandId | None = None
    description: Description | None = None
    prompt: Prompt | None = None
    negative_prompt: NegativePrompt | None = None
    rules: Rules | None = None
    is_archived: bool | None = None
