"""What the API says and takes about products."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field

from db.models import Product, ProductFamily, ProductImageType
from serve_app.backend.products.images.schemas import ProductImageRead
from serve_app.core.adapters import LoraId
from serve_app.core.dependencies import Sign
from serve_app.core.schemas import Input, ListOf, Patch
from serve_app.core.text import Storable
from serve_app.core.training.reading import TrainingProgress

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Summer Dress"])]
Sku = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        description="Stock keeping unit: the brand's own number, unique in your organization.",
        examples=["DRS-001"],
    ),
]
Category = Annotated[str, Field(max_length=100, examples=["dresses"])]
Gender = Annotated[str, Field(max_length=50, examples=["women"])]
Color = Annotated[str, Field(max_length=100, examples=["sky blue"])]
Material = Annotated[str, Field(min_length=1, max_length=100), Storable]
Materials = Annotated[list[Material], Field(max_length=20, examples=[["linen", "cotton"]])]
Description = Annotated[str, Field(max_length=5000, examples=["Light, with a full skirt."])]
Caption = Annotated[
    str,
    Field(
        max_length=2000,
        description="What the pictures show, in words; prompts begin with it.",
        examples=["a sky blue linen dress with a full skirt"],
    ),
]
BrandId = Annotated[UUID, Field(description="Id of a brand of your organization.")]


class ProductRead(BaseModel):
    """An article of the catalog."""

    id: UUID
    brand_id: UUID | None
    name: str
    sku: str
    family: ProductFamily
    category: str | None
    gender: str | None
    color: str | None
    materials: list[str]
    description: str | None
    caption: str | None
    lora_id: LoraId | None
    cover_url: str | None = Field(
        description="Of the primary picture, or else of the first; fetchable until it expires."
    )
    images: list[ProductImageRead]
    training: TrainingProgress | None = Field(description="The last one, or the one that runs.")
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    async def of(
        cls, product: Product, sign: Sign, trainings: Mapping[str, TrainingProgress]
    ) -> Self:
        """Render a product whose pictures are loaded; its training is one of ``trainings``."""
        images = [await ProductImageRead.of(image, sign) for image in product.images]
        primary = [one for one in images if one.type is ProductImageType.PRIMARY]
        return cls(
            id=product.id,
            brand_id=product.brand_id,
            name=product.name,
            sku=product.sku,
            family=product.family,
            category=product.category,
            gender=product.gender,
            color=product.color,
            materials=product.materials,
            description=product.description,
            caption=product.caption,
            lora_id=product.lora_id,
            cover_url=next((one.url for one in [*primary, *images]), None),
            images=images,
            training=trainings.get(product.training_id or ""),
            archived_at=product.archived_at,
            created_at=product.created_at,
            updated_at=product.updated_at,
        )


class ProductList(ListOf[ProductRead]):
    """One page of products."""


class ProductCreate(Input):
    """A new product."""

    name: Name
    sku: Sku
    brand_id: BrandId | None = None
    family: ProductFamily = ProductFamily.APPAREL
    category: Category | None = None
    gender: Gender | None = None
    color: Color | None = None
    materials: Materials = Field(default_factory=list)
    description: Description | None = None
    caption: Caption | None = None
    lora_id: LoraId | None = None


class ProductUpdate(Patch):
    """Changes of a product."""

    required = frozenset({"name", "sku", "family", "materials", "is_archived"})

    name: Name | None = None
    sku: Sku | None = None
    brand_id: BrandId | None = None
    family: ProductFamily | None = None
    category: Category | None = None
    gender: Gender | None = None
    color: Color | None = None
    materials: Materials | None = None
    description: Description | None = None
    caption: Caption | None = None
    lora_id: LoraId | None = None
    is_archived: bool | None = None
