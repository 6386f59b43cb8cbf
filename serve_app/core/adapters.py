"""Adapters (LoRA weights) of organizations: their names, their files, and how a task names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, Field

from configs.catalog import ModelEntry
from db.models import Adapter
from db.repositories.adapters import AdapterRepository
from db.repositories.scope import OrganizationScope
from db.session import ReadSession
from serve_app.core.errors import NotFound
from serve_app.core.orders import Refuse

# Of the store; below it one folder per organization.
FOLDER: Final = "loras"
FILE_NAME: Final = "pytorch_lora_weights.safetensors"
# Of one request: subject, product, second product, style.
MAX_LORAS: Final = 4
DEFAULT_WEIGHT: Final = 0.8


class AdapterGone(NotFound):
    """An adapter was deleted between a request for images and the making of them."""

    code = "lora_deleted"
    default_detail = "A LoRA of this task has been deleted"


def _refuse_ids(name: str) -> str:
    """A request names adapters by id too, so a name must not be one."""
    try:
        UUID(name)
    except ValueError:
        return name
    raise ValueError("a name must not look like an id")


# Of a new adapter. A request may name it so for its newest version, or as `name@2`.
AdapterName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="Letters, digits and `._-`; a name that exists gets its next version.",
        examples=["custom-model-v1"],
    ),
    AfterValidator(_refuse_ids),
]


# Of what images are made with: a subject, a product, a style.
LoraId = Annotated[
    UUID,
    Field(description="The LoRA that its images are made with, where their model is the LoRA's."),
]


def adapter_folder(organization_id: UUID, key: str) -> str:
    """Where its file lies. ``key`` is an id: of the adapter, or of the task that made it."""
    return f"{FOLDER}/{organization_id.hex}/{key}"


def pinned(adapter: Adapter, weight: float) -> dict[str, Any]:
    """An adapter as it stands in a task's config, and in the recipe of its images: by id and
    content, so that a newer version of the name changes nothing."""
    return {
        "id": str(adapter.id),
        "name": adapter.name,
        "version": adapter.version,
        "sha256": adapter.sha256,
        "weight": weight,
    }


async def pin(
    session: ReadSession,
    scope: OrganizationScope,
    entry: ModelEntry,
    wanted: Sequence[Mapping[str, Any]],
    refuse: Refuse,
) -> list[dict[str, Any]]:
    """The adapters that a request names, each by name, ``name@version`` or id.

    Args:
        session, scope: where to look.
        entry: the model that they must be for.
        wanted: each with a ``name`` and a ``weight``.
        refuse: makes the errors.

    Raises:
        UnprocessableField: one is unknown, another tenant's, or for another model; two are one.
    """
    found = await AdapterRepository(session, scope).resolve([lora["name"] for lora in wanted])
    pins: list[dict[str, Any]] = []
    for lora in wanted:
        adapter = found.get(lora["name"])
        if adapter is None:
            raise refuse("loras", f"there is no LoRA named {lora['name']!r}")
        if adapter.base_model != entry.name:
            raise refuse(
                "loras",
                f"{lora['name']!r} was made for the model {adapter.base_model}, not {entry.name}",
            )
        pins.append(pinned(adapter, lora["weight"]))
    if len({one["id"] for one in pins}) < len(pins):
        raise refuse("loras", "two of the names are of the same LoRA")
    return pins
