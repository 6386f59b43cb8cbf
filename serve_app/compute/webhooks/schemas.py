"""What the API says and takes about webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from serve_app.core.events.schemas import KindPattern
from serve_app.core.schemas import Input, ListOf, Patch

Url = Annotated[
    str,
    Field(
        max_length=8192,
        description="Where events are sent to by POST; it must lead to a public address.",
        examples=["https://shop.example.com/hooks/sartiq"],
    ),
]
Events = Annotated[
    list[KindPattern],
    Field(
        min_length=1,
        max_length=50,
        description="Which events: `task.completed`, all of a family (`task.*`), or all (`*`).",
    ),
]
Description = Annotated[str, Field(max_length=500)]
Secret = Annotated[
    str,
    Field(
        description="Signs the deliveries: shown now, and never again.",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"],
    ),
]


class WebhookCreate(Input):
    """A new endpoint."""

    url: Url
    events: Events = Field(["*"])
    description: Description = ""


class WebhookUpdate(Patch):
    """Changes of an endpoint."""

    required: ClassVar[frozenset[str]] = frozenset({"url", "events", "description", "enabled"})

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    enabled: bool | None = Field(
        None, description="`true` takes an endpoint that was disabled up again, from now on."
    )


class WebhookRead(BaseModel):
    """An endpoint."""

    id: str
    url: str
    events: list[str]
    description: str
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None = Field(description="Why nothing is sent there any more.")
    created_at: datetime
    updated_at: datetime


class WebhookCreated(WebhookRead):
    """A new endpoint."""

    secret: Secret


class WebhookList(ListOf[WebhookRead]):
    """One page of endpoints."""


class WebhookSecretRead(BaseModel):
    """A new secret. For 24 hours the one before signs as well."""

    secret: Secret


class DeliveryAttempt(BaseModel):
    """What came of one try."""

    at: datetime
    seconds: float = Field(description="That it took.")
    status: int | None = Field(description="Of the response; null: there was none.")
    body: str | None = Field(description="How the response begins.")
    error: str | None = Field(description="Why there was no response.")


class DeliveryRead(BaseModel):
    """One event for one receiver."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="The header `webhook-id` of every try.")
    webhook_id: str | None
    task_id: str | None = Field(description="Of a delivery to the `webhook_url` of a task.")
    kind: str
    seq: int | None = Field(description="Of the event; null: a test.")
    status: str = Field(description="`pending`, `delivered` or `failed`.")
    attempts: list[DeliveryAttempt] = Field(description="The newest 20 tries.")
    created_at: datetime
    next_try_at: datetime | None = Field(description="Of a pending one.")
    finished_at: datetime | None


class DeliveryList(ListOf[DeliveryRead]):
    """One page of deliveries."""


def read_webhook(row: Any) -> dict[str, Any]:
    """The fields of an endpoint."""
    names = set(WebhookRead.model_fields) - {"enabled"}
    return {name: getattr(row, name) for name in names} | {"enabled": row.disabled_at is None}


def read_delivery(row: Any) -> DeliveryRead:
    """A delivery as the API answers it."""
    found = DeliveryRead.model_validate(row)
    return found if found.status == "pending" else found.model_copy(update={"next_try_at": None})
