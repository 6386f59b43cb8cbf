"""Styles and guidelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from db.models import Guideline, Style
from db.repositories import OrganizationScope
from db.repositories.guidelines import GuidelineWriter
from db.repositories.styles import StyleWriter
from db.session import Database


async def make_style(
    database: Database, scope: OrganizationScope, *, name: str = "Nordic light", **values: Any
) -> Style:
    values = {"lighting": "soft natural light", "tone": "muted"} | values
    async with database.write() as session:
        return await StyleWriter(session, scope).add(name=name, **values)


async def make_guideline(
    database: Database,
    scope: OrganizationScope,
    *,
    name: str = "Shop pictures",
    rules: Sequence[dict[str, Any]] = (),
    **values: Any,
) -> Guideline:
    """``rules``: each with a ``shot_type_id``, and a ``prompt`` or ``negative_prompt``."""
    complete = [{"prompt": None, "negative_prompt": None} | rule for rule in rules]
    async with database.write() as session:
        guidelines = GuidelineWriter(session, scope)
        guideline = await guidelines.add(name=name, **values)
        await guidelines.replace_rules(guideline.id, complete)
        return await guidelines.touch(guideline)
