"""What the APIs say of estimates and quotes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from serve_app.core.estimates.estimator import Estimate


class EtaRead(BaseModel):
    """When a task that has not started will be completed, from how long earlier ones took."""

    p50: float = Field(description="Seconds from now; half of such tasks take no longer.")
    p90: float = Field(description="Seconds from now; nine of ten such tasks take no longer.")
    p50_at: datetime
    p90_at: datetime
    samples: int = Field(description="Earlier tasks that this is drawn from.")

    @classmethod
    def of(cls, estimate: Estimate | None) -> Self | None:
        """None: no such task was measured yet."""
        if estimate is None or estimate.seconds is None:
            return None
        assert estimate.p50_at is not None
        assert estimate.p90_at is not None
        return cls(
            p50=round(estimate.seconds.p50, 2),
            p90=round(estimate.seconds.p90, 2),
            p50_at=estimate.p50_at,
            p90_at=estimate.p90_at,
            samples=estimate.samples,
        )


class CostRead(BaseModel):
    """What a request costs."""

    credits: int = Field(description="One for each generated image.", examples=[4])


class QuoteRead(BaseModel):
    """What a request would cost, and when it would be done, had it been made just now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dry_run": True,
                    "type": "generation",
                    "cost": {"credits": 4},
                    "queue_position": 3,
                    "eta": {
                        "p50": 9.2,
                        "p90": 12.8,
                        "p50_at": "2026-01-15T10:30:09.2Z",
                        "p90_at": "2026-01-15T10:30:12.8Z",
                        "samples": 300,
                    },
                }
            ]
        }
    )

    dry_run: Literal[True]
    type: str
    cost: CostRead
    queue_position: int = Field(description="Its place in its queue; 1 is the next to start.")
    eta: EtaRead | None = Field(description="Null: no such task was measured here yet.")
