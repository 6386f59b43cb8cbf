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
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition
from typing import Any

import torch

from deployments.generation.contracts import Pause

# Fewer rows than this keep one core less busy than they keep two.
ROWS_PER_LANE = 6


class Lanes:
    """The threads, and how a call's images are divided among them.

    Args:
        enabled: unset where the device is no CPU: everything is one lane.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        # Those of a call that stands still, and those of the one that runs meanwhile.
        self._executor = ThreadPoolExecutor(2 * (os.cpu_count() or 1), thread_name_prefix="lane")

    def divide(self, images: int, rows_per_image: int) -> list[range]:
        """Which images each lane makes; a single range if it is not worth dividing them."""
        threads = torch.get_num_threads() if self._enabled else 1
        lanes = max(1, min(threads, images * rows_per_image // ROWS_PER_LANE, images))
        bounds = [images * lane // lanes for lane in range(lanes + 1)]
        return [range(a, b) for a, b in itertools.pairwise(bounds)]

    def run(
        self, pipeline: Any, parts: Sequence[Callable[[Meeting], dict[str, Any]]], pause: Pause
    ) -> torch.Tensor:
        """Call the pipeline once for each of ``parts``, all at the same time.

        Args:
            pipeline: which is left as it is.
            parts: the arguments of each call; it comes to the meeting after each of its steps.
            pause: what may run while all of them stand still.

        Returns:
            The latents of all, in order.
        """
        meeting = Meeting(len(parts), pause)
        if len(parts) == 1:
            return _latents(pipeline, parts[0](meeting))
        threads = torch.get_num_threads()
        each = threads // len(parts)

        def rest() -> None:
            torch.set_num_threads(threads)
            try:
                pause.work()
            finally:
                torch.set_num_threads(each)

        try:
            work = [self._executor.submit(_lane, each, pipeline, part, meeting) for part in parts]
            meeting.hold(rest)
            return torch.cat([lane.result() for lane in work])
        finally:
            # OpenMP's number of threads is a thread's own, but MKL's is the process's.
            torch.set_num_threads(threads)


class Meeting:
    """Where the lanes of a call stand still together, so that another call can run.

    That one runs in the thread of the call and not in a lane's, whose OpenMP starts no threads.

    Args:
        lanes: how many there are.
        pause: what is to run.
    """

    def __init__(self, lanes: int, pause: Pause) -> None:
        self._is_lone = lanes == 1
        self._lanes, self._pause = lanes, pause
        self._changed = Condition()
        self._standing = 0
        self._held = 0

    def come(self) -> None:
        """Called by a lane between two steps; returns when it may go on."""
        is_wanted = self._pause.is_wanted()
        if self._is_lone:
            if is_wanted:
                self._pause.work()
            return
        with self._changed:
            # Whoever stands waits for all, even if there is nothing to do any more.
            if not is_wanted and not self._standing:
                return
            self._standing += 1
            self._changed.notify_all()
            held = self._held
            self._changed.wait_for(lambda: self._held > held)

    def leave(self) -> None:
        """Called by a lane that has ended."""
        with self._changed:
            self._lanes -= 1
            self._changed.notify_all()

    def hold(self, work: Callable[[], None]) -> None:
        """Do the work whenever all lanes that are left stand still, until none is left."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._standing == self._lanes)
                if not self._lanes:
                    return
            try:
                work()
            finally:
                with self._changed:
                    self._standing = 0
                    self._held += 1
                    self._changed.notify_all()


def _lane(
    threads: int,
    pipeline: Any,
    part: Callable[[Meeting], dict[str, Any]],
    meeting: Meeting,
) -> torch.Tensor:
    torch.set_num_threads(threads)
    try:
        # Which mode torch is in is a thread's own.
        with torch.inference_mode():
            return _latents(pipeline, part(meeting))
    finally:
        meeting.leave()


def _latents(pipeline: Any, arguments: dict[str, Any]) -> torch.Tensor:
    # A pipeline keeps the state of its call, and its scheduler that of the denoising.
    own = copy.copy(pipeline)
    own.scheduler = copy.deepcopy(pipeline.scheduler)
    latents: torch.Tensor = own(**arguments, output_type="latent", return_dict=False)[0]
    return latents
