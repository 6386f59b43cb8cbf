"""``/search``: across products, shootings, looks and subjects."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator

from db.repositories.search import ResourceType
from serve_app.backend.search import service
from serve_app.backend.search.schemas import SearchResults
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, Signing
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.routing import Router
from serve_app.core.text import Storable

router = Router(prefix="/search", tags=["search"])


def _split(values: list[str]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",")]


Types = Annotated[
    list[ResourceType],
    Query(description="Only these; several by repeating it or with commas. All when absent."),
    BeforeValidator(_split),
]


@router.get("/", operation_id="search", responses=errors(*MEMBER))
async def search(
    scope: Scope,
    session: Reading,
    sign: Signing,
    q: Annotated[
        str,
        Query(min_length=1, max_length=200, description="Text to look for.", examples=["dress"]),
        Storable,
    ],
    types: Types = [*ResourceType],  # noqa: B006 - read only
    limit: Annotated[int, Query(ge=1, le=100, description="Results at most.")] = 20,
) -> SearchResults:
    """Look for a text in names, SKUs, descriptions and captions, in any case of letters. A title
    that is the text comes first, then one that begins with it, then the newest; the types take
    turns. A look is found by its main product as well."""
    return await service.find(session, scope, sign, q, types=types, limit=limit)
