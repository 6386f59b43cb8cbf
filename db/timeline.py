"""When an attempt did what, as it is stored with its task.

``tasks.timeline`` maps the number of each attempt, as text, to what is put together here. Times are
those of the runner, counted from the claim, whose time is the database's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Timeline:
    """Phases of one attempt, in their order.

    Attributes:
        attempt: its number.
        claimed_at: when it began.
        phases: name, first second, and how long it took; None while it lasts.
    """

    attempt: int
    claimed_at: datetime
    phases: list[tuple[str, float, float | None]] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def enter(self, phase: str) -> None:
        """The phase before has ended, and this one begins now, unless it lasts already."""
        if self.phases and self.phases[-1][0] == phase and self.phases[-1][2] is None:
            return
        now = self._now()
        self._end(now)
        self.phases.append((phase, now, None))

    def end(self) -> None:
        """The last phase has ended."""
        self._end(self._now())

    def divide(self, seconds: Mapping[str, float]) -> None:
        """Divide the present phase into parts that took so many seconds each, of which the last
        ends now; what is left of it before them keeps its name."""
        if not self.phases or not seconds:
            return
        name, first, _ = self.phases.pop()
        now = self._now()
        start = max(first, now - sum(seconds.values()))
        if start - first >= _SHORTEST:
            self.phases.append((name, first, round(start - first, 4)))
        for part, spent in seconds.items():
            if spent >= _SHORTEST:
                self.phases.append((part, round(start, 4), round(spent, 4)))
            start += spent

    def as_dict(self) -> dict[str, Any]:
        """What is stored: of this attempt alone."""
        content = {"claimed_at": self.claimed_at.isoformat(), "phases": list(self.phases)}
        return {str(self.attempt): content}

    def _end(self, now: float) -> None:
        if self.phases and self.phases[-1][2] is None:
            name, first, _ = self.phases[-1]
            self.phases[-1] = (name, first, round(now - first, 4))

    def _now(self) -> float:
        return round(time.monotonic() - self._began, 4)


# Seconds; a phase that is over sooner is not worth a line.
_SHORTEST = 0.0005


def read_timeline(stored: Mapping[str, Any]) -> Sequence[tuple[int, datetime, list[Any]]]:
    """Attempts as :meth:`Timeline.as_dict` stored them: number, time of the claim, phases."""
    return [
        (int(number), datetime.fromisoformat(attempt["claimed_at"]), attempt["phases"])
        for number, attempt in sorted(stored.items(), key=lambda item: int(item[0]))
    ]
