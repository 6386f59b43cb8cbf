"""Search across an organization's products, shootings, looks and subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Final, TypeVar

from sqlalchemy import false, func, or_, select

from db.models import Base, Look, Product, Shooting, Subject
from db.repositories.looks import LookRepository
from db.repositories.products import ProductRepository
from db.repositories.scope import OrganizationScope, Page
from db.repositories.scoped import ScopedRepository
from db.repositories.shootings import ShootingRepository
from db.repositories.subjects import SubjectRepository
from db.session import ReadSession

RowT = TypeVar("RowT", bound=Base)

_main_product = select(Product).where(Product.id == Look.main_product_id).correlate(Look)
_PRODUCT_NAME = _main_product.with_only_columns(Product.name).scalar_subquery()
_PRODUCT_SKU = _main_product.with_only_columns(Product.sku).scalar_subquery()


class ResourceType(StrEnum):
    """What a search finds."""

    PRODUCT = "product"
    SHOOTING = "shooting"
    LOOK = "look"
    SUBJECT = "subject"


class RankedRepository(ScopedRepository[RowT]):
    """Rows with a text somewhere: first those whose title is the text, then those whose title
    begins with it, then the newest.

    Attributes:
        titles: columns that name a row.
    """

    titles: ClassVar[Sequence[Any]]

    async def search(self, q: str, limit: int) -> Page[RowT]:
        """The best matches, and how many there are in all."""
        self._q = q
        return await super().list(q=q, size=limit)

    def _order(self, sort: str | None) -> Sequence[Any]:
        equal = or_(*(func.lower(title) == self._q.lower() for title in self.titles))
        starts = or_(*(title.istartswith(self._q, autoescape=True) for title in self.titles))
        # A title may be null, which would come first.
        ranks = [func.coalesce(one, false()).desc() for one in (equal, starts)]
        return [*ranks, *super()._order(sort)]


class _Products(RankedRepository[Product], ProductRepository):
    titles = (Product.name, Product.sku)


class _Shootings(RankedRepository[Shooting], ShootingRepository):
    titles = (Shooting.name,)


class _Looks(RankedRepository[Look], LookRepository):
    titles = (Look.name, _PRODUCT_NAME, _PRODUCT_SKU)
    searched: ClassVar[Any] = (*LookRepository.searched, _PRODUCT_NAME, _PRODUCT_SKU)


class _Subjects(RankedRepository[Subject], SubjectRepository):
    titles = (Subject.name,)


_REPOSITORIES: Final[Mapping[ResourceType, type[RankedRepository[Any]]]] = {
    ResourceType.PRODUCT: _Products,
    ResourceType.SHOOTING: _Shootings,
    ResourceType.LOOK: _Looks,
    ResourceType.SUBJECT: _Subjects,
}


class SearchRepository:
    """What an organization has, by any text in it."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._scope = scope

    async def find(self, kind: ResourceType, q: str, limit: int) -> Page[Any]:
        """The resources of one type that match best; a look is found by its product as well."""
        return await _REPOSITORIES[kind](self._session, self._scope).search(q, limit)
