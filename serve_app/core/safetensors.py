"""The header of a safetensors file, read and checked without its tensors, and without torch.

Format: https://huggingface.co/docs/safetensors/en/index. Eight bytes say how long the header is,
the header is JSON, and the tensors' bytes follow without gaps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from serve_app.core.errors import InvalidInput, UnsupportedMedia

_LENGTH_BYTES = 8
# Names of some ten thousand tensors, and the statistics that some trainers put there.
_MAX_HEADER_BYTES = 16 * 1024 * 1024
_METADATA = "__metadata__"
# Bytes of an element, of the types that adapters have.
_DTYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
# Pickle's first opcode (protocol 2 and later), and that of a ZIP, in which torch.save puts it.
_PICKLES = (b"\x80", b"PK\x03\x04")


class PickledFile(UnsupportedMedia):
    """A file that runs code when it is opened; the text says what to do."""

    code = "pickled_file"
    default_detail = (
        "Only safetensors files are taken. A .bin, .ckpt or .pt file can run code when it is "
        "opened: save its tensors with safetensors.torch.save_file"
    )


class InvalidSafetensors(InvalidInput):
    """The file is no safetensors file, or a damaged one; the text says where."""

    code = "invalid_safetensors"


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself.

    Attributes:
        shapes: of its tensors, by name.
        metadata: free text by name.
    """

    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]


def read_header(file: BinaryIO) -> Header:
    """The header of a file that is seekable; nothing but the header is read.

    Raises:
        PickledFile: it is another kind of file, which must not be opened.
        InvalidSafetensors: it is damaged, or no such file.
    """
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(_LENGTH_BYTES)
    length = int.from_bytes(start, "little")
    if len(start) < _LENGTH_BYTES or not 2 <= length <= size - _LENGTH_BYTES:
        # Only here: the length of a good header may begin with the same bytes.
        if start.startswith(_PICKLES):
            raise PickledFile
        raise InvalidSafetensors("this is not a safetensors file, or it is cut off")
    if length > _MAX_HEADER_BYTES:
        raise InvalidSafetensors(f"its header has {length:,} bytes; at most {_MAX_HEADER_BYTES:,}")
    entries = _parse(file.read(length))
    metadata = entries.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise InvalidSafetensors("its metadata are not text")
    _check_extents(entries, size - _LENGTH_BYTES - length)
    return Header({name: tuple(one["shape"]) for name, one in entries.items()}, metadata)


def _parse(text: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(text.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InvalidSafetensors("this is not a safetensors file: its header is no JSON") from error
    if not isinstance(entries, dict):
        raise InvalidSafetensors("its header is no JSON object")
    return entries


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two tensors of one name would be one thing here and another to who loads the file."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise InvalidSafetensors("its header has a name twice")
    return entries


def _check_extents(entries: Mapping[str, Any], size: int) -> None:
    """Every tensor has the bytes that its shape needs, and together they are all that there is."""
    extents = sorted(_extent(name, entry) for name, entry in entries.items())
    end = 0
    for begin, stop in extents:
        if begin != end:
            raise InvalidSafetensors("its tensors overlap, or leave gaps")
        end = stop
    if end != size:
        raise InvalidSafetensors(f"its tensors end at byte {end:,} of {size:,}: it is damaged")


def _extent(name: str, entry: Any) -> tuple[int, int]:
    shown = name[:100]
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(begin), int(end)]}:
            if dtype not in _DTYPES:
                raise InvalidSafetensors(f"{shown!r} is of type {dtype[:20]}, not {_names()}")
            if not all(type(side) is int and side >= 0 for side in shape):
                raise InvalidSafetensors(f"{shown!r} has no valid shape")
            if begin < 0 or end - begin != math.prod(shape) * _DTYPES[dtype]:
                raise InvalidSafetensors(f"{shown!r} has not the bytes that its shape needs")
            return begin, end
    raise InvalidSafetensors(f"{shown!r} has no type, shape and place")


def _names() -> str:
    return ", ".join(_DTYPES)
