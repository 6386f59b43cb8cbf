"""What an estimate of waiting is made from: what has run, what runs, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from db import estimate_queries as queries
from db.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class Ended:
    """A task that was completed by its first attempt; ``config`` without its long texts."""

    type: str
    config: dict[str, Any]
    cost: float
    created_at: datetime
    claimed_at: datetime
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class Running:
    """A task that runs."""

    organization_id: UUID
    type: str
    config: dict[str, Any]
    cost: float
    progress: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task of one lane that waits; ``queue`` is the lane's."""

    id: str
    type: str
    queue: str
    config: dict[str, Any]
    cost: float
    priority: int
    due_in: float


@dataclass(frozen=True, slots=True)
class LaneState:
    """What waits of one organization in a queue.

    ``vtime`` is where its next task would start if it were served now, and ``weight`` its share.
    """

    organization_id: UUID
    vtime: float
    weight: float
    pending: int
    pending_cost: float


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue at one moment.

    Attributes:
        capacity: units of work that its replicas hold at once; None: no runner has looked yet.
        clock: its virtual time; where a lane that sleeps would begin.
        lanes: those with something pending.
        running: what its replicas work on.
    """

    capacity: int | None
    clock: float
    lanes: Sequence[LaneState]
    running: Sequence[Running]


class EstimateRepository:
    """Looks at the queues of all organizations; what is told of them are times and places only."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session

    async def ended(self, queue: str, *, limit: int) -> list[Ended]:
        """The tasks of a queue that were completed last, the newest first."""
        rows = await self._rows(queries.ENDED_TASKS, queue=queue, limit=limit)
        return [_made(Ended, row) for row in rows]

    async def state(self, queue: str) -> QueueState:
        """A queue as it is."""
        (clock,) = await self._rows(queries.QUEUE_CLOCK, queue=queue)
        lanes = await self._rows(queries.PENDING_LANES, queue=queue)
        running = await self._rows(queries.RUNNING_TASKS, queue=queue)
        return QueueState(
            clock["capacity"],
            clock["vtime"],
            [_made(LaneState, row) for row in lanes],
            [_made(Running, row) for row in running],
        )

    async def waiting(self, queue: str, organization_id: UUID, *, limit: int) -> list[Waiting]:
        """The tasks of one lane that wait, in the order in which they will start."""
        values = {"queue": queue, "organization_id": organization_id, "limit": limit}
        rows = await self._rows(queries.WAITING_TASKS, **values)
        return [_made(Waiting, row) for row in rows]

    async def ahead_of(
        self,
        queue: str,
        organization_id: UUID,
        *,
        priority: int,
        created_at: datetime | None = None,
        task_id: str = "",
    ) -> int:
        """How many of a lane start before a task; without its time and id, before a new one."""
        values = {"queue": queue, "organization_id": organization_id, "priority": priority}
        (row,) = await self._rows(
            queries.WAITING_BEFORE, **values, created_at=created_at, task_id=task_id
        )
        return int(row["count"])

    async def weight(self, organization_id: UUID) -> float:
        """The share of an organization."""
        (row,) = await self._rows(queries.WEIGHT, organization_id=organization_id)
        weight: float = row["weight"]
        return weight

    async def _rows(self, statement: Any, **values: object) -> Sequence[RowMapping]:
        return (await self._session.execute(statement, values)).mappings().all()


class CapacityWriter:
    """What runners know of the replicas."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session

    async def note(self, capacities: dict[str, int]) -> None:
        """Write how much the replicas of each queue hold at once."""
        names = sorted(capacities)
        values = {"queues": names, "capacities": [capacities[name] for name in names]}
        await self._session.execute(queries.NOTE_CAPACITY, values)


def _made(kind: type[Any], row: RowMapping) -> Any:
    return kind(**{name: row[name] for name in kind.__dataclass_fields__})
