"""What all request bodies have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from serve_app.core.text import refuse_nul


class Input(BaseModel):
    """Base of request bodies: unknown fields are refused, so a misspelt one is never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _storable = field_validator("*")(refuse_nul)
