"""Everything that the next step depends on, as one piece of bytes.

A checkpoint is a magic word, the SHA-256 of the rest, and a safetensors file with figures in its
header: nothing in it is code, and half a checkpoint never passes for a whole one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from safetensors.torch import load, save

from training.contracts import UnusableCheckpoint

_MAGIC: Final = b"sartiq-training\x01"
_START: Final = len(_MAGIC) + hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class State:
    """Tensors by group and name, and figures that JSON can hold."""

    groups: Mapping[str, Mapping[str, torch.Tensor]]
    figures: Mapping[str, Any]


def pack(state: State) -> bytes:
    """State → bytes."""
    tensors = {
        f"{group}/{name}": value
        for group, values in state.groups.items()
        for name, value in values.items()
    }
    payload: bytes = save(tensors, metadata={"figures": json.dumps(dict(state.figures))})
    return _MAGIC + hashlib.sha256(payload).digest() + payload


def unpack(data: bytes) -> State:
    """Bytes → state.

    Raises:
        UnusableCheckpoint: they are not those of a whole checkpoint.
    """
    if not data.startswith(_MAGIC):
        raise UnusableCheckpoint("this is no checkpoint of a training, or of another version")
    payload = data[_START:]
    if hashlib.sha256(payload).digest() != data[len(_MAGIC) : _START]:
        raise UnusableCheckpoint("the checkpoint is damaged or incomplete: its digest is wrong")
    length = int.from_bytes(payload[:8], "little")
    figures = json.loads(json.loads(payload[8 : 8 + length])["__metadata__"]["figures"])
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in load(payload).items():
        group, _, name = key.partition("/")
        groups.setdefault(group, {})[name] = value
    return State(groups, figures)
