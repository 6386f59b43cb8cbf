"""Form pipeline calls out of waiting requests: together what can run together, and no one starves.

Free of torch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeAlias, TypeVar

from deployments.contracts import GenerationRequest, LoraRef

JobT = TypeVar("JobT", bound=Hashable)
# Whether a request is one of those that are meant.
Among: TypeAlias = Callable[[GenerationRequest], bool]


def adapters_key(loras: Iterable[LoraRef]) -> Hashable:
    """Equal for what makes the same weights: which adapters, how strongly, in whatever order."""
    return tuple(sorted((lora.digest, lora.weight) for lora in loras))


def compatibility(request: GenerationRequest) -> Hashable:
    """Requests with equal keys can share one pipeline call.

    Prompts, negative prompts, pictures and seeds are per image; everything else is per call.
    """
    has_image = request.image is not None
    return (
        request.model,
        request.width,
        request.height,
        request.steps,
        request.guidance_scale,
        has_image,
        request.image_guidance_scale if has_image else None,
        request.strength if has_image else None,
        adapters_key(request.loras),
    )


@dataclass(frozen=True, slots=True)
class Share(Generic[JobT]):
    """The part of a job that one call makes: images ``first .. first + len(request.seeds)``."""

    job: JobT
    request: GenerationRequest
    first: int


@dataclass(slots=True)
class _Waiting(Generic[JobT]):
    job: JobT
    request: GenerationRequest
    done: int = 0

    @property
    def remaining(self) -> int:
        return len(self.request.seeds) - self.done

    def take(self, count: int) -> Share[JobT]:
        first, self.done = self.done, self.done + count
        part = replace(self.request, seeds=self.request.seeds[first : first + count])
        return Share(self.job, part, first)


class Batcher(Generic[JobT]):
    """Waiting requests in the order of their arrival.

    A batch starts from the request that has waited longest and takes every compatible one along.
    Its images are dealt out one by one in turn, so that a request for many leaves room for the
    others; whoever has images left goes to the end of the queue.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Waiting[JobT]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def requests(self) -> list[GenerationRequest]:
        """Those that wait, or of which images are still to be made."""
        return [waiting.request for waiting in self._waiting]

    def images(self, among: Among = lambda _: True) -> int:
        """How many are still to be made, of the requests that are ``among`` the ones meant."""
        return sum(w.remaining for w in self._waiting if among(w.request))

    def add(self, job: JobT, request: GenerationRequest) -> None:
        """Queue a request; ``job`` is what its shares will name."""
        self._waiting.append(_Waiting(job, request))

    def discard(self, job: JobT) -> None:
        """Forget a request that has been cancelled or has failed."""
        self._waiting = deque(w for w in self._waiting if w.job != job)

    def next(self, capacity: dict[str, int], among: Among = lambda _: True) -> list[Share[JobT]]:
        """The next pipeline call, of at most ``capacity[model]`` images of the requests ``among``
        the ones meant; empty if none of them waits."""
        meant = [w for w in self._waiting if among(w.request)]
        if not meant:
            return []
        head = meant[0].request
        key = compatibility(head)
        together = [w for w in meant if compatibility(w.request) == key]
        counts = _deal([w.remaining for w in together], capacity[head.model])
        shares = [
            waiting.take(count) for waiting, count in zip(together, counts, strict=True) if count
        ]
        served = {share.job for share in shares}
        behind = [w for w in self._waiting if w.job in served and w.remaining]
        self._waiting = deque([w for w in self._waiting if w.job not in served] + behind)
        return shares


def _deal(wanted: list[int], capacity: int) -> list[int]:
    """Split ``capacity`` images one by one in turn, none getting more than it wants."""
    dealt = [0] * len(wanted)
    left = min(capacity, sum(wanted))
    while left:
        for index, limit in enumerate(wanted):
            if left and dealt[index] < limit:
                dealt[index] += 1
                left -= 1
    return dealt
