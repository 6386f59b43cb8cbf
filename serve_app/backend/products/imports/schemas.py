"""What the API answers about an import."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field


class ImportStatus(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    FAILED = "failed"


class ImportFault(BaseModel):
    """What is wrong with a cell."""

    field: str = Field(description="The column.", examples=["family"])
    message: str


class ImportRow(BaseModel):
    """One product of the file."""

    row: int = Field(description="As a spreadsheet counts: the header is 1, the first product 2.")
    sku: str | None
    status: ImportStatus
    product_id: UUID | None
    errors: list[ImportFault]


class ProductImport(BaseModel):
    """What an import did. Rows that failed changed nothing; the others are in the catalog."""

    created: int
    updated: int
    failed: int
    rows: list[ImportRow]
