"""The captions in an archive: ``name.txt`` beside a picture, or lines of ``metadata.jsonl``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

import orjson

from serve_app.core.datasets.archive import Archive, Unreadable
from serve_app.core.datasets.errors import Problem

MAX_CHARACTERS = 2000
_MAX_TEXT_BYTES = 1024 * 1024
METADATA = "metadata.jsonl"
_TEXT = ".txt"


@dataclass(slots=True)
class Captions:
    """What the captions of an archive are, by the name of their picture.

    Attributes:
        texts: not empty; of `name.txt` where there is a line of metadata as well.
        problems: of files and lines that cannot be used.
        doubled: pictures with captions of both kinds.
    """

    texts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    def take_metadata(self, archive: Archive, name: str, pictures: set[str]) -> None:
        """Read the lines of a ``metadata.jsonl``; it is about pictures in its folder and below."""
        text = self._text(archive, name)
        folder, seen = PurePosixPath(name).parent, set[str]()
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                picture, caption = _parse(line)
            except ValueError as error:
                self.problems.append(Problem(f"{name} line {number}", str(error)))
                continue
            path = str(folder / picture)
            if path not in pictures:
                reason = f"there is no picture {picture[:MAX_CHARACTERS]!r}"
                self.problems.append(Problem(f"{name} line {number}", reason))
            elif path in seen:
                reason = f"an earlier line is about {picture!r} as well"
                self.problems.append(Problem(f"{name} line {number}", reason))
            else:
                seen.add(path)
                self._keep(path, caption)

    def take_text(self, archive: Archive, name: str, pictures: dict[str, str]) -> None:
        """Read a ``name.txt``; ``pictures`` are by their names without suffix."""
        picture = pictures.get(name.removesuffix(PurePosixPath(name).suffix))
        if picture is None:
            reason = "it is a caption, and there is no picture of its name beside it"
            self.problems.append(Problem(name, reason))
            return
        text = self._text(archive, name).strip()
        if len(text) > MAX_CHARACTERS:
            reason = f"a caption has at most {MAX_CHARACTERS:,} characters, this one {len(text):,}"
            self.problems.append(Problem(name, reason))
            return
        if picture in self.texts:
            self.doubled.append(picture)
        self._keep(picture, text)

    def _keep(self, picture: str, text: str) -> None:
        if text := " ".join(text.split()):
            self.texts[picture] = text

    def _text(self, archive: Archive, name: str) -> str:
        try:
            if archive.size(name) > _MAX_TEXT_BYTES:
                raise Unreadable(f"text has at most {_MAX_TEXT_BYTES:,} bytes")
            text = archive.read(name).decode("utf-8-sig")
            if "\0" in text:
                raise Unreadable("it has NUL characters")
        except (Unreadable, UnicodeDecodeError) as error:
            reason = str(error) if isinstance(error, Unreadable) else "it is not encoded in UTF-8"
            self.problems.append(Problem(name, reason))
            return ""
        return text


def is_metadata(name: str) -> bool:
    """Whether a file describes pictures."""
    return PurePosixPath(name).name.lower() == METADATA


def is_text(name: str) -> bool:
    """Whether a file may be a caption."""
    return PurePosixPath(name).suffix.lower() == _TEXT


def _parse(line: str) -> tuple[str, str]:
    """File name and caption of one line.

    Raises:
        ValueError: it has none; the text says what is wrong.
    """
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ValueError("it is not valid JSON") from None
    if not isinstance(entry, dict):
        raise ValueError('it is no JSON object; write {"file_name": …, "text": …}')
    name, text = entry.get("file_name"), entry.get("text")
    if not isinstance(name, str) or not name:
        raise ValueError("it has no file_name")
    if not isinstance(text, str):
        raise ValueError("its text is missing, or is no text")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"its text has more than {MAX_CHARACTERS:,} characters")
    return name, text
