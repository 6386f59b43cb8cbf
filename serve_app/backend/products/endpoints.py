"""``/products``: the articles of the catalog."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, status

from db.models import ProductFamily
from db.repositories.products import ProductRepository
from serve_app.backend.products import service
from serve_app.backend.products.schemas import (
    ProductCreate,
    ProductList,
    ProductRead,
    ProductUpdate,
)
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, Signing, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.media import Library
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import Archived, Listed
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.text import Storable
from serve_app.core.training.reading import read_trainings, version_of
from serve_app.core.versions import Versioned

router = Router(prefix="/products", tags=["products"])

ProductId = Annotated[UUID, Path(description="Id of a product.")]
# Filters by a field's value.
Text = Annotated[str | None, Query(max_length=200), Storable]


@router.get("/", operation_id="list_products", responses=errors(*MEMBER))
async def list_products(
    scope: Scope,
    session: Reading,
    sign: Signing,
    listing: Listed,
    brand_id: Annotated[UUID | None, Query(description="Only of this brand.")] = None,
    sku: Text = None,
    family: ProductFamily | None = None,
    category: Text = None,
    gender: Text = None,
    color: Text = None,
    archived: Archived = None,
) -> ProductList:
    """Your organization's products. `q` looks in name, SKU, description and caption; sort by
    `name`, `sku`, `category`, `created_at` or `updated_at`."""
    with sorting():
        page = await ProductRepository(session, scope).list(
            **listing.arguments(),
            archived=archived,
            brand_id=brand_id,
            sku=sku,
            family=family,
            category=category,
            gender=gender,
            color=color,
        )
    trainings = await read_trainings(session, scope, page.items, sign)
    items = [await ProductRead.of(one, sign, trainings) for one in page.items]
    return ProductList(items=items, total=page.total, page=page.page, size=page.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_product",
    response_model=ProductRead,
    responses=errors(*MEMBER, 409),
)
async def create(
    body: ProductCreate, scope: Scope, session: Writing, sign: Signing, once: Idempotency
) -> ProductRead | Response:
    """Make a product. Its SKU must be new in your organization."""

    async def make() -> ProductRead:
        return await ProductRead.of(await service.create(session, scope, body), sign, {})

    return await once.create(session, make)


@router.get("/{product_id}", operation_id="get_product", responses=errors(304, *MEMBER))
async def get(
    product_id: ProductId, scope: Scope, session: Reading, sign: Signing, versions: Versioned
) -> ProductRead:
    """One product, with its pictures."""
    product = found(await ProductRepository(session, scope).get(product_id), "Product")
    trainings = await read_trainings(session, scope, [product], sign)
    versions.read(product, has_urls=True, also=version_of(trainings))
    return await ProductRead.of(product, sign, trainings)


@router.patch("/{product_id}", operation_id="update_product", responses=errors(*MEMBER, 409, 412))
async def update(
    product_id: ProductId,
    body: ProductUpdate,
    scope: Scope,
    session: Writing,
    sign: Signing,
    versions: Versioned,
) -> ProductRead:
    """Change a product; `is_archived` takes it out of the way."""
    product = await service.update(session, scope, product_id, body, versions)
    trainings = await read_trainings(session, scope, [product], sign)
    versions.show(product, has_urls=True, also=version_of(trainings))
    return await ProductRead.of(product, sign, trainings)


@router.delete(
    "/{product_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_product",
    responses=errors(*MEMBER, 409),
)
async def delete(
    product_id: ProductId, scope: Scope, session: Writing, library: Library
) -> Response:
    """Remove a product and its pictures. One that a look shows is refused; archive it instead."""
    await service.delete(session, scope, library, product_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
