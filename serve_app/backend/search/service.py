"""Search: what was found, as the API shows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, assert_never

from db.models import Product, Subject
from db.repositories.scope import OrganizationScope
from db.repositories.search import ResourceType, SearchRepository
from db.session import ReadSession
from serve_app.backend.looks.schemas import LookRead
from serve_app.backend.products.schemas import ProductRead
from serve_app.backend.search.schemas import (
    LookResult,
    ProductResult,
    SearchResult,
    SearchResults,
    ShootingResult,
    SubjectResult,
)
from serve_app.backend.shootings.schemas import ShootingRead
from serve_app.backend.subjects.schemas import SubjectRead
from serve_app.core.dependencies import Sign
from serve_app.core.training.reading import TrainingProgress, read_trainings


async def find(
    session: ReadSession,
    scope: OrganizationScope,
    sign: Sign,
    q: str,
    *,
    types: Collection[ResourceType],
    limit: int,
) -> SearchResults:
    """Look for a text in an organization's resources of some types."""
    kinds = [kind for kind in ResourceType if kind in types]
    found = await SearchRepository(session, scope).find(kinds, q, limit)
    trained = [row for _, row in found.rows if isinstance(row, Subject | Product)]
    trainings = await read_trainings(session, scope, trained, sign)
    results = [await _result(kind, row, sign, trainings) for kind, row in found.rows]
    return SearchResults(results=results, count=found.total)


async def _result(
    kind: ResourceType, row: Any, sign: Sign, trainings: Mapping[str, TrainingProgress]
) -> SearchResult:
    match kind:
        case ResourceType.PRODUCT:
            product = await ProductRead.of(row, sign, trainings)
            return ProductResult(resource_type="product", data=product)
        case ResourceType.SHOOTING:
            data = ShootingRead.model_validate(row)
            return ShootingResult(resource_type="shooting", data=data)
        case ResourceType.LOOK:
            return LookResult(resource_type="look", data=await LookRead.of(row, sign))
        case ResourceType.SUBJECT:
            subject = await SubjectRead.of(row, sign, trainings)
            return SubjectResult(resource_type="subject", data=subject)
    assert_never(kind)
