"""From an archive to pictures with captions, or to the list of what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import BinaryIO

from configs.settings import DatasetSettings, MediaSettings
from serve_app.core.datasets.archive import Archive, Unreadable
from serve_app.core.datasets.captions import Captions, is_metadata, is_text
from serve_app.core.datasets.errors import Problem, UnusableDataset
from serve_app.core.images import InvalidImage, inspect_image

_NAMED = 5


@dataclass(frozen=True, slots=True)
class DatasetPicture:
    """A picture to learn from.

    ``width`` and ``height`` are in pixels, upright; ``data`` is the file, where it was asked for.
    """

    name: str
    caption: str | None
    width: int
    height: int
    sha256: str
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A usable archive: its pictures by name, and what its owner may want to know."""

    pictures: tuple[DatasetPicture, ...]
    warnings: tuple[str, ...]

    @property
    def captions(self) -> int:
        """How many of the pictures have one."""
        return sum(picture.caption is not None for picture in self.pictures)


def read_dataset(
    file: BinaryIO, limits: DatasetSettings, media: MediaSettings, *, keep_files: bool = False
) -> Dataset:
    """Check an archive down to the last pixel of each picture. One picture is in memory at a time
    unless their files are kept.

    Args:
        file: a ZIP of JPEG, PNG, WebP or AVIF pictures, with a caption in ``name.txt`` beside
            ``name.jpg`` or in a ``metadata.jsonl`` of lines ``{"file_name": …, "text": …}``.
        limits: on the archive.
        media: on each picture.
        keep_files: whether to answer the pictures' files too.

    Raises:
        UnusableDataset: with every file that is wrong, and why.
    """
    archive = Archive(file, limits)
    names = [name for name in archive.names if not (is_text(name) or is_metadata(name))]
    if len(names) > limits.max_images:
        reason = f"it has {len(names)} pictures; at most {limits.max_images} are taken"
        raise UnusableDataset([*archive.problems, Problem("", reason)])
    captions = _captions(archive, names)
    problems = [*archive.problems, *captions.problems]
    pictures: dict[str, DatasetPicture] = {}
    for name in names:
        try:
            picture = _picture(archive, name, captions, media, keep_files=keep_files)
        except (Unreadable, InvalidImage) as error:
            problems.append(Problem(name, _plain(error)))
            continue
        if (twin := pictures.get(picture.sha256)) is not None:
            problems.append(Problem(name, f"it is the same picture as {twin.name}"))
            continue
        pictures[picture.sha256] = picture
    if len(pictures) < limits.min_images:
        problems.append(Problem("", _too_few(len(pictures), len(names), limits.min_images)))
    if problems:
        raise UnusableDataset(problems)
    return Dataset(tuple(pictures.values()), tuple(_warnings(pictures.values(), captions)))


def _captions(archive: Archive, pictures: list[str]) -> Captions:
    captions = Captions()
    for name in filter(is_metadata, archive.names):
        captions.take_metadata(archive, name, set(pictures))
    by_stem = {name.removesuffix(PurePosixPath(name).suffix): name for name in pictures}
    for name in filter(is_text, archive.names):
        captions.take_text(archive, name, by_stem)
    return captions


def _picture(
    archive: Archive, name: str, captions: Captions, media: MediaSettings, *, keep_files: bool
) -> DatasetPicture:
    data = archive.read(name)
    info = inspect_image(data, media)
    kept = data if keep_files else b""
    return DatasetPicture(
        name, captions.texts.get(name), info.width, info.height, info.sha256, kept
    )


def _plain(error: Unreadable | InvalidImage) -> str:
    """Why a file is unusable, without the words that begin every refusal."""
    return str(error).removeprefix("Invalid input: ")


def _too_few(usable: int, found: int, least: int) -> str:
    of = "" if usable == found else f" of {found}"
    noun = "picture" if usable == 1 and not of else "pictures"
    return f"it has {usable}{of} {noun} that can be used; at least {least} are needed"


def _warnings(pictures: Iterable[DatasetPicture], captions: Captions) -> list[str]:
    without = [one.name for one in pictures if one.caption is None]
    warnings = []
    if without and captions.texts:
        warnings.append(f"{len(without)} pictures have no caption: {_some(without)}")
    if captions.doubled:
        doubled = _some(captions.doubled)
        warnings.append(f"These have two captions; that in their .txt file counts: {doubled}")
    return warnings


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
