"""Arithmetic that gives the same bits every time, and errors that say what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from training.contracts import InvalidTraining, Precision, TrainingOutOfMemory


@contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """The same bits on every run of the block.

    A sum over two threads is rounded otherwise than one over three, so a run keeps its number for
    life, whatever machine it goes on on. No kernel is chosen by a stopwatch, and none adds up in
    the order in which threads happen to arrive: by default even a CPU does so in the gradient of
    rows that are taken twice, as those of a caption that several pictures share.
    """
    before = torch.get_num_threads()
    cudnn = torch.backends.cudnn
    flags = cudnn.benchmark, cudnn.deterministic
    mode = torch.get_deterministic_debug_mode()
    torch.set_num_threads(threads)
    cudnn.benchmark, cudnn.deterministic = False, True
    # Where torch has no such kernel (for some on a GPU) it says so and goes on.
    torch.set_deterministic_debug_mode("warn")
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_deterministic_debug_mode(mode)
        cudnn.benchmark, cudnn.deterministic = flags


def arithmetic(precision: Precision, device: torch.device) -> torch.dtype:
    """The type of the frozen weights and of the arithmetic.

    Raises:
        InvalidTraining: the device cannot do what is asked for.
    """
    if precision == "auto":
        if device.type == "cpu":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if precision == "fp16" and device.type == "cpu":
        raise InvalidTraining("precision 'fp16' needs a GPU; on a CPU use 'fp32' or 'bf16'")
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]


@contextmanager
def memory_errors() -> Iterator[None]:
    """Out of memory, in whatever way a library says it.

    Raises:
        TrainingOutOfMemory: the block ran out of memory.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingOutOfMemory(str(error) or "out of memory") from error
    except RuntimeError as error:
        # The CPU allocator has no exception class of its own.
        if "can't allocate memory" in str(error):
            raise TrainingOutOfMemory(str(error)) from error
        raise
