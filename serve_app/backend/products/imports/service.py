"""Products from a file: each row is a transaction of its own, and spoils no other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from pydantic import ValidationError

from db.repositories.brands import BrandWriter
from db.repositories.products import ProductImageWriter, ProductWriter
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.backend.brands.schemas import BrandCreate
from serve_app.backend.products import service
from serve_app.backend.products.imports.schemas import (
    ImportFault,
    ImportRow,
    ImportStatus,
    ProductImport,
)
from serve_app.backend.products.imports.table import Row
from serve_app.backend.products.schemas import ProductCreate, ProductUpdate
from serve_app.backend.questions.service import Questions
from serve_app.core.errors import SartiqError
from serve_app.core.media import MediaLibrary
from serve_app.core.pictures import Picture
from serve_app.core.resources import Resources
from serve_app.core.rows import Taken
from serve_app.core.schemas import Input

# Pictures that are fetched, and held in memory, at a time.
_AT_ONCE = 4
_IMAGE_URL = "image_url"
BodyT = TypeVar("BodyT", bound=Input)


class RowFailed(Exception):
    """A row cannot be taken; it holds what is wrong with which cells."""

    def __init__(self, *faults: ImportFault) -> None:
        super().__init__(*faults)
        self.faults = faults

    @classmethod
    def at(cls, field: str, message: str) -> RowFailed:
        """One thing that is wrong."""
        return cls(ImportFault(field=field, message=message))


@dataclass(frozen=True, slots=True)
class Article:
    """A row that can be taken, as far as its text and its picture tell."""

    sku: str
    values: dict[str, Any]
    brand: str | None
    picture: Picture | None


class ProductImporter:
    """Takes the rows of a file into an organization's catalog.

    Args:
        resources: of the process.
        scope: whose catalog it is.
        library: where the pictures go.
        create_brands: make the brands that are unknown, instead of refusing their rows.
    """

    def __init__(
        self,
        resources: Resources,
        scope: OrganizationScope,
        library: MediaLibrary,
        *,
        create_brands: bool,
    ) -> None:
        self._resources = resources
        self._scope = scope
        self._library = library
        self._create_brands = create_brands

    async def run(self, rows: Sequence[Row]) -> ProductImport:
        """Make or change the product of each row, in their order."""
        times = Counter(row.cells.get("sku") for row in rows)
        report = []
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            articles = await asyncio.gather(*(self._read(row, times) for row in some))
            for row, article in zip(some, articles, strict=True):
                report.append(await self._report(row, article))
        counts = Counter(row.status for row in report)
        return ProductImport(
            created=counts[ImportStatus.CREATED],
            updated=counts[ImportStatus.UPDATED],
            failed=counts[ImportStatus.FAILED],
            rows=report,
        )

    async def _report(self, row: Row, article: Article | RowFailed) -> ImportRow:
        status, product_id, faults = ImportStatus.FAILED, None, list[ImportFault]()
        try:
            if isinstance(article, RowFailed):
                raise article
            status, product_id = await self._write(article)
        except RowFailed as failed:
            faults = list(failed.faults)
        except SartiqError as error:
            field = "sku" if isinstance(error, Taken) else _IMAGE_URL
            faults = [ImportFault(field=field, message=error.detail)]
        return ImportRow(
            row=row.number,
            sku=row.cells.get("sku"),
            status=status,
            product_id=product_id,
            errors=faults,
        )

    async def _read(self, row: Row, times: Counter[str | None]) -> Article | RowFailed:
        """The row, checked without the database."""
        try:
            values: dict[str, Any] = {**row.cells}
            brand, url = values.pop("brand", None), values.pop(_IMAGE_URL, None)
            if "materials" in values:
                parts = map(str.strip, values["materials"].split("|"))
                values["materials"] = [part for part in parts if part]
            if "sku" not in values:
                raise RowFailed.at("sku", "Field required")
            sku = values["sku"]
            if times[sku] > 1:
                raise RowFailed.at("sku", "Several rows of the file have this SKU")
            values = _checked(ProductUpdate, values).changes()
            if brand is not None:
                _checked(BrandCreate, {"name": brand}, field="brand")
            picture = None if url is None else await self._picture(url)
        except RowFailed as failed:
            return failed
        return Article(sku, values, brand, picture)

    async def _picture(self, url: str) -> Picture:
        try:
            return await self._library.take(await self._resources.fetcher.fetch(url))
        except SartiqError as error:
            raise RowFailed.at(_IMAGE_URL, error.detail) from error

    async def _write(self, article: Article) -> tuple[ImportStatus, UUID]:
        values = article.values
        async with self._resources.database.write() as session:
            products = ProductWriter(session, self._scope)
            if article.brand is not None:
                values = values | {"brand_id": await self._brand(session, article.brand)}
            product = await products.lock_by_sku(article.sku)
            if is_new := product is None:
                body = _checked(ProductCreate, values)
                product = await service.create(session, self._scope, body)
            else:
                product = await products.change(product, values)
            if article.picture is not None:
                media = await self._library.keep(session, article.picture)
                await ProductImageWriter(session, self._scope, product.id).set_cover(media)
                await Questions(session, self._scope, self._resources).caption_if_missing(product)
        return ImportStatus.CREATED if is_new else ImportStatus.UPDATED, product.id

    async def _brand(self, session: WriteSession, name: str) -> UUID:
        brands = BrandWriter(session, self._scope)
        if (brand := await brands.find(name)) is not None:
            return brand.id
        if not self._create_brands:
            raise RowFailed.at("brand", "There is no such brand; `create_brands` makes it")
        return (await brands.add(name=name)).id


def _checked(model: type[BodyT], values: dict[str, Any], *, field: str | None = None) -> BodyT:
    """The values as the API would take them.

    Raises:
        RowFailed: it would refuse them.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = [
            ImportFault(field=field or str(one["loc"][0]), message=one["msg"])
            for one in error.errors()
        ]
        raise RowFailed(*faults) from error
