from __future__ import annotations

from pathlib import Path

import pytest

from configs.settings import Settings, SettingsError
from serve_app.core.storage import open_store
from serve_app.core.storage.local import LocalStore
from serve_app.core.storage.s3 import S3Store


def settings(home: Path, url: str | None) -> Settings:
    return Settings(home=home, storage_url=url)


def test_a_folder_under_home_by_default(tmp_path: Path) -> None:
    store = open_store(settings(tmp_path, None))
    assert isinstance(store, LocalStore)
    assert store.root == tmp_path / "storage"


def test_folder_names_are_unescaped(tmp_path: Path) -> None:
    store = open_store(settings(tmp_path, "file:///srv/two%20words"))
    assert isinstance(store, LocalStore)
    assert store.root == Path("/srv/two words")


def test_s3_url(tmp_path: Path) -> None:
    url = "s3://key:se%2Fcret@minio.internal:9000/images?secure=false&region=eu-south-1"
    store = open_store(settings(tmp_path, url))
    assert isinstance(store, S3Store)
    place = store._location
    assert (place.endpoint, place.bucket) == ("minio.internal:9000", "images")
    assert (place.access_key, place.secret_key) == ("key", "se/cret")
    assert (place.secure, place.region) == (False, "eu-south-1")
    assert "se/cret" not in repr(place)


@pytest.mark.parametrize(
    "url",
    [
        "/var/lib/storage",
        "http://host/bucket",
        "file://server/share",
        "s3://host:9000/bucket",
        "s3://key:private@host:9000",
        "s3://key:private@host:9000/a/b",
        "s3://key:private@host:9000/B",
        "s3://key:private@host:port/bucket",
        "s3://key:private@host:9000/bucket?secure=perhaps",
        "s3://key:private@host:9000/bucket?ssl=false",
    ],
)
def test_other_urls_are_refused_without_repeating_the_secret(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="STORAGE_URL") as caught:
        open_store(settings(tmp_path, url))
    assert "private" not in str(caught.value)
