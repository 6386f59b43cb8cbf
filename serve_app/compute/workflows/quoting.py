"""The tasks that a workflow will make, before it makes any: to quote it, and to let it in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from db.repositories.queue import NewTask
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.compute.workflows.definition import Checked
from serve_app.compute.workflows.mappings import IMAGE_FIELDS, FromStep
from serve_app.compute.workflows.steps import Inputs
from serve_app.core.admission import admit
from serve_app.core.credits import credits_of
from serve_app.core.estimates import Estimate
from serve_app.core.estimates.history import Interval
from serve_app.core.estimates.reading import CostRead, EtaRead, QuoteRead
from serve_app.core.resources import Resources

Plans = Sequence[Mapping[str, Any]]

# Stands for one that a step will make.
_PICTURE: Final[Mapping[str, Any]] = {**IMAGE_FIELDS, "path": "images/of-a-step.png"}


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A step with the tasks that it will make."""

    name: str
    depends_on: Sequence[str]
    tasks: Sequence[NewTask]


def foresee(steps: Sequence[Checked], plans: Plans, priority: int) -> Iterator[Foreseen]:
    """The tasks of each step of a workflow that is settled, of made-up pictures where they are not
    known yet."""
    pictures: dict[str, Sequence[Mapping[str, Any]]] = {}
    for step, plan in zip(steps, plans, strict=True):
        name, depends_on = step.given.name, step.given.depends_on
        flow = [picture for one in depends_on for picture in pictures[one]]
        if step.type.waits:
            pictures[name] = flow
            yield Foreseen(name, depends_on, ())
            continue
        inputs = _inputs(step, plan, flow)
        tasks = [one.task for one in step.type.orders(plan["settled"], inputs, priority)]
        made = sum(int(task.config.get("num_outputs", 1)) for task in tasks)
        pictures[name] = [_PICTURE] * (made if step.type.makes_pictures else 0)
        yield Foreseen(name, depends_on, tasks)


def _inputs(step: Checked, plan: Mapping[str, Any], flow: Sequence[Mapping[str, Any]]) -> Inputs:
    pictures: dict[str, Sequence[Mapping[str, Any]]] = {
        field: [picture] for field, picture in plan["pictures"].items()
    }
    for field, source in step.sources.items():
        if isinstance(source, FromStep) and field in step.type.pictures:
            pictures[field] = [_PICTURE]
    if step.type.flow is not None:
        pictures.setdefault(step.type.flow, flow)
    # Values of pictures that are not made yet change no number of tasks.
    return Inputs(pictures, {})


async def admit_workflow(
    session: WriteSession,
    scope: OrganizationScope,
    resources: Resources,
    foreseen: Sequence[Foreseen],
) -> None:
    """Let a workflow start: all its tasks count as of today, and the first ones must find room.

    Raises:
        DailyTasksUsedUp, QueueFull: see :func:`serve_app.core.admission.admit`.
    """
    first = [task.queue for step in foreseen if not step.depends_on for task in step.tasks]
    await admit(session, scope, resources, first, counted=sum(len(one.tasks) for one in foreseen))


async def quote_workflow(
    resources: Resources, scope: OrganizationScope, foreseen: Sequence[Foreseen]
) -> QuoteRead:
    """The quote of a workflow.

    Steps that depend on nothing wait in the queue as it is now. Those behind them take what their
    tasks take when nothing else is there; a person's approval takes no time.
    """
    ends: dict[str, Interval | None] = {}
    first: list[Estimate] = []
    for step in foreseen:
        begin = _latest([ends[name] for name in step.depends_on])
        if begin is None or not step.tasks:
            ends[step.name] = begin
        elif step.depends_on:
            taken = await resources.estimator.alone(step.tasks)
            ends[step.name] = None if taken is None else begin + taken
        else:
            estimate = await resources.estimator.foresee(scope.organization_id, *step.tasks)
            first.append(estimate)
            ends[step.name] = estimate.seconds
    whole = Estimate(
        position=min((one.position for one in first), default=1),
        seconds=_latest(list(ends.values())),
        at=datetime.now(UTC),
        samples=min((one.samples for one in first), default=0),
    )
    return QuoteRead(
        dry_run=True,
        type="workflow",
        cost=CostRead(credits=sum(credits_of(task) for step in foreseen for task in step.tasks)),
        queue_position=whole.position,
        eta=EtaRead.of(whole),
    )


def _latest(ends: Sequence[Interval | None]) -> Interval | None:
    """When all have ended; None: of one that is not known."""
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    return Interval(
        max((one.p50 for one in known), default=0.0), max((one.p90 for one in known), default=0.0)
    )
