"""The processes that share each batch: which one this is, and sums over all of them.

Ray Train sets the process group up; without one, this process is the whole team.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed


def rank() -> int:
    """The number of this process, from 0; 0 reports and saves."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    """How many processes share each batch."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


class PeerLost(Exception):
    """Another process of the team has ended, or cannot be reached; this one cannot go on alone."""


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    # Gloo raises nothing more specific; NCCL's own errors are of this class as well.
    except RuntimeError as error:
        raise PeerLost(str(error)) from error


def add_up(tensors: Sequence[torch.Tensor]) -> None:
    """Replace each tensor by its sum over the team.

    All of them travel as one message: an adapter's gradients are many and small, so that one
    message costs less than overlapping hundreds of them with the backward pass.

    Raises:
        PeerLost: not everybody is there any more.
    """
    if size() == 1:
        return
    flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
    with _together():
        distributed.all_reduce(flat)
    start = 0
    for tensor in tensors:
        stop = start + tensor.numel()
        tensor.copy_(flat[start:stop].view_as(tensor))
        start = stop


def own_share(count: int) -> range:
    """The items that this process works out of ``count`` that are shared out."""
    return range(rank(), count, size())


def gather(own: Sequence[Any], count: int) -> list[Any]:
    """All items in order, of which each process made its `own_share`.

    Raises:
        PeerLost: not everybody is there any more.
    """
    if size() == 1:
        return list(own)
    parts: list[Any] = [None] * size()
    with _together():
        distributed.all_gather_object(parts, list(own))
    return [parts[index % size()][index // size()] for index in range(count)]
