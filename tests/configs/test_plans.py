"""The tiers: as agreed, and wrong files refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.catalog import CatalogError
from configs.plans import load_plans
from configs.settings import LimitSettings, Settings, StudioSettings

SETTINGS = Settings(environment="test")


def test_the_tiers() -> None:
    plans = load_plans(SETTINGS)
    assert plans.default.tier == "starter"
    limits = {
        tier: (one.requests_per_minute, one.concurrent_tasks, one.tasks_per_day)
        for tier, one in plans.items()
    }
    assert limits == {
        "starter": (60, 5, 500),
        "professional": (300, 25, 5000),
        "enterprise": (1000, 100, None),
        "internal": (600_000, None, None),
    }


@pytest.mark.parametrize("tier", ["starter", "professional", "enterprise"])
def test_limits_of_operations(tier: str) -> None:
    limits = {
        name: (rate.requests, rate.seconds, rate.per)
        for name, rate in load_plans(SETTINGS)[tier].operations.items()
    }
    assert limits == {
        "create_generation": (30, 60, "organization"),
        "create_training": (5, 3600, "organization"),
        "create_workflow": (20, 60, "organization"),
        "monitoring": (120, 60, "user"),
    }


def test_the_platforms_own_tier() -> None:
    assert SETTINGS.platform_tier == "internal"
    production = SETTINGS.model_copy(update={"environment": "production"})
    assert production.platform_tier is None
    chosen = {"limits": LimitSettings(platform_tier="gold")}
    assert production.model_copy(update=chosen).platform_tier == "gold"
    with pytest.raises(CatalogError, match="SARTIQ_LIMITS_PLATFORM_TIER"):
        load_plans(SETTINGS.model_copy(update=chosen))


def test_another_default() -> None:
    settings = SETTINGS.model_copy(update={"studio": StudioSettings(default_tier="enterprise")})
    assert load_plans(settings).default.credits_per_period == 50_000
    settings = SETTINGS.model_copy(update={"studio": StudioSettings(default_tier="gold")})
    with pytest.raises(CatalogError, match="SARTIQ_STUDIO_DEFAULT_TIER"):
        load_plans(settings)


@pytest.mark.parametrize("content", ["", "[]", "starter:", "starter: {title: Starter}"])
def test_mistakes_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "plans.yaml"
    path.write_text(content)
    with pytest.raises(CatalogError, match=r"plans\.yaml"):
        load_plans(SETTINGS, path)
