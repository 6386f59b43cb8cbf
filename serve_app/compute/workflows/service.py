"""Workflows made, started and steered on behalf of a client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db.models import OnFailure, WorkflowStatus
from db.repositories.scope import OrganizationScope
from db.repositories.workflow_rows import Run
from db.repositories.workflow_runs import WorkflowRuns
from db.repositories.workflows import WorkflowRepository, WorkflowState
from db.session import WriteSession
from serve_app.compute.storage.datasets import DatasetIntake
from serve_app.compute.tasks.service import Submission
from serve_app.compute.training.service import Submission as TrainingSubmission
from serve_app.compute.workflows.definition import Checked, check
from serve_app.compute.workflows.engine import Engine
from serve_app.compute.workflows.mappings import sources
from serve_app.compute.workflows.schemas import StepCreate, WorkflowCreate
from serve_app.compute.workflows.settling import Settling
from serve_app.compute.workflows.steps import STEP_TYPES, Desk, key_of
from serve_app.core.errors import Conflict, Loc, NotFound
from serve_app.core.intake import Intake
from serve_app.core.resources import Resources

# Plans, and the input as it is stored.
Settled = tuple[Sequence[dict[str, Any]], Mapping[str, Any]]


class NotInThisState(Conflict):
    """What is asked for does not go with the state of the workflow."""

    code = "workflow_state"


@dataclass(frozen=True, slots=True)
class Workflows:
    """The workflows of the organization that asks."""

    resources: Resources
    scope: OrganizationScope
    user_id: UUID | None
    intake: Intake
    datasets: DatasetIntake

    def desk(self, loc: Loc) -> Desk:
        """What settles the step whose config stands at ``loc``."""
        return Desk(
            tasks=Submission(self.resources, self.intake, self.scope, loc),
            trainings=TrainingSubmission(self.resources, self.datasets, loc),
            user_id=self.user_id,
        )

    async def check(self, body: WorkflowCreate) -> list[Checked]:
        """The steps of a new workflow, in the order of their positions.

        Raises:
            UnprocessableField: something in it can never work.
        """
        return await check(body.steps, STEP_TYPES, self.desk)

    async def settle(self, steps: Sequence[Checked], values: Mapping[str, Any]) -> Settled:
        """All that the steps left open; pictures are fetched, so no transaction should be open.

        Raises:
            UnprocessableField: as for :meth:`check`, or of the input.
        """
        return await Settling(steps, values, self.desk).run()

    async def stored_steps(self, workflow_id: str) -> list[Checked]:
        """The steps of a workflow that has not been started.

        Raises:
            NotFound, NotInThisState: as they say.
        """
        async with self.resources.database.read() as session:
            state = await WorkflowRepository(session, self.scope).get(workflow_id)
        if state is None:
            raise NotFound("Workflow not found")
        _expect(state.workflow.status, "started", WorkflowStatus.CREATED)
        return [_stored(state, position) for position in range(len(state.steps))]

    async def create(
        self,
        session: WriteSession,
        body: WorkflowCreate,
        steps: Sequence[Checked],
        settled: Settled | None,
    ) -> str:
        """Store a workflow, and start it if it is settled; its id."""
        runs = WorkflowRuns(session)
        run = await runs.add(
            self.scope,
            [
                {
                    "name": step.given.name,
                    "type": step.given.type,
                    "config": step.given.config,
                    "depends_on": step.given.depends_on,
                    "input_mappings": dict(step.mappings),
                }
                for step in steps
            ],
            name=body.name,
            on_failure=OnFailure(body.on_failure),
            cache=body.cache,
            priority=body.priority,
            requested_by=self.user_id,
        )
        if settled is not None:
            engine = Engine(session, runs, STEP_TYPES)
            await _begin(engine, run, settled)
            await engine.write([run])
        return run.workflow.id

    async def start(self, session: WriteSession, workflow_id: str, settled: Settled) -> None:
        """Queue the first tasks of a workflow.

        Raises:
            NotFound, NotInThisState: as they say.
        """

        async def start(engine: Engine, run: Run) -> None:
            _expect(run.workflow.status, "started", WorkflowStatus.CREATED)
            await _begin(engine, run, settled)

        await self._move(session, workflow_id, start)

    async def pause(self, session: WriteSession, workflow_id: str) -> None:
        """Start nothing more of a workflow; one that is paused stays so.

        Raises:
            NotFound, NotInThisState: as they say.
        """

        async def pause(engine: Engine, run: Run) -> None:
            status = run.workflow.status
            _expect(status, "paused", WorkflowStatus.RUNNING, WorkflowStatus.PAUSED)
            if status is WorkflowStatus.RUNNING:
                await engine.pause(run)

        await self._move(session, workflow_id, pause)

    async def resume(self, session: WriteSession, workflow_id: str) -> None:
        """Go on with a paused workflow.

        Raises:
            NotFound, NotInThisState: as they say.
        """

        async def resume(engine: Engine, run: Run) -> None:
            _expect(run.workflow.status, "resumed", WorkflowStatus.PAUSED)
            await engine.resume(run, None if self.user_id is None else str(self.user_id))

        await self._move(session, workflow_id, resume)

    async def cancel(self, session: WriteSession, workflow_id: str) -> None:
        """End a workflow and its tasks; one that has ended stays as it is.

        Raises:
            NotFound: there is none.
        """
        open_ones = {WorkflowStatus.CREATED, WorkflowStatus.RUNNING, WorkflowStatus.PAUSED}

        async def cancel(engine: Engine, run: Run) -> None:
            if run.workflow.status in open_ones:
                await engine.cancel(run)

        await self._move(session, workflow_id, cancel)

    async def _move(
        self,
        session: WriteSession,
        workflow_id: str,
        move: Callable[[Engine, Run], Awaitable[None]],
    ) -> None:
        runs = WorkflowRuns(session)
        locked = await runs.lock([workflow_id], organization_id=self.scope.organization_id)
        if not locked:
            raise NotFound("Workflow not found")
        engine = Engine(session, runs, STEP_TYPES)
        await move(engine, locked[0])
        await engine.write(locked)


async def _begin(engine: Engine, run: Run, settled: Settled) -> None:
    plans, values = settled
    run.workflow.input = dict(values)
    for step, plan in zip(run.steps, plans, strict=True):
        step.plan = plan
    await engine.start(run)


def _expect(status: WorkflowStatus, what: str, *expected: WorkflowStatus) -> None:
    if status not in expected:
        raise NotInThisState(f"A workflow that is {status.value} cannot be {what}")


def _stored(state: WorkflowState, position: int) -> Checked:
    step = state.steps[position]
    given = StepCreate(
        name=step.name,
        type=step.type,
        config=step.config,
        depends_on=step.depends_on,
        input_mappings=step.input_mappings,
    )
    return Checked(
        number=position,
        given=given,
        type=STEP_TYPES[key_of(step.type, step.config)],
        sources=sources(step.input_mappings),
        mappings=step.input_mappings,
    )
