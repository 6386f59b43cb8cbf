"""Guidelines and their rules for shot types."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert

from db.ids import uuid7
from db.models import Guideline, GuidelineRule
from db.repositories.children import Children
from db.repositories.scoped import ScopedRepository, ScopedWriter


class GuidelineRepository(ScopedRepository[Guideline]):
    """An organization's guidelines, with their rules."""

    model = Guideline
    searched = (Guideline.name, Guideline.description, Guideline.prompt)
    sorts = {  # noqa: RUF012
        "name": Guideline.name,
        "created_at": Guideline.created_at,
        "updated_at": Guideline.updated_at,
    }
    children = (Children(Guideline.rules, GuidelineRule.guideline_id),)


class GuidelineWriter(GuidelineRepository, ScopedWriter[Guideline]):
    """Guidelines, and changes of them. Lock one before its rules change, and touch it after."""

    async def replace_rules(self, guideline_id: UUID, rules: Collection[Mapping[str, Any]]) -> None:
        """Have these rules, in this order, and no others.

        Raises:
            sqlalchemy.exc.IntegrityError: a shot type is gone, or has two rules.
        """
        await self._session.execute(
            delete(GuidelineRule).where(GuidelineRule.guideline_id == guideline_id)
        )
        if rules:
            await self._session.execute(
                insert(GuidelineRule), [self._values(guideline_id, rule) for rule in rules]
            )

    async def put_rule(self, guideline_id: UUID, rule: Mapping[str, Any]) -> None:
        """Have this rule for its shot type, instead of an earlier one.

        Raises:
            sqlalchemy.exc.IntegrityError: the shot type is gone.
        """
        statement = insert(GuidelineRule).values(self._values(guideline_id, rule))
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["guideline_id", "shot_type_id"],
                set_={
                    "prompt": statement.excluded.prompt,
                    "negative_prompt": statement.excluded.negative_prompt,
                    "updated_at": func.clock_timestamp(),
                },
            )
        )

    async def remove_rule(self, guideline_id: UUID, shot_type_id: UUID) -> bool:
        """Have no rule for a shot type; whether there was one."""
        gone = await self._session.execute(
            delete(GuidelineRule)
            .where(
                GuidelineRule.guideline_id == guideline_id,
                GuidelineRule.shot_type_id == shot_type_id,
            )
            .returning(GuidelineRule.id)
        )
        return gone.first() is not None

    def _values(self, guideline_id: UUID, rule: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": uuid7(),
            "organization_id": self._scope.organization_id,
            "guideline_id": guideline_id,
            **rule,
        }
