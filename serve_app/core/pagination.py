"""The query parameters of every list."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

# Far beyond any list, and small enough for the offset that Postgres computes from it.
_MAX_PAGE = 1_000_000

PageNumber = Annotated[int, Query(ge=1, le=_MAX_PAGE, description="From 1.")]
PageSize = Annotated[int, Query(ge=1, le=100, description="Items on one page.")]
