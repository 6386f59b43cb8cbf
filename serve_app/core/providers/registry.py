"""The providers of an installation: those whose keys it has. A new one is one more line here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Final, cast

from pydantic import SecretStr

from configs.settings import ProviderSettings, Settings
from serve_app.core.providers.base import Provider
from serve_app.core.providers.errors import HostedAbsent

# By name: where its class is, and which setting holds its key. The module, and with it the SDK, is
# imported only where it is used.
_PROVIDERS: Final[Mapping[str, tuple[str, str]]] = {
    "fal": ("serve_app.core.providers.fal:Fal", "fal_key"),
    "claude": ("serve_app.core.providers.claude:Claude", "anthropic_api_key"),
    "gemini": ("serve_app.core.providers.gemini:Gemini", "gemini_api_key"),
}
# By one process, to one provider.
_HANDED_IN_AT_ONCE: Final = 4


def settings_of(settings: Settings, name: str) -> ProviderSettings:
    """The settings of a provider."""
    return cast("ProviderSettings", getattr(settings, name))


def configured(settings: Settings) -> tuple[str, ...]:
    """Names of the providers that have a key."""
    return tuple(name for name, (_, key) in _PROVIDERS.items() if getattr(settings, key))


class Providers:
    """The providers of one process, each opened when it is first asked for something."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: dict[str, Provider] = {}
        self._gates: dict[str, asyncio.Semaphore] = {}
        self.names = configured(settings)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    async def load(self, names: Collection[str]) -> None:
        """Import the SDKs of those among ``names`` before somebody waits for their first call: some
        take seconds, and the event loop would stand still."""
        for name in self.names:
            if name in names:
                await asyncio.to_thread(import_module, _PROVIDERS[name][0].partition(":")[0])

    def get(self, name: str) -> Provider:
        """The provider of that name.

        Raises:
            HostedAbsent: there is no key for it.
        """
        if name not in self.names:
            raise HostedAbsent(name)
        if name not in self._opened:
            target, key_field = _PROVIDERS[name]
            module, _, attribute = target.partition(":")
            make: Callable[[SecretStr, ProviderSettings], Provider]
            make = getattr(import_module(module), attribute)
            key: SecretStr = getattr(self._settings, key_field)
            self._opened[name] = make(key, settings_of(self._settings, name))
        return self._opened[name]

    def gate(self, name: str) -> asyncio.Semaphore:
        """Lets a few calls through at once that are being handed in."""
        return self._gates.setdefault(name, asyncio.Semaphore(_HANDED_IN_AT_ONCE))

    async def aclose(self) -> None:
        """Close the connections of those that were opened."""
        for provider in self._opened.values():
            await provider.aclose()
        self._opened.clear()
