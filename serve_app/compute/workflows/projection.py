"""From the outcome of a task to the next steps of its workflow.

Runs in the transaction that settles the task, so that nothing can come between the two. What was
settled elsewhere (a cancelled task, one whose runner was lost) is caught up with soon after.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from db.repositories.workflow_runs import WorkflowRuns, unsettled
from db.session import Database, WriteSession
from serve_app.compute.workflows.engine import Engine
from serve_app.compute.workflows.steps import STEP_TYPES, StepTypes

logger = logging.getLogger(__name__)


class WorkflowProjection:
    """What the runner tells of tasks that have ended.

    Args:
        step_types: the registry.
    """

    def __init__(self, step_types: StepTypes = STEP_TYPES) -> None:
        self._step_types = step_types

    async def settled(self, session: WriteSession, task_ids: Sequence[str]) -> None:
        """Draw the outcomes of tasks into their workflows, and go on with those."""
        runs = WorkflowRuns(session)
        workflow_ids = await runs.of_tasks(task_ids)
        if not workflow_ids:
            return
        engine = Engine(session, runs, self._step_types)
        locked = await runs.lock(workflow_ids)
        for run in locked:
            await engine.settled(run)
        await engine.write(locked)
        await runs.settle(task_ids)

    async def catch_up(self, database: Database) -> None:
        """Draw in what was settled by others, each task in a transaction of its own."""
        async with database.read() as session:
            waiting = await unsettled(session)
        for task_id in waiting:
            try:
                async with database.write() as session:
                    await self.settled(session, [task_id])
            except Exception:
                # The others must not wait for it.
                logger.exception("the outcome of %s could not be drawn in", task_id)
