"""The documentation of settings is complete, and names no setting that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import BaseModel

from configs.settings import Settings
from tests.architecture.sources import CHECKOUT


def _variables() -> Iterator[str]:
    plain = {"database_url", "storage_url", "api_key", "otel_exporter_otlp_endpoint"}
    plain |= {"fal_key", "anthropic_api_key", "gemini_api_key"}
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from (f"SARTIQ_{name}_{inner}".upper() for inner in section.model_fields)
        elif name in plain or name.startswith("first_superuser"):
            yield name.upper()
        else:
            yield f"SARTIQ_{name}".upper()


def test_every_setting_is_documented() -> None:
    text = (CHECKOUT / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE))
    assert documented == set(_variables())


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (CHECKOUT / "README.md").read_text()
    targets = re.findall(r"\]\(([^)#:]+)\)", text)
    assert targets
    assert not [target for target in targets if not (CHECKOUT / target).exists()]
