"""What the API answers to a search."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from serve_app.backend.looks.schemas import LookRead
from serve_app.backend.products.schemas import ProductRead
from serve_app.backend.shootings.schemas import ShootingRead
from serve_app.backend.subjects.schemas import SubjectRead


class ProductResult(BaseModel):
    """A product that was found."""

    resource_type: Literal["product"]
    data: ProductRead


class ShootingResult(BaseModel):
    """A shooting that was found."""

    resource_type: Literal["shooting"]
    data: ShootingRead


class LookResult(BaseModel):
    """A look that was found."""

    resource_type: Literal["look"]
    data: LookRead


class SubjectResult(BaseModel):
    """A subject that was found."""

    resource_type: Literal["subject"]
    data: SubjectRead


SearchResult = Annotated[
    ProductResult | ShootingResult | LookResult | SubjectResult,
    Field(discriminator="resource_type"),
]


class SearchResults(BaseModel):
    """The best matches of each type in turn."""

    results: list[SearchResult]
    count: int = Field(description="How many there are in all; `results` has `limit` at most.")
