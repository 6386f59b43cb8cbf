"""When a call stands still for another one: a batch of one organization's backlog for newcomers.

A batch on a processor takes seconds. Without this whoever comes waits for the rest of it, however
short the queue in front of the replica is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from deployments.contracts import GenerationRequest


def owner_of(request: GenerationRequest) -> str:
    """The organization that a request is of; empty if it is not known."""
    return request.origin.get("organization", "")


@dataclass(slots=True)
class Turn:
    """The call that runs, in the event loop's eyes and in the worker's thread.

    Attributes:
        requests: what it makes.
        others_wait: whether it should give way; set in the event loop.
        paused: seconds for which it has stood still.
    """

    requests: Sequence[GenerationRequest]
    others_wait: bool = False
    paused: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    def gives_way(self) -> bool:
        """Whether it stands still now: no longer in all than it has run, so that newcomers who
        never end do not keep it from its end."""
        return self.others_wait and self.paused <= self._ran()

    def lets_pass(self, request: GenerationRequest) -> bool:
        """Whether it lets this one pass: somebody else's, of the model that is in use."""
        owners = {owner_of(one) for one in self.requests}
        return request.model == self.requests[0].model and owner_of(request) not in owners

    def look(self, waiting: Sequence[GenerationRequest]) -> None:
        """See whether it should give way: to a newcomer, if all for whom it works have more that
        waits. Whoever has no backlog is not made to wait longer."""
        owners = {owner_of(one) for one in self.requests}
        have_more = owners <= {owner_of(one) for one in waiting}
        self.others_wait = have_more and any(map(self.lets_pass, waiting))

    def _ran(self) -> float:
        return time.monotonic() - self._started - self.paused
