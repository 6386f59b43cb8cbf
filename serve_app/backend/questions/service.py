"""Captions of products and outfits for looks, as tasks. What goes along is data to the model, and
what comes back is checked; see :mod:`serve_app.core.llm`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db.models import Media, Product, Task
from db.repositories.captions import CaptionOrders
from db.repositories.looks import LookRepository
from db.repositories.products import ProductRepository
from db.repositories.queue import TaskQueue
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.core import orders
from serve_app.core.admission import QueueFull, admit
from serve_app.core.errors import Conflict, UnprocessableField
from serve_app.core.orders import ImageReference
from serve_app.core.resources import Resources
from serve_app.core.rows import found

# Products that a model chooses from: the newest of the organization.
_CATALOG = 100
# Of the main product, that it may look at.
_PICTURES = 3


class NothingToSee(Conflict):
    """There is no picture to look at."""

    code = "nothing_to_see"
    default_detail = "This product has no picture"


class NoLanguageModel(Conflict):
    """No provider of language models has a key in this installation."""

    code = "no_language_model"
    default_detail = "This installation has no key of a provider of language models"


@dataclass(frozen=True, slots=True)
class Questions:
    """Where questions are asked: for whom, in which transaction."""

    session: WriteSession
    scope: OrganizationScope
    resources: Resources

    async def caption(self, product_id: UUID) -> Task:
        """Ask for a caption of a product; when it is there, the product has it.

        Raises:
            NotFound: there is no such product.
            NothingToSee, NoLanguageModel: as they say.
        """
        product = found(
            await ProductRepository(self.session, self.scope).get(product_id), "Product"
        )
        return await self.caption_of(product)

    async def caption_of(self, product: Product) -> Task:
        """As :meth:`caption`, of a product whose pictures are loaded."""
        config = {"operation": "caption", "kind": "product", "data": _described(product)}
        about = {"about": {"product_id": str(product.id)}}
        task = await self._ask(config | about, product)
        await CaptionOrders(self.session).asked(product.id, task.id)
        return task

    async def caption_if_missing(self, product: Product) -> Task | None:
        """As :meth:`caption_of`, of a product that has pictures and no caption, unless it has been
        asked for already. None: it is not missed, or cannot be asked for; nobody waits for it."""
        if not self.resources.settings.studio.captions or product.caption is not None:
            return None
        if not self.resources.providers.names or product.caption_task_id is not None:
            return None
        loaded = await ProductRepository(self.session, self.scope).get(product.id)
        try:
            return None if loaded is None else await self.caption_of(loaded)
        except (NothingToSee, NoLanguageModel, QueueFull):
            return None

    async def outfit(self, look_id: UUID) -> Task:
        """Ask what goes with the main product of a look, of the organization's own products.

        Raises:
            NotFound: there is no such look.
            NothingToSee, NoLanguageModel: as they say.
        """
        look = found(await LookRepository(self.session, self.scope).get(look_id), "Look")
        products = ProductRepository(self.session, self.scope)
        main = found(await products.get(look.main_product_id), "Product")
        page = await products.list(page=1, size=_CATALOG)
        catalog = [
            _described(one) | {"id": str(one.id)}
            for one in page.items
            if one.id != main.id and one.archived_at is None
        ]
        data = {
            "main_product": _described(main),
            "catalog": catalog,
            "outfit_instructions": look.outfit_instructions,
        }
        config = {"operation": "outfit", "data": data, "about": {"look_id": str(look.id)}}
        return await self._ask(config, main)

    async def _ask(self, config: Mapping[str, Any], product: Product) -> Task:
        settled = orders.settle_question(self.resources, config, _absent)
        shown = [
            # In lists, pictures come without their digests.
            await self.session.get_one(Media, image.media_id)
            for image in product.images[:_PICTURES]
        ]
        if not shown:
            raise NothingToSee
        images = [ImageReference(media.path, media.sha256) for media in shown]
        new = orders.question(settled, images)
        await admit(self.session, self.scope, self.resources, [new.queue], counted=0)
        return await TaskQueue(self.session).enqueue(self.scope, new)


def _absent(field: str, reason: str) -> UnprocessableField:
    del field, reason
    raise NoLanguageModel


def _described(product: Product) -> dict[str, Any]:
    return {
        "name": product.name,
        "category": product.category,
        "family": product.family.value,
        "gender": product.gender,
        "color": product.color,
        "materials": product.materials,
        "description": product.description,
    }
