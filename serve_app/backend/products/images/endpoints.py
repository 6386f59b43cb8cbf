"""``/products/{product_id}/images``: pictures of a product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Path, Request, Response, status

from db.models import Product, ProductImageType
from serve_app.backend.products.endpoints import ProductId
from serve_app.backend.products.images import service
from serve_app.backend.products.images.schemas import (
    ProductImageCreate,
    ProductImageRead,
    ProductImageUpdate,
    Type,
)
from serve_app.backend.questions.service import Questions
from serve_app.core.attachments import Attachment, FormFile, FormUploadKey, also_json, json_body
from serve_app.core.auth import Scope
from serve_app.core.dependencies import RequestResources, Signing, Writing
from serve_app.core.idempotency import Idempotency
from serve_app.core.media import Library
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.routing import Router
from serve_app.core.uploads import Uploads
from serve_app.core.versions import Versioned

router = Router(prefix="/products/{product_id}/images", tags=["products"])

ImageId = Annotated[UUID, Path(description="Id of a picture of the product.")]


@dataclass(frozen=True, slots=True)
class NewImage:
    """What a request adds, as a form or as JSON."""

    attachment: Attachment
    type: ProductImageType


async def _new_image(
    request: Request,
    resources: RequestResources,
    scope: Scope,
    library: Library,
    file: FormFile = None,
    upload_key: FormUploadKey = None,
    type: Annotated[Type, Form()] = ProductImageType.PRIMARY,  # noqa: A002
) -> NewImage:
    if body := await json_body(request, ProductImageCreate):
        upload_key, type = body.upload_key, body.type  # noqa: A001
    uploads = Uploads(resources, scope)
    return NewImage(Attachment(library, uploads, file, upload_key), type)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    operation_id="add_product_image",
    response_model=ProductImageRead,
    responses=errors(*MEMBER, 409, 413, 415),
    openapi_extra=also_json(ProductImageCreate),
)
async def add(
    product_id: ProductId,
    new: Annotated[NewImage, Depends(_new_image)],
    scope: Scope,
    session: Writing,
    sign: Signing,
    once: Idempotency,
    resources: RequestResources,
) -> ProductImageRead | Response:
    """Add a picture: the file itself, or the `upload_key` of one that was uploaded before. JPEG,
    PNG, WebP and AVIF are taken; it is kept upright, in sRGB and without metadata. With a key of a
    language model, a product that has no caption gets one."""
    if answered := await once.earlier():
        return answered
    picture = await new.attachment.take()

    async def make() -> ProductImageRead:
        image = await service.add(
            session, scope, product_id, new.attachment, picture, kind=new.type
        )
        product = await session.get_one(Product, image.product_id)
        await Questions(session, scope, resources).caption_if_missing(product)
        return await ProductImageRead.of(image, sign)

    return await once.create(session, make)


@router.patch("/{image_id}", operation_id="update_product_image", responses=errors(*MEMBER, 412))
async def update(
    product_id: ProductId,
    image_id: ImageId,
    body: ProductImageUpdate,
    scope: Scope,
    session: Writing,
    sign: Signing,
    versions: Versioned,
) -> ProductImageRead:
    """Change what a picture shows, or its place. `If-Match` and `ETag` are of the product."""
    product, image = await service.update(
        session, scope, product_id, image_id, body, versions=versions
    )
    versions.show(product, has_urls=True)
    return await ProductImageRead.of(image, sign)


@router.delete(
    "/{image_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_product_image",
    responses=errors(*MEMBER),
)
async def delete(
    product_id: ProductId, image_id: ImageId, scope: Scope, session: Writing, library: Library
) -> Response:
    """Remove a picture. Its file goes when nothing else shows it."""
    await service.delete(session, scope, library, product_id, image_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
