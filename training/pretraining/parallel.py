"""Data parallelism over processes of one thread each.

On a shared machine this beats threads by far: threads meet hundreds of times in a step, and
each time the slowest one decides, whereas these processes meet once, to average gradients.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.multiprocessing.spawn import spawn


def run(workers: int, work: Callable[..., None], *arguments: Any) -> None:
    """Call `work(*arguments)` in `workers` processes that can average their gradients."""
    if workers == 1:
        torch.set_num_threads(1)
        work(*arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = (Path(folder) / "meeting").as_uri()
        spawn(_join, (workers, meeting, work, arguments), nprocs=workers)


def _join(
    rank: int, workers: int, meeting: str, work: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    torch.set_num_threads(1)
    _leave_with_parent()
    distributed.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=workers, timeout=timedelta(hours=2)
    )
    work(*arguments)
    # Whoever leaves first must not take away what another is still being sent.
    distributed.barrier()
    distributed.destroy_process_group()


def _leave_with_parent() -> None:
    """End this process when its parent is gone: two trainings must not share one state file."""
    # Not `os.getppid`: the parent may be gone before this process has got so far as to ask.
    parent = multiprocessing.parent_process()
    assert parent is not None  # `spawn` has started it.

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def rank() -> int:
    """The number of this process, from 0; 0 logs and saves."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    """How many processes share each batch."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes."""
    if size() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= size()
    start = 0
    for gradient in gradients:
        stop = start + gradient.numel()
        gradient.copy_(flat[start:stop].view_as(gradient))
        start = stop


def owners(costs: Sequence[float]) -> list[int]:
    """For each piece of work the process that does it, so that all have about as much to do."""
    loads = [0.0] * size()
    chosen = [0] * len(costs)
    for index in sorted(range(len(costs)), key=lambda index: -costs[index]):
        owner = loads.index(min(loads))
        chosen[index] = owner
        loads[owner] += costs[index]
    return chosen


@torch.no_grad()
def share(tensors: Sequence[torch.Tensor], owners: Sequence[int]) -> None:
    """Overwrite each tensor, in every process, with that of its owner."""
    if size() == 1:
        return
    for owner in range(size()):
        owned = [tensor for tensor, one in zip(tensors, owners, strict=True) if one == owner]
        if not owned:
            continue
        flat = torch.cat([tensor.reshape(-1) for tensor in owned])
        distributed.broadcast(flat, src=owner)
        parts = flat.split([tensor.numel() for tensor in owned])
        for tensor, part in zip(owned, parts, strict=True):
            tensor.copy_(part.view_as(tensor))
