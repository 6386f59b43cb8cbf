"""Whether an organization may queue more tasks: today, and beside what waits already."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from db.repositories.limits import TaskAdmission
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.core.errors import TooManyRequests, Unavailable
from serve_app.core.resources import Resources

# In how long a full queue may have room: what runs ends in seconds to minutes.
_FULL_RETRY_SECONDS = 30


class DailyTasksUsedUp(TooManyRequests):
    """The plan allows no more tasks on this day (UTC)."""

    code = "daily_tasks_used_up"

    def __init__(self, retry_after: int, detail: str = "Daily task limit reached") -> None:
        super().__init__(retry_after, detail)


class QueueFull(Unavailable):
    """As many tasks wait as may; nothing of the request was queued."""

    code = "queue_full"
    default_detail = "The queue is full, try again later"

    def headers(self) -> dict[str, str]:
        """When to try again."""
        return {"Retry-After": str(_FULL_RETRY_SECONDS)}


async def admit(
    session: WriteSession,
    scope: OrganizationScope,
    resources: Resources,
    queues: Iterable[str],
    *,
    counted: int | None = None,
) -> None:
    """Let tasks in that this transaction queues, all of them or none.

    Requests of one organization wait here for each other, until their transactions end: so its own
    bounds are exact. The bound of all organizations may be passed by what is queued at one moment.

    Args:
        session: of the transaction.
        scope: whose tasks they are.
        resources: of the process.
        queues: the queue of each task.
        counted: tasks of the day among what is asked for; None: these tasks. They are what
            requests to the Compute API make; images of the studio cost credits instead.

    Raises:
        DailyTasksUsedUp, QueueFull: as they say.
    """
    wanted = Counter(queues)
    admission = TaskAdmission(session, scope)
    plan = await resources.limiter.plan_of(scope.organization_id)
    number = wanted.total() if counted is None else counted
    if not await admission.count(number, at_most=plan.tasks_per_day if number else None):
        raise DailyTasksUsedUp(_seconds_of_this_day())
    limits = resources.settings.limits
    for queue, (own, everybody) in (await admission.pending(wanted)).items():
        more = wanted[queue]
        if own + more > limits.pending_per_organization or everybody + more > limits.pending:
            raise QueueFull


def _seconds_of_this_day() -> int:
    now = datetime.now(UTC)
    tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
    return max(1, math.ceil((tomorrow - now).total_seconds()))
