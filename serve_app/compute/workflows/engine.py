"""What moves a workflow on: from what its tasks have come to, to the next ones.

It works on workflows that its transaction has locked, and what it decides is committed together
with what it was decided on: a task's outcome, or a person's request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from db.models import OnFailure, StepStatus, TaskStatus, WorkflowStatus
from db.repositories.queue import TaskQueue
from db.repositories.scope import OrganizationScope
from db.repositories.workflow_rows import LockedStep, Placed, Run, StepTask
from db.repositories.workflow_runs import WorkflowRuns, now
from db.session import WriteSession
from serve_app.compute.workflows.definition import config_of, reason_of
from serve_app.compute.workflows.mappings import FromStep, sources
from serve_app.compute.workflows.steps import Inputs, Order, StepType, StepTypes, key_of
from serve_app.core.errors import InvalidInput, SartiqError

_LOST = (TaskStatus.FAILED, TaskStatus.CANCELLED)
_OPEN_STEPS = (StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING, StepStatus.FAILED)


class Engine:
    """Moves workflows on within one transaction; call :meth:`write` at the end.

    Args:
        session: of the transaction.
        runs: that has locked them.
        step_types: the registry.
    """

    def __init__(self, session: WriteSession, runs: WorkflowRuns, step_types: StepTypes) -> None:
        self._session = session
        self._types = step_types
        self._runs = runs
        self._queue = TaskQueue(session)
        self._orders: list[tuple[LockedStep, int, Order]] = []
        # Tasks that need not be carried out any more.
        self._unwanted: list[str] = []

    # --- what happens to a workflow --------------------------------------------------------------

    async def start(self, run: Run) -> None:
        """Queue the first steps of a workflow whose plans are made."""
        run.workflow.status = WorkflowStatus.RUNNING
        run.workflow.started_at = now()
        await self._go_on(run)

    async def settled(self, run: Run) -> None:
        """Draw in what tasks have come to, and go on."""
        if run.workflow.status not in {WorkflowStatus.RUNNING, WorkflowStatus.PAUSED}:
            # Stopped: nothing of it is wanted any more.
            self._unwanted += run.open_tasks()
            return
        for step in run.steps:
            if step.status in {StepStatus.RUNNING, StepStatus.FAILED}:
                self._draw_in(run, step)
        await self._go_on(run)

    async def pause(self, run: Run) -> None:
        """Start nothing more: what runs may end, what waits in the queue is held."""
        run.workflow.status = WorkflowStatus.PAUSED
        await self._queue.hold(run.open_tasks())

    async def resume(self, run: Run, user_id: str | None) -> None:
        """Go on: what was held is freed, what failed is tried again, what waited is approved."""
        workflow = run.workflow
        workflow.status, workflow.error, workflow.error_code = WorkflowStatus.RUNNING, None, None
        await self._queue.free(run.open_tasks())
        for step in run.steps:
            match step.status:
                case StepStatus.WAITING:
                    assert step.output is not None
                    self._complete(step, step.output | {"approved_by": user_id})
                case StepStatus.FAILED:
                    step.error = step.error_code = None
                    await self._begin(run, step, again=True)
        await self._go_on(run)

    async def cancel(self, run: Run) -> None:
        """End it, and its tasks."""
        self._stop(run, WorkflowStatus.CANCELLED)

    async def write(self, moved: Sequence[Run]) -> None:
        """Store what was decided on."""
        # Tasks last: their lanes are the last locks before those of the log.
        await self._runs.save(moved)
        await self._queue.cancel_all(self._unwanted)
        await self._runs.settle(self._unwanted)
        await self._runs.place(
            [Placed(step, index, order.task) for step, index, order in self._orders]
        )
        for step, _, order in self._orders:
            if order.enlist is not None:
                await order.enlist(self._session, OrganizationScope(step.organization_id))
        self._orders, self._unwanted = [], []

    # --- steps -----------------------------------------------------------------------------------

    def _draw_in(self, run: Run, step: LockedStep) -> None:
        tasks = run.tasks.get(step.position, {})
        lost = [task for task in tasks.values() if task.status in _LOST]
        if lost and step.status is StepStatus.RUNNING:
            first = min(lost, key=lambda task: task.index)
            self._fail(run, step, *_why(first))
        elif tasks and all(task.status is TaskStatus.COMPLETED for task in tasks.values()):
            ordered = [tasks[index] for index in sorted(tasks)]
            self._complete(step, self._type(step).output(ordered))

    async def _go_on(self, run: Run) -> None:
        """Begin what can begin now, until nothing can; then see whether that was all."""
        workflow = run.workflow
        while workflow.status is WorkflowStatus.RUNNING:
            done = {step.name for step in run.steps if step.status is StepStatus.COMPLETED}
            ready = [
                step
                for step in run.steps
                if step.status is StepStatus.PENDING and done.issuperset(step.depends_on)
            ]
            # What pauses the workflow comes last, so that it holds up nothing that could begin.
            for step in sorted(ready, key=lambda one: self._type(one).waits):
                if self._may_begin(run, step):
                    await self._begin(run, step)
            if not any(step.status is StepStatus.COMPLETED for step in ready):
                break
        if all(step.status is StepStatus.COMPLETED for step in run.steps):
            workflow.status = WorkflowStatus.COMPLETED
            workflow.error = workflow.error_code = None
            workflow.completed_at = now()

    def _may_begin(self, run: Run, step: LockedStep) -> bool:
        """A workflow that has just been paused may still ask for another approval."""
        status = run.workflow.status
        is_asking = self._type(step).waits and status is WorkflowStatus.PAUSED
        return is_asking or status is WorkflowStatus.RUNNING

    async def _begin(self, run: Run, step: LockedStep, *, again: bool = False) -> None:
        """Order a step's tasks; ``again``: of those that did not succeed."""
        step_type = self._type(step)
        step.started_at = step.started_at or now()
        try:
            inputs = self._inputs(run, step, step_type)
            if step_type.waits:
                self._wait(run, step, inputs, step_type)
                return
            step.status = StepStatus.RUNNING
            if await self._reuse(run, step, step_type, inputs):
                return
            assert step.plan is not None
            orders = step_type.orders(step.plan["settled"], inputs, run.workflow.priority)
        except SartiqError as error:
            self._fail(run, step, str(error), error.code)
            return
        earlier = run.tasks.get(step.position, {})
        for index, order in enumerate(orders):
            task = earlier.get(index)
            if not again or task is None or task.status in _LOST:
                self._orders.append((step, index, order))

    def _inputs(self, run: Run, step: LockedStep, step_type: StepType) -> Inputs:
        """What a step works on.

        Raises:
            InvalidInput: an earlier step has not made what is needed.
        """
        plan = step.plan or {"pictures": {}, "given": {}}
        outputs = {one.name: one.output or {} for one in run.steps}
        pictures: dict[str, Sequence[Mapping[str, Any]]] = {
            field: [picture] for field, picture in plan["pictures"].items()
        }
        values: dict[str, Any] = {}
        mapped = sources(step.input_mappings)
        for field, source in mapped.items():
            if not isinstance(source, FromStep):
                continue
            images = outputs[source.step].get("images", [])
            if source.index >= len(images):
                raise InvalidInput(f"the step {source.step!r} has made {len(images)} images")
            image = images[source.index]
            if field in step_type.pictures:
                pictures[field] = [image]
            else:
                values[field] = image.get(source.field)
        if values:
            try:
                config_of(step_type, step.config, mapped, plan["given"] | values)
            except ValidationError as error:
                raise InvalidInput(reason_of(error)[0]) from error
        flow = step_type.flow
        if flow is not None and flow not in pictures:
            pictures[flow] = [
                image for name in step.depends_on for image in outputs[name].get("images", ())
            ]
        if step_type.needs_picture and flow is not None and not pictures[flow]:
            raise InvalidInput("no picture has come out of the steps before")
        return Inputs(pictures, values)

    async def _reuse(self, run: Run, step: LockedStep, step_type: StepType, inputs: Inputs) -> bool:
        """Take over the result of an equal step, if that is wanted and there is one."""
        if not step_type.is_reusable:
            return False
        step.fingerprint = _fingerprint(step, inputs)
        if not run.workflow.cache or step.position in run.tasks:
            return False
        if (output := await self._runs.twin(step)) is None:
            return False
        step.reused = True
        self._complete(step, output)
        return True

    def _wait(self, run: Run, step: LockedStep, inputs: Inputs, step_type: StepType) -> None:
        step.status = StepStatus.WAITING
        assert step_type.flow is not None
        step.output = {"images": list(inputs.pictures[step_type.flow])}
        if run.workflow.status is WorkflowStatus.RUNNING:
            run.workflow.status = WorkflowStatus.PAUSED

    def _complete(self, step: LockedStep, output: dict[str, Any]) -> None:
        step.status = StepStatus.COMPLETED
        step.output = output
        step.error = step.error_code = None
        step.completed_at = now()

    def _fail(self, run: Run, step: LockedStep, reason: str, code: str | None) -> None:
        """Mark a step as failed, which stops its workflow one way or the other."""
        step.status = StepStatus.FAILED
        step.error, step.error_code = reason, code
        workflow = run.workflow
        workflow.error, workflow.error_code = f"Step {step.name!r} failed: {reason}", code
        if workflow.on_failure is OnFailure.FAIL:
            self._stop(run, WorkflowStatus.FAILED)
        else:
            workflow.status = WorkflowStatus.PAUSED

    def _stop(self, run: Run, status: WorkflowStatus) -> None:
        run.workflow.status = status
        run.workflow.completed_at = now()
        self._unwanted += run.open_tasks()
        stopped = {step.position for step in run.steps if step.status in _OPEN_STEPS}
        self._orders = [
            one
            for one in self._orders
            if one[0].workflow_id != run.workflow.id or one[0].position not in stopped
        ]
        for step in run.steps:
            if step.status in _OPEN_STEPS and step.status is not StepStatus.FAILED:
                step.status = StepStatus.CANCELLED

    def _type(self, step: LockedStep) -> StepType:
        return self._types[key_of(step.type, step.config)]


def _why(task: StepTask) -> tuple[str, str]:
    if task.status is TaskStatus.CANCELLED:
        return f"Its task {task.task_id} was cancelled", "task_cancelled"
    return task.error or "Its task failed", task.error_code or "internal_error"


def _fingerprint(step: LockedStep, inputs: Inputs) -> str:
    """Of everything that a step's result follows from. Pictures count by their content."""
    assert step.plan is not None
    pictures = {
        field: [picture["sha256"] for picture in several]
        for field, several in inputs.pictures.items()
    }
    facts = [step.type, step.plan["settled"], inputs.values, pictures]
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()
