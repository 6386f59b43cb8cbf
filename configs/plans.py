"""The tiers of subscriptions: what each gives, and how much of the platform it may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from configs.catalog import CatalogError, Entry
from configs.settings import Settings

PLANS_FILE = Path(__file__).resolve().parent / "plans.yaml"
ALL_REQUESTS = "requests"


class Rate(Entry):
    """So many requests in so many seconds: all at once, or spread out.

    ``per`` says whose they are: an organization's together, or each user's of it.
    """

    requests: int = Field(gt=0)
    seconds: int = Field(gt=0)
    per: Literal["organization", "user"] = "organization"


class Plan(Entry):
    """One tier. ``concurrent_tasks`` and ``tasks_per_day`` are None where there is no limit.

    ``operations`` holds further limits of requests, by the id of an operation of the Compute API or
    by the tag of several.
    """

    tier: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    period_days: int = Field(gt=0)
    credits_per_period: int = Field(ge=0)
    requests_per_minute: int = Field(gt=0)
    concurrent_tasks: int | None = Field(gt=0)
    tasks_per_day: int | None = Field(gt=0)
    operations: Mapping[str, Rate]

    @cached_property
    def rates(self) -> Mapping[str, Rate]:
        """Every limit of requests: ``ALL_REQUESTS`` for all together, and those of operations."""
        together = Rate(requests=self.requests_per_minute, seconds=60)
        return {ALL_REQUESTS: together, **self.operations}


class Plans(Mapping[str, Plan]):
    """Plans by tier."""

    def __init__(self, plans: Mapping[str, Plan], default: str) -> None:
        self._plans = dict(plans)
        self.default = self._plans[default]

    def __getitem__(self, tier: str) -> Plan:
        return self._plans[tier]

    def __iter__(self) -> Iterator[str]:
        return iter(self._plans)

    def __len__(self) -> int:
        return len(self._plans)


def load_plans(settings: Settings, path: Path = PLANS_FILE) -> Plans:
    """The plans of this installation; the default is the tier of organizations without another.

    Raises:
        CatalogError: the file is wrong, or has no plan of the default tier.
    """
    default = settings.studio.default_tier
    try:
        entries: dict[str, Any] = yaml.safe_load(path.read_text())
        plans = {tier: Plan(tier=tier, **values) for tier, values in entries.items()}
    except (TypeError, AttributeError, ValueError) as error:
        raise CatalogError(f"{path.name}: {error}") from error
    if default not in plans:
        raise CatalogError(f"{path.name}: no plan {default!r}; set SARTIQ_STUDIO_DEFAULT_TIER")
    if (platform := settings.platform_tier) is not None and platform not in plans:
        raise CatalogError(f"{path.name}: no plan {platform!r}; set SARTIQ_LIMITS_PLATFORM_TIER")
    return Plans(plans, default)
