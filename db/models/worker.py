"""Workers: what the replicas that do the work last said of themselves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.dialects.postgresql import REAL
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class Worker(Base):
    """One replica, as it last reported. Runners copy the rows from the cluster every few seconds;
    a table that a crash may empty needs no write-ahead log."""

    __tablename__ = "workers"
    __table_args__ = ({"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": "50"}},)

    # Of the replica.
    id: Mapped[str] = mapped_column(primary_key=True)
    deployment: Mapped[str]
    # That it serves.
    queues: Mapped[list[str]]
    # Of Ray.
    node: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    # Ids of those that it works on, or that wait in it.
    tasks: Mapped[list[str]]
    models: Mapped[list[str]]
    loading: Mapped[str | None]
    # Digests of the adapters in memory.
    loras: Mapped[list[str]]
    # Why it is not healthy.
    problem: Mapped[str | None]
    # Processors that it keeps busy.
    cpu: Mapped[float] = mapped_column(REAL)
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    # 0 to 1; NULL: it has none.
    gpu: Mapped[float | None] = mapped_column(REAL)
    gpu_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
