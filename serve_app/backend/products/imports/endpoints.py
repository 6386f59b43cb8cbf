"""``/products/import``: products from a file."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import File, Form, Response, UploadFile, status

from serve_app.backend.products.imports.schemas import ProductImport
from serve_app.backend.products.imports.service import ProductImporter
from serve_app.backend.products.imports.table import MAX_BYTES, read_table
from serve_app.core.auth import Scope
from serve_app.core.dependencies import RequestResources
from serve_app.core.errors import PayloadTooLarge
from serve_app.core.idempotency import Idempotency
from serve_app.core.media import Library
from serve_app.core.openapi import BINARY, MEMBER, errors
from serve_app.core.routing import Router

router = Router(prefix="/products/import", tags=["products"])


@router.post(
    "",
    operation_id="import_products",
    response_model=ProductImport,
    responses=errors(*MEMBER, 409, 413),
)
async def import_products(
    file: Annotated[UploadFile, File(description="CSV in UTF-8 with a header."), BINARY],
    scope: Scope,
    resources: RequestResources,
    library: Library,
    once: Idempotency,
    create_brands: Annotated[bool, Form(description="Make the brands that are unknown.")] = False,
) -> ProductImport | Response:
    """Make or change up to 1,000 products from a CSV file of at most 5 MB, with commas or
    semicolons between the cells.

    Columns: `sku` (needed), `name` (needed for a new product), `family`, `category`, `gender`,
    `color`, `materials` (with `|` between them), `description`, `caption`, `brand` (its name) and
    `image_url` (fetched, and made the primary picture). A SKU that exists is changed; an empty cell
    leaves what is there. Each row stands for itself: the answer tells what became of it.
    """
    if answered := await once.earlier():
        return answered
    if file.size is not None and file.size > MAX_BYTES:
        raise PayloadTooLarge(f"The file is too large: at most {MAX_BYTES:,} bytes")
    rows = await asyncio.to_thread(read_table, await file.read())
    importer = ProductImporter(resources, scope, library, create_brands=create_brands)
    report = await importer.run(rows)
    async with resources.database.write() as session:
        if twin := await once.begin(session):
            return twin
        await once.keep(session, report, status.HTTP_200_OK)
    return report
