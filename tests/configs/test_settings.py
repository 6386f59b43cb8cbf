"""Settings: typed, complete, and unwilling to start a production without secrets."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from configs.secrets import DevelopmentSecrets
from configs.settings import Settings

PRODUCTION = {
    "SARTIQ_ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://u:p@db/sartiq",
    "STORAGE_URL": "s3://k:s@minio:9000/bucket",
    "API_KEY": "a-long-enough-key",
    "FIRST_SUPERUSER_PASSWORD": "a-long-enough-password",
    "SARTIQ_SECRET_KEY": "a-long-enough-secret",
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in PRODUCTION:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SARTIQ_HOME", str(tmp_path))


def test_sections_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARTIQ_HTTP_PORT", "9000")
    monkeypatch.setenv("SARTIQ_QUEUE_LEASE_SECONDS", "20")
    monkeypatch.setenv("SARTIQ_FETCH_ALLOWED_PRIVATE_HOSTS", "cdn.brand.test, Media.brand.test")
    settings = Settings()
    assert settings.http.port == 9000
    assert settings.queue.lease_seconds == 20
    assert settings.fetch.allowed_private_hosts == ("cdn.brand.test", "media.brand.test")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SARTIQ_HTTP_PORT", "70000"),
        ("SARTIQ_HTTP_PROT", "8000"),
        ("SARTIQ_QUEUE_HEARTBEAT_SECONDS", "11"),
        ("SARTIQ_ENVIRONMENT", "prod"),
    ],
)
def test_mistakes_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_development_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: DevelopmentSecrets.load_or_create(tmp_path), range(8)))
    assert len(set(made)) == 1
    file = tmp_path / "secrets.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["api_key"] == made[0].api_key
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]
    assert Settings().api_key.get_secret_value() == made[0].api_key


def test_a_given_secret_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "mine")
    assert Settings().api_key.get_secret_value() == "mine"


def test_production_starts_when_everything_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    assert Settings().environment == "production"


@pytest.mark.parametrize("missing", [name for name in PRODUCTION if name != "SARTIQ_ENVIRONMENT"])
def test_production_refuses_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    for name, value in PRODUCTION.items():
        if name != missing:
            monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=missing):
        Settings()
    assert not (tmp_path / "secrets.json").exists()


def test_production_refuses_weak_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("API_KEY", "changeme")
    with pytest.raises(ValidationError, match="API_KEY"):
        Settings()


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "very-secret-key")
    assert "very-secret-key" not in repr(Settings())
