"""LoRA adapters of one loaded pipeline: loaded on demand, the least recently used ones dropped."""

from __future__ import annotations

import hashlib
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployments.contracts import LoraRef
from deployments.errors import InvalidInput


class LoraAdapters:
    """Applies a request's LoRAs to a diffusers pipeline.

    Args:
        pipeline: one with a LoRA loader; the pipelines that share its components follow.
        capacity: adapters kept in memory.
    """

    def __init__(self, pipeline: Any, capacity: int) -> None:
        self._pipeline = pipeline
        self._capacity = capacity
        self._loaded: OrderedDict[str, None] = OrderedDict()

    def apply(self, loras: tuple[LoraRef, ...]) -> bool:
        """Make exactly these adapters active; answers whether the modules changed.

        Raises:
            InvalidInput: an adapter is missing or does not fit the model.
        """
        if not loras:
            if self._loaded:
                self._pipeline.disable_lora()
            return False
        changed = False
        for lora in loras:
            changed = self._load(lora) or changed
        names = [_adapter_name(lora) for lora in loras]
        self._evict(keep=set(names))
        self._pipeline.enable_lora()
        self._pipeline.set_adapters(names, adapter_weights=[lora.weight for lora in loras])
        return changed

    def _load(self, lora: LoraRef) -> bool:
        name = _adapter_name(lora)
        if name in self._loaded:
            self._loaded.move_to_end(name)
            return False
        path = Path(lora.path)
        if not path.is_file():
            raise InvalidInput(f"LoRA {lora.name!r} is missing: {path.name}")
        try:
            with _several_adapters():
                self._pipeline.load_lora_weights(
                    str(path.parent), weight_name=path.name, adapter_name=name
                )
        except Exception as error:  # a foreign file can fail in any way
            self._discard(name)
            raise InvalidInput(f"LoRA {lora.name!r} cannot be loaded: {error}") from error
        # A file without one key for this model loads without an error and changes nothing.
        if name not in self._adapters():
            raise InvalidInput(f"LoRA {lora.name!r} has no weights for this model")
        self._loaded[name] = None
        return True

    def _evict(self, keep: set[str]) -> None:
        for name in list(self._loaded):
            if len(self._loaded) <= self._capacity:
                return
            if name not in keep:
                self._discard(name)

    def _adapters(self) -> set[str]:
        by_component: dict[str, list[str]] = self._pipeline.get_list_adapters()
        return {name for names in by_component.values() for name in names}

    def _discard(self, name: str) -> None:
        self._loaded.pop(name, None)
        if name not in self._adapters():
            return
        with _several_adapters():
            self._pipeline.delete_adapters(name)


@contextmanager
def _several_adapters() -> Iterator[None]:
    """Without peft's warnings about more than one adapter in a model, which is what we want."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        warnings.filterwarnings("ignore", message="Adapter .* was active which is now deleted")
        yield


def _adapter_name(lora: LoraRef) -> str:
    """Of the file, so that one file under two names is loaded once."""
    return "lora_" + hashlib.blake2b(lora.path.encode(), digest_size=8).hexdigest()
