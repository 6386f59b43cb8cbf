"""Archives of pictures: good ones, and each kind that is refused."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Mapping

from tests.factories.pictures import picture

Files = Mapping[str, bytes | str]


def archive(files: Files, *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return buffer.getvalue()


def pictures(count: int = 4, folder: str = "", **options: int) -> dict[str, bytes]:
    """That many different pictures."""
    return {f"{folder}{number:02}.png": picture(**options) for number in range(count)}


def dataset(count: int = 4, **captions: str) -> bytes:
    """A usable archive; captions are by number, as ``_00="a dress"``."""
    texts = {f"{name.removeprefix('_')}.txt": text for name, text in captions.items()}
    return archive({**pictures(count), **texts})


def with_link(files: Files, name: str = "link.png", target: str = "/etc/passwd") -> bytes:
    """An archive with a symbolic link among its files."""
    return _with_mode(files, name, target.encode(), stat.S_IFLNK | 0o777)


def with_device(files: Files) -> bytes:
    """An archive with a device among its files."""
    return _with_mode(files, "null.png", b"", stat.S_IFCHR | 0o666)


def _with_mode(files: Files, name: str, data: bytes, mode: int) -> bytes:
    buffer = io.BytesIO(archive(files))
    with zipfile.ZipFile(buffer, "a") as opened:
        info = zipfile.ZipInfo(name)
        info.create_system = 3
        info.external_attr = mode << 16
        opened.writestr(info, data)
    return buffer.getvalue()


def encrypted(files: Files) -> bytes:
    """An archive whose first file says that it is encrypted."""
    data = bytearray(archive(files))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


def bomb(megabytes: int = 20) -> bytes:
    """Zeros, which pack a thousand to one."""
    return archive({**pictures(), "zeros.png": bytes(megabytes * 1024 * 1024)})


def overlapping(files: Files) -> bytes:
    """An archive whose second file begins where its first one does."""
    data = bytearray(archive(files))
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    return bytes(data)


def lying(files: Files, size: int = 1000) -> bytes:
    """An archive whose first file unpacks to more than it says."""
    data = bytearray(archive(files))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = size.to_bytes(4, "little")
    return bytes(data)
