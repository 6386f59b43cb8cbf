"""Guidelines: made, changed with their rules, archived, removed while nothing uses them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from db.models import Guideline, GuidelineRule
from db.repositories.guidelines import GuidelineWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.backend.guidelines.schemas import (
    GuidelineCreate,
    GuidelineRuleCreate,
    GuidelineRulePut,
    GuidelineUpdate,
)
from serve_app.core.errors import NotFound, UnprocessableField
from serve_app.core.references import check_references
from serve_app.core.rows import archiving, found, refusals
from serve_app.core.versions import Versions


async def create(
    session: WriteSession, scope: OrganizationScope, body: GuidelineCreate
) -> Guideline:
    """Make guidelines.

    Raises:
        NotFound: there is no such brand or shot type.
        UnprocessableField: a shot type has two rules.
    """
    await _check(session, scope, body.model_dump(exclude={"rules"}), body.rules)
    guidelines = GuidelineWriter(session, scope)
    with refusals("These guidelines"):
        guideline = await guidelines.add(**body.model_dump(exclude={"rules"}))
        await guidelines.replace_rules(guideline.id, _dump(body.rules))
    return found(await guidelines.get(guideline.id), "Guideline")


async def update(
    session: WriteSession,
    scope: OrganizationScope,
    guideline_id: UUID,
    body: GuidelineUpdate,
    versions: Versions,
) -> Guideline:
    """Change guidelines.

    Raises:
        NotFound: there are none with this id, or no such brand or shot type.
        PreconditionFailed: the client knows an older version.
        UnprocessableField: a shot type has two rules.
    """
    guidelines = GuidelineWriter(session, scope)
    guideline = found(await guidelines.lock(guideline_id), "Guideline")
    versions.change(guideline)
    changes = body.changes()
    rules = changes.pop("rules", None)
    await _check(session, scope, changes, rules or [])
    with refusals("These guidelines"):
        if rules is not None:
            await guidelines.replace_rules(guideline_id, _dump(rules))
        return await guidelines.change(guideline, archiving(changes, guideline.archived_at))


async def delete(session: WriteSession, scope: OrganizationScope, guideline_id: UUID) -> None:
    """Remove guidelines.

    Raises:
        NotFound: there are none with this id.
        InUse: shootings use them.
    """
    guidelines = GuidelineWriter(session, scope)
    guideline = found(await guidelines.lock(guideline_id), "Guideline")
    with refusals("This guideline"):
        await guidelines.delete(guideline)


async def put_rule(
    session: WriteSession,
    scope: OrganizationScope,
    guideline_id: UUID,
    shot_type_id: UUID,
    body: GuidelineRulePut,
    *,
    versions: Versions,
) -> tuple[Guideline, GuidelineRule]:
    """Set the rule for a shot type.

    Raises:
        NotFound: there are no such guidelines, or no such shot type.
        PreconditionFailed: the client knows an older version of the guidelines.
    """
    guidelines = GuidelineWriter(session, scope)
    guideline = found(await guidelines.lock(guideline_id), "Guideline")
    versions.change(guideline)
    await check_references(session, scope, {"shot_type_ids": [shot_type_id]})
    with refusals("This rule"):
        await guidelines.put_rule(guideline_id, body.model_dump() | {"shot_type_id": shot_type_id})
    guideline = await guidelines.touch(guideline)
    (rule,) = (one for one in guideline.rules if one.shot_type_id == shot_type_id)
    return guideline, rule


async def delete_rule(
    session: WriteSession, scope: OrganizationScope, guideline_id: UUID, shot_type_id: UUID
) -> None:
    """Remove the rule for a shot type.

    Raises:
        NotFound: there are no such guidelines, or no such rule.
    """
    guidelines = GuidelineWriter(session, scope)
    guideline = found(await guidelines.lock(guideline_id), "Guideline")
    if not await guidelines.remove_rule(guideline_id, shot_type_id):
        raise NotFound("Rule not found")
    await guidelines.touch(guideline)


async def _check(
    session: WriteSession,
    scope: OrganizationScope,
    values: dict[str, Any],
    rules: Iterable[GuidelineRuleCreate],
) -> None:
    seen: set[UUID] = set()
    for index, rule in enumerate(rules):
        if rule.shot_type_id in seen:
            loc = ("body", "rules", index, "shot_type_id")
            raise UnprocessableField("This shot type has a rule already", loc)
        seen.add(rule.shot_type_id)
    await check_references(session, scope, values | {"shot_type_ids": seen})


def _dump(rules: Iterable[GuidelineRuleCreate]) -> list[dict[str, Any]]:
    return [rule.model_dump() for rule in rules]
