"""What the API says about events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from db.models import EventKind

_FAMILIES = frozenset(f"{kind.partition('.')[0]}.*" for kind in EventKind)


def _known(pattern: str) -> str:
    if pattern != "*" and pattern not in _FAMILIES and pattern not in set(EventKind):
        families = ", ".join(sorted(_FAMILIES))
        raise PydanticCustomError(
            "unknown_event",
            "There is no such event; name one such as task.completed, or {families}",
            {"families": families},
        )
    return pattern


# The name of a kind of event, of all that begin alike (`task.*`), or of all (`*`).
KindPattern = Annotated[
    str, Field(max_length=64, examples=["task.completed", "task.*"]), AfterValidator(_known)
]


def kinds_of(patterns: Sequence[str]) -> frozenset[str]:
    """The kinds that patterns name; empty for all of them."""
    if not patterns or "*" in patterns:
        return frozenset()
    return frozenset(
        kind.value
        for kind in EventKind
        if kind in patterns or f"{kind.partition('.')[0]}.*" in patterns
    )


class EventRead(BaseModel):
    """One state change. Events are never changed, and never removed."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "seq": 12,
                    "kind": "task.completed",
                    "subject_id": "task_06f3k2m8q7v5t1xz0c9hjnpa4r",
                    "data": {"type": "generation", "status": "completed", "attempt": 1},
                    "created_at": "2026-01-15T10:30:00Z",
                }
            ]
        },
    )

    seq: int = Field(
        description="Counts from 1 without gaps within your organization, in the order in which "
        "changes were committed."
    )
    kind: str = Field(description="What happened, such as `task.completed`.")
    subject_id: str = Field(description="Id of what it happened to.")
    data: dict[str, Any] = Field(description="What else is known about it.")
    created_at: datetime


class EventPage(BaseModel):
    """Events in their order."""

    items: list[EventRead]
    next_after: int = Field(description="`after` of the next request.")
    last_seq: int = Field(description="The end of the log when this was read.")


class StreamToken(BaseModel):
    """Opens event streams, and nothing else."""

    token: str = Field(description="Goes into the query of a stream: `?token=`.")
    expires_in: int = Field(description="Seconds.")
