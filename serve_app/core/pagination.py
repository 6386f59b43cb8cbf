"""The query parameters of every list."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import AwareDatetime

from serve_app.core.text import Storable

# Far beyond any list, and small enough for the offset that Postgres computes from it.
_MAX_PAGE = 1_000_000

PageNumber = Annotated[int, Query(ge=1, le=_MAX_PAGE, description="From 1.")]
PageSize = Annotated[int, Query(ge=1, le=100, description="Items on one page.")]


@dataclass(frozen=True, slots=True)
class Listing:
    """Which part of a list, in which order, of what."""

    page: int
    size: int
    sort: str | None
    q: str
    created_after: datetime | None
    created_before: datetime | None

    def arguments(self, sort: str | None = None) -> dict[str, Any]:
        """As a repository's ``list`` takes them; ``sort`` is for a client that names no order."""
        return asdict(self) | {"sort": self.sort or sort}


async def _listing(  # noqa: PLR0917 - by name, by FastAPI
    page: PageNumber = 1,
    size: PageSize = 20,
    sort: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Fields to sort by, with commas between them and `-` before a descending "
            "one, such as `-updated_at,name`. When absent, presets come by position and all else "
            "the newest first.",
        ),
        Storable,
    ] = None,
    q: Annotated[str, Query(max_length=200, description="Text to look for."), Storable] = "",
    created_after: Annotated[
        AwareDatetime | None, Query(description="Made at this time or later.")
    ] = None,
    created_before: Annotated[
        AwareDatetime | None, Query(description="Made before this time.")
    ] = None,
) -> Listing:
    return Listing(page, size, sort, q, created_after, created_before)


Listed = Annotated[Listing, Depends(_listing)]
# None: whether something is archived does not matter.
Archived = Annotated[
    bool | None, Query(description="Only archived ones, or none of them. All when absent.")
]
# None: standard presets and the organization's own.
Standard = Annotated[
    bool | None, Query(description="Only standard ones, or none of them. All when absent.")
]
