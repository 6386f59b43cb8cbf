"""What the workers last reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import text

from db.models import Worker
from db.session import WriteSession

_COLUMNS = tuple(column.name for column in Worker.__table__.columns)
_FRESH = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name != "id")

# Make the table what the board says. Rows in one order: several runners may copy at once.
_COPY = text(f"""
    WITH reported AS (
        SELECT * FROM jsonb_populate_recordset(NULL::workers, CAST(:reports AS jsonb)) ORDER BY id
    ), gone AS (
        DELETE FROM workers WHERE id NOT IN (SELECT id FROM reported)
    )
    INSERT INTO workers SELECT * FROM reported
    ON CONFLICT (id) DO UPDATE SET {_FRESH}
    WHERE excluded.heartbeat_at >= workers.heartbeat_at
""")  # noqa: S608 (made of the model's columns)


class WorkerWriter:
    """Changes the table, which belongs to no organization."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session

    async def replace(self, reports: Sequence[Mapping[str, Any]]) -> None:
        """Keep these workers (columns of `Worker`; times in RFC 3339) and no others."""
        await self._session.execute(_COPY, {"reports": orjson.dumps(list(reports)).decode()})
