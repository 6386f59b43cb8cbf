"""Search across an organization's products, shootings, looks and subjects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Integer,
    Select,
    bindparam,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)

from db.models import Look, Product, Shooting, Subject
from db.repositories.looks import LookRepository
from db.repositories.products import ProductRepository
from db.repositories.scope import OrganizationScope
from db.repositories.scoped import ScopedRepository
from db.repositories.shootings import ShootingRepository
from db.repositories.subjects import SubjectRepository
from db.session import ReadSession

_main_product = select(Product).where(Product.id == Look.main_product_id).correlate(Look)
_PRODUCT_NAME = _main_product.with_only_columns(Product.name).scalar_subquery()
_PRODUCT_SKU = _main_product.with_only_columns(Product.sku).scalar_subquery()

_ESCAPE = "/"


class ResourceType(StrEnum):
    """What a search finds."""

    PRODUCT = "product"
    SHOOTING = "shooting"
    LOOK = "look"
    SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one type is searched; ``titles`` are the columns that name a row."""

    repository: type[ScopedRepository[Any]]
    titles: Sequence[Any]
    further: Sequence[Any] = ()

    def matches(self, kind: ResourceType) -> Select[Any]:
        """Type, id, place (from 1) and number in all of the rows with the text: first those whose
        title is the text, then those whose title begins with it, then the newest."""
        model = self.repository.model
        text = func.lower(bindparam("q"))
        equal = or_(*(func.lower(title) == text for title in self.titles))
        starts = or_(*(_like(title, "beginning") for title in self.titles))
        # A title may be null, which would come first.
        ranks = [func.coalesce(one, false()).desc() for one in (equal, starts)]
        columns = (*self.repository.searched, *self.further)
        return (
            select(
                literal(kind.value).label("kind"),
                model.id.label("id"),
                func.row_number().over(order_by=[*ranks, model.id.desc()]).label("place"),
                func.count().over().label("total"),
            )
            .where(
                model.organization_id == bindparam("organization_id"),
                or_(*(_like(column, "anywhere") for column in columns)),
            )
            .order_by("place")
            .limit(bindparam("limit", type_=Integer))
        )


def _like(column: Any, pattern: str) -> Any:
    return column.ilike(bindparam(pattern), escape=_ESCAPE)


_KINDS: Final[Mapping[ResourceType, _Kind]] = {
    ResourceType.PRODUCT: _Kind(ProductRepository, (Product.name, Product.sku)),
    ResourceType.SHOOTING: _Kind(ShootingRepository, (Shooting.name,)),
    ResourceType.LOOK: _Kind(
        LookRepository,
        (Look.name, _PRODUCT_NAME, _PRODUCT_SKU),
        further=(_PRODUCT_NAME, _PRODUCT_SKU),
    ),
    ResourceType.SUBJECT: _Kind(SubjectRepository, (Subject.name,)),
}


@lru_cache
def _statement(kinds: tuple[ResourceType, ...]) -> Any:
    """One for all types; put together once for each choice of them."""
    return union_all(*(_KINDS[kind].matches(kind).subquery().select() for kind in kinds))


@dataclass(frozen=True, slots=True)
class Found:
    """The best matches with their types, and how many there are in all."""

    rows: Sequence[tuple[ResourceType, Any]]
    total: int


class SearchRepository:
    """What an organization has, by any text in it."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._scope = scope

    async def find(self, kinds: Sequence[ResourceType], q: str, limit: int) -> Found:
        """The resources that match best, the types in turn, so that none crowds out the others; a
        look is found by its product as well."""
        escaped = q
        for special in (_ESCAPE, "%", "_"):
            escaped = escaped.replace(special, _ESCAPE + special)
        values = {
            "organization_id": self._scope.organization_id,
            "q": q,
            "beginning": f"{escaped}%",
            "anywhere": f"%{escaped}%",
            "limit": limit,
        }
        matches = (await self._session.execute(_statement(tuple(kinds)), values)).all()
        order = {kind: number for number, kind in enumerate(kinds)}
        best = sorted((one.place, order[ResourceType(one.kind)], one.id) for one in matches)[:limit]
        rows = await self._load([(kinds[number], row_id) for _, number, row_id in best])
        return Found(rows, sum(one.total for one in matches if one.place == 1))

    async def _load(
        self, best: Sequence[tuple[ResourceType, UUID]]
    ) -> Sequence[tuple[ResourceType, Any]]:
        ids = defaultdict(list)
        for kind, row_id in best:
            ids[kind].append(row_id)
        rows = {
            kind: await _KINDS[kind].repository(self._session, self._scope).get_many(of_kind)
            for kind, of_kind in ids.items()
        }
        # A row may have been removed since.
        return [(kind, rows[kind][row_id]) for kind, row_id in best if row_id in rows[kind]]
