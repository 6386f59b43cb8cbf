"""Names of stored objects: checked here, and nowhere else."""

from __future__ import annotations

import mimetypes
import re
from typing import ClassVar

from serve_app.core.errors import BadRequest

# A segment starts with no dot: neither "..", nor a hidden file, nor one of our temporary files.
_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_PATH = re.compile(f"{_SEGMENT}(?:/{_SEGMENT})*")
_MAX_LENGTH = 512
# Only Python's own table: /etc/mime.types would make the answer depend on the machine.
_TYPES = mimetypes.MimeTypes()
_TYPES.add_type("image/webp", ".webp")
_TYPES.add_type("image/avif", ".avif")
_DEFAULT_TYPE = "application/octet-stream"


class InvalidPath(BadRequest):
    """A name that no stored object can have."""

    code = "invalid_path"
    default_detail: ClassVar[str] = "Not a valid path of a stored object"


def check_path(path: str) -> str:
    """The path, if an object may have it: ``folder/folder/name.ext`` of ``[A-Za-z0-9._-]``.

    Raises:
        InvalidPath: it may not.
    """
    if len(path) > _MAX_LENGTH or not _PATH.fullmatch(path):
        raise InvalidPath
    return path


def check_prefix(prefix: str) -> str:
    """A folder as ``folder/`` for comparing with paths; the empty prefix is everything.

    Raises:
        InvalidPath: no object can lie there.
    """
    return f"{check_path(prefix.removesuffix('/'))}/" if prefix else ""


def content_type_of(path: str) -> str:
    """The media type that the path's suffix stands for.

    Objects carry no other: a folder of files stays a folder of files, and both stores agree.
    """
    kind, encoding = _TYPES.guess_type(path)
    return kind if kind and encoding is None else _DEFAULT_TYPE


def check_content_type(path: str, content_type: str | None) -> str:
    """The media type to store an object with.

    Raises:
        ValueError: the suffix of the path says something else.
    """
    implied = content_type_of(path)
    if content_type not in {None, implied}:
        raise ValueError(f"{path!r} is {implied} by its suffix, not {content_type}")
    return implied
