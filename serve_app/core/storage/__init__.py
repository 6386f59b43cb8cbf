"""Object storage: one interface, a local folder or an S3 server behind it."""

from serve_app.core.storage.base import (
    ObjectNotFound,
    ObjectStore,
    StorageFull,
    StorageUnavailable,
    StoredObject,
)
from serve_app.core.storage.factory import open_store
from serve_app.core.storage.paths import InvalidPath, check_path, content_type_of

__all__ = [
    "InvalidPath",
    "ObjectNotFound",
    "ObjectStore",
    "StorageFull",
    "StorageUnavailable",
    "StoredObject",
    "check_path",
    "content_type_of",
    "open_store",
]
