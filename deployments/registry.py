"""Model families by name. Listing them loads nothing heavy; resolving one imports its module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deployments.families.base import Family


class FamilyRegistry(Mapping[str, str]):
    """Family name to ``"module:Class"``."""

    def __init__(self) -> None:
        self._targets: dict[str, str] = {}

    def register(self, name: str, target: str) -> None:
        """Add a family.

        Raises:
            ValueError: the name is taken, or ``target`` is not ``"module:Class"``.
        """
        if name in self._targets:
            raise ValueError(f"family {name!r} is registered already, as {self._targets[name]}")
        module, colon, attribute = target.partition(":")
        if not (module and colon and attribute):
            raise ValueError(f"family {name!r}: {target!r} is not of the form 'module:Class'")
        self._targets[name] = target

    def resolve(self, name: str) -> type[Family]:
        """Import the class of a family.

        Raises:
            KeyError: no such family; the text names the known ones.
        """
        if name not in self._targets:
            known = ", ".join(sorted(self._targets))
            raise KeyError(f"unknown model family {name!r}; known families: {known}")
        family: type[Family] = import_object(self._targets[name])
        return family

    def __getitem__(self, name: str) -> str:
        return self._targets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)


def import_object(target: str) -> Any:
    """The class that ``"module:Class"`` names."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


FAMILIES = FamilyRegistry()
FAMILIES.register("sd", "deployments.families.sd:StableDiffusion")
FAMILIES.register("sd-instruct", "deployments.families.sd_instruct:StableDiffusionInstruct")
FAMILIES.register("sdxl", "deployments.families.sdxl:StableDiffusionXL")
FAMILIES.register("flux", "deployments.families.flux:Flux")
