"""ZIP archives from outside: what is in them is looked at before any of it is unpacked."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import PurePosixPath
from typing import BinaryIO

from configs.settings import DatasetSettings
from serve_app.core.datasets.errors import Problem, UnusableDataset

# APPNOTE.TXT of PKWARE, 4.3.16: the record at an archive's end, before a comment of up to 64 KiB.
_END = b"PK\x05\x06"
_END_BYTES = 22
_MAX_COMMENT = 0xFFFF
# 4.3.15: stands right before it where the archive is a ZIP64.
_END64_LOCATOR = b"PK\x06\x07"
_END64_LOCATOR_BYTES = 20
# A local header (4.3.7) without its name.
_HEADER_BYTES = 30
# The list of files is read as a whole, so it is bounded first: some thousand of them.
_MAX_LIST_BYTES = 1024 * 1024
# Smaller files are no bombs, and text may repeat itself.
_RATIO_MATTERS_FROM = 1024 * 1024
_ENCRYPTED = 0x1
# Of the others, Python's readers cannot be kept from unpacking more than a file declares.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_DAMAGED = "it is damaged within the archive; pack it again"

_LITTER = {".ds_store", "thumbs.db", "desktop.ini"}
_LITTER_FOLDER = "__MACOSX"
# AppleDouble: what macOS knows of a file, beside it.
_LITTER_PREFIX = "._"
_ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"}


class Unreadable(Exception):
    """A file of the archive cannot be read; the text says why."""


class Archive:
    """An opened archive: its usable files, and what is wrong with the others.

    Args:
        file: seekable.
        limits: on its files and their sizes.

    Attributes:
        names: of the usable files, sorted, without folders and what operating systems leave behind.
        problems: of the others.

    Raises:
        UnusableDataset: it is no ZIP, or one that must not be unpacked.
    """

    def __init__(self, file: BinaryIO, limits: DatasetSettings) -> None:
        _check_list(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise _refused("this is not a ZIP archive, or it is damaged") from error
        infos = self._zip.infolist()
        _check_extents(infos)
        _check_total(infos, limits)
        self.problems: list[Problem] = []
        self._files: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            if not info.is_dir() and not _is_litter(info.filename):
                self._take(info, limits)
        self.names = sorted(self._files)

    def _take(self, info: zipfile.ZipInfo, limits: DatasetSettings) -> None:
        name = str(PurePosixPath(info.filename))
        reason = _reason_against(info, limits)
        if reason is None and name in self._files:
            reason = "the archive has several files of this name"
        if reason is None:
            self._files[name] = info
        else:
            # A name cut off at a NUL is not the one that was meant.
            self.problems.append(Problem(info.orig_filename.replace("\0", "\\0"), reason))

    def size(self, name: str) -> int:
        """Bytes of a file, unpacked."""
        return self._files[name].file_size

    def read(self, name: str) -> bytes:
        """A file: never more than it declares.

        Raises:
            Unreadable: it is damaged.
        """
        size = self.size(name)
        try:
            with self._zip.open(self._files[name]) as file:
                # Without a number, all that the file really unpacks to would be in memory first.
                data = file.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise Unreadable(_DAMAGED) from error
        if len(data) != size:
            raise Unreadable(_DAMAGED)
        return data


def _refused(reason: str) -> UnusableDataset:
    return UnusableDataset([Problem("", reason)])


def _check_list(file: BinaryIO) -> None:
    """Refuse a list of files that is too long to be read."""
    size = file.seek(0, 2)
    tail_bytes = min(size, _END_BYTES + _MAX_COMMENT + _END64_LOCATOR_BYTES)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    file.seek(0)
    end = tail.rfind(_END)
    if end < 0 or end + _END_BYTES > len(tail):
        raise _refused("this is not a ZIP archive, or it is cut off")
    if tail[max(0, end - _END64_LOCATOR_BYTES) :].startswith(_END64_LOCATOR):
        raise _refused("this is a ZIP64 archive; pack fewer files, without that extension")
    if int.from_bytes(tail[end + 12 : end + 16], "little") > _MAX_LIST_BYTES:
        raise _refused("the archive has too many files")


def _check_extents(infos: list[zipfile.ZipInfo]) -> None:
    """Refuse files that share their bytes: a few kilobytes would unpack to terabytes
    (Fifield, "A better zip bomb", 2019)."""
    for first, second in pairwise(sorted(infos, key=lambda info: info.header_offset)):
        if first.header_offset + _HEADER_BYTES + first.compress_size > second.header_offset:
            raise _refused("files of the archive overlap: it is damaged, or made to do damage")


def _check_total(infos: list[zipfile.ZipInfo], limits: DatasetSettings) -> None:
    total = sum(info.file_size for info in infos)
    if total > limits.max_unpacked_bytes:
        raise _refused(
            f"its files have {total:,} bytes unpacked; at most {limits.max_unpacked_bytes:,} are "
            "taken"
        )


def _is_litter(name: str) -> bool:
    *folders, last = PurePosixPath(name).parts or ("",)
    return _LITTER_FOLDER in folders or last.lower() in _LITTER or last.startswith(_LITTER_PREFIX)


def _reason_against(info: zipfile.ZipInfo, limits: DatasetSettings) -> str | None:
    return next(_reasons_against(info, limits), None)


def _reasons_against(info: zipfile.ZipInfo, limits: DatasetSettings) -> Iterator[str]:
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    if "\0" in name or "\\" in name:
        yield "its name has characters that names in an archive must not have"
    if name.startswith("/") or name[1:2] == ":":
        yield "its name is an absolute path; pack it under a relative one"
    if ".." in name.split("/"):
        yield "its name leads out of the archive"
    if kind == stat.S_IFLNK:
        yield "it is a symbolic link; pack the file itself"
    if kind not in {0, stat.S_IFREG}:
        yield "it is no ordinary file"
    if info.flag_bits & _ENCRYPTED:
        yield "it is encrypted; pack it without a password"
    if info.compress_type not in _METHODS:
        yield "it is packed in a way that is not supported; use Deflate"
    if PurePosixPath(name).suffix.lower() in _ARCHIVES:
        yield "it is an archive within the archive; pack its files themselves"
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > _RATIO_MATTERS_FROM and ratio > limits.max_ratio:
        yield f"it unpacks to {ratio:,.0f} times its size, which no picture does"
