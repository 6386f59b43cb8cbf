"""Subjects, without the API."""

from __future__ import annotations

from typing import Any

from db.models import Subject
from db.repositories import OrganizationScope
from db.session import Database


async def make_subject(database: Database, scope: OrganizationScope, **changes: Any) -> Subject:
    """An AI model identity without pictures."""
    values: dict[str, Any] = {"name": "Mira", "gender": "female", "hair": "dark, shoulder length"}
    async with database.write() as session:
        subject = Subject(organization_id=scope.organization_id, **values | changes)
        session.add(subject)
        await session.flush()
        await session.refresh(subject)
    return subject
