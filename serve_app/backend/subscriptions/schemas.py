"""What the API says and takes about subscriptions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from db.models import CreditReason, Subscription
from serve_app.core.schemas import ListOf, Patch

MAX_CREDITS = 1_000_000_000

Tier = Annotated[
    str,
    Field(
        max_length=100,
        description="Name of a plan: `starter`, `professional` or `enterprise`, unless the "
        "installation has others.",
        examples=["professional"],
    ),
]
Credits = Annotated[int, Field(ge=0, le=MAX_CREDITS, examples=[5000])]


class SubscriptionRead(BaseModel):
    """An organization's plan in its current period. One credit is one generated image."""

    id: UUID
    organization_id: UUID
    tier: Tier
    period_start: datetime
    period_end: datetime
    is_active: bool = Field(description="Whether credits can be spent: the period has not ended.")
    credits_per_period: Credits
    credits_remaining: Credits
    auto_renew: bool = Field(description="Whether the next period begins by itself.")
    created_at: datetime
    updated_at: datetime


class SubscriptionList(ListOf[SubscriptionRead]):
    """One page of subscriptions."""


class SubscriptionUpdate(Patch):
    """Changes of a subscription."""

    required = frozenset({"tier", "credits_per_period", "credits_remaining", "auto_renew"})

    tier: Tier | None = Field(
        None, description="Gives the plan's credits from the next period on; renew to begin it now."
    )
    credits_per_period: Credits | None = Field(
        None, description="From the next period on, instead of the plan's."
    )
    credits_remaining: Credits | None = Field(None, description="From now on.")
    auto_renew: bool | None = None


class CreditEntryRead(BaseModel):
    """One change of credits."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    reason: CreditReason
    amount: int = Field(description="Negative: spent.", examples=[-4])
    balance: int = Field(description="What was left after it.", examples=[496])
    generation_id: UUID | None = Field(description="The generation that it was for.")
    created_at: datetime


class CreditEntryList(ListOf[CreditEntryRead]):
    """One page of changes, the latest first."""


def read_subscription(subscription: Subscription) -> SubscriptionRead:
    """What the API says of a subscription."""
    return SubscriptionRead(
        id=subscription.id,
        organization_id=subscription.organization_id,
        tier=subscription.tier,
        period_start=subscription.period_start,
        period_end=subscription.period_end,
        is_active=subscription.period_end > datetime.now(UTC),
        credits_per_period=subscription.credits_per_period,
        credits_remaining=subscription.credits_remaining,
        auto_renew=subscription.auto_renew,
        created_at=subscription.created_at,
        updated_at=subscription.updated_at,
    )
