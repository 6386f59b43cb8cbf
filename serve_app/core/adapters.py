"""Adapters (LoRA weights) of organizations: their names, and where their files lie."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, Field

# Of the store; below it one folder per organization.
FOLDER: Final = "loras"
FILE_NAME: Final = "pytorch_lora_weights.safetensors"


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


def adapter_folder(organization_id: UUID, key: str) -> str:
    """Where its file lies. ``key`` is an id: of the adapter, or of the task that made it."""
    return f"{FOLDER}/{organization_id.hex}/{key}"
