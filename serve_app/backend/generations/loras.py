"""The LoRAs of a shot: those of its look's subject, product, second product and style."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from configs.catalog import ModelEntry
from db.models import Adapter
from db.repositories.adapters import AdapterRepository
from db.repositories.scope import OrganizationScope
from db.repositories.shot_inputs import ShotInputs
from db.session import ReadSession
from serve_app.core.adapters import DEFAULT_WEIGHT, pinned
from serve_app.core.errors import Conflict


class LoraIsGone(Conflict):
    """Images cannot be made again without a LoRA that they were made with."""

    code = "lora_deleted"


@dataclass(frozen=True, slots=True)
class ShotLoras:
    """What a model is given, in the order of importance, and what it is not.

    Attributes:
        used: by id.
        notes: on each that is left out, for whoever looks at the images.
    """

    used: Mapping[UUID, Adapter]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, inputs: ShotInputs, entry: ModelEntry) -> ShotLoras:
        """Those that the model can use. One of another model is left out and not refused: the words
        of its subject stay in the prompt, and another model can be tried on the same shot."""
        used: dict[UUID, Adapter] = {}
        notes = []
        for part, adapter in _parts(inputs):
            name = f"The LoRA {adapter.name}@{adapter.version} of the {part}"
            if adapter.base_model != entry.name:
                notes.append(f"{name} is left out: it was made for {adapter.base_model}")
            elif adapter.id not in used and len(used) == entry.limits.max_loras:
                notes.append(f"{name} is left out: the model takes {entry.limits.max_loras}")
            else:
                used[adapter.id] = adapter
        return cls(used, tuple(notes))

    def pins(self) -> list[dict[str, Any]]:
        """As they stand in a task's config."""
        return [pinned(adapter, DEFAULT_WEIGHT) for adapter in self.used.values()]

    def named(self, phrase: str, lora_id: UUID | None) -> str:
        """A phrase of the prompt, with the trigger word of a LoRA that is used before it, as it
        stands in the captions that the LoRA was trained on."""
        adapter = None if lora_id is None else self.used.get(lora_id)
        word = adapter.trigger_word if adapter is not None else None
        if not word or word.casefold() in phrase.casefold():
            return phrase
        return f"{word}, {phrase}" if phrase else word


def _parts(inputs: ShotInputs) -> Iterator[tuple[str, Adapter]]:
    second = inputs.further_products[0].lora_id if inputs.further_products else None
    for part, lora_id in (
        ("subject", inputs.subject.lora_id),
        ("product", inputs.product.lora_id),
        ("second product", second),
        ("style", inputs.style.lora_id if inputs.style else None),
    ):
        if lora_id is not None:
            yield part, inputs.adapters[lora_id]


async def check_loras(
    session: ReadSession, scope: OrganizationScope, pins: Sequence[Mapping[str, Any]]
) -> None:
    """Look whether the LoRAs of a task's config are still there.

    Raises:
        LoraIsGone: one is not.
    """
    there = await AdapterRepository(session, scope).get_many({UUID(pin["id"]) for pin in pins})
    for pin in pins:
        if UUID(pin["id"]) not in there:
            name = f"{pin['name']}@{pin['version']}"
            raise LoraIsGone(f"The LoRA {name} has been deleted: these images cannot be made again")
