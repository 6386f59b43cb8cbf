"""Divide the images of a pipeline call among threads that share nothing, on a CPU.

Threads that work on one operation together wait for each other after it, some 700 times a step, so
whatever interrupts one stops them all; on a server something always does. So a call of many images
becomes one call per lane, each with its own cores, and they meet when both are done. (Known as
multi-instance inference.)

A lane must not let OpenMP start threads that another one does not need: with more of them than
cores libgomp no longer spins while it waits, which makes a lone picture a third slower ever after.
"""

from __future__ import annotations

import copy
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

# Fewer rows than this keep one core less busy than they keep two.
ROWS_PER_LANE = 6


class Lanes:
    """The threads, and how a call's images are divided among them.

    Args:
        enabled: unset where the device is no CPU: everything is one lane.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._executor = ThreadPoolExecutor(thread_name_prefix="lane")

    def divide(self, images: int, rows_per_image: int) -> list[range]:
        """Which images each lane makes; a single range if it is not worth dividing them."""
        threads = torch.get_num_threads() if self._enabled else 1
        lanes = max(1, min(threads, images * rows_per_image // ROWS_PER_LANE, images))
        bounds = [images * lane // lanes for lane in range(lanes + 1)]
        return [range(a, b) for a, b in itertools.pairwise(bounds)]

    def run(self, pipeline: Any, parts: list[dict[str, Any]]) -> torch.Tensor:
        """Call the pipeline with each of ``parts`` at once; the latents of all, in order."""
        if len(parts) == 1:
            return _latents(pipeline, parts[0])
        threads = torch.get_num_threads()
        each = threads // len(parts)
        try:
            work = [self._executor.submit(_lane, each, pipeline, part) for part in parts]
            return torch.cat([lane.result() for lane in work])
        finally:
            # OpenMP's number of threads is a thread's own, but MKL's is the process's.
            torch.set_num_threads(threads)


def _lane(threads: int, pipeline: Any, arguments: dict[str, Any]) -> torch.Tensor:
    torch.set_num_threads(threads)
    # A pipeline keeps the state of its call, and its scheduler that of the denoising.
    own = copy.copy(pipeline)
    own.scheduler = copy.deepcopy(pipeline.scheduler)
    # Which mode torch is in is a thread's own as well.
    with torch.inference_mode():
        return _latents(own, arguments)


def _latents(pipeline: Any, arguments: dict[str, Any]) -> torch.Tensor:
    latents: torch.Tensor = pipeline(**arguments, output_type="latent", return_dict=False)[0]
    return latents
