"""Removing what a workflow has stored and nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from db.models import EventKind, WorkflowStatus, WorkflowStep
from db.repositories.events import EventWriter
from db.repositories.scope import OrganizationScope
from db.repositories.workflow_runs import WorkflowRuns, now
from db.session import WriteSession
from serve_app.compute.workflows.schemas import CleanupRead
from serve_app.compute.workflows.service import NotInThisState
from serve_app.core.errors import NotFound
from serve_app.core.resources import Resources
from serve_app.core.storage.base import ObjectNotFound


@dataclass(frozen=True, slots=True)
class Cleanup:
    """The cleanup of one workflow of an organization."""

    resources: Resources
    scope: OrganizationScope
    workflow_id: str

    async def run(self, *, everything: bool) -> CleanupRead:
        """Remove the objects of its steps, but for those of the last ones unless ``everything``.

        First it is written down that they are gone, so that nobody takes them over, and then they
        go. What a process that dies in between leaves behind, the next cleanup removes.

        Raises:
            NotFound: there is no such workflow.
            NotInThisState: it runs.
        """
        async with self.resources.database.write() as session:
            unwanted, kept, names = await self._forget(session, everything=everything)
        freed = [size for path in sorted(unwanted) if (size := await self._remove(path))]
        return CleanupRead(
            id=self.workflow_id,
            objects=len(freed),
            bytes=sum(freed),
            kept=len(kept),
            steps=names,
        )

    async def _forget(
        self, session: WriteSession, *, everything: bool
    ) -> tuple[set[str], set[str], list[str]]:
        """Mark the steps; which objects go, which stay, and the names of steps without any."""
        runs = WorkflowRuns(session)
        locked = await runs.lock([self.workflow_id], organization_id=self.scope.organization_id)
        if not locked:
            raise NotFound("Workflow not found")
        status = locked[0].workflow.status
        if status in {WorkflowStatus.RUNNING, WorkflowStatus.PAUSED}:
            raise NotInThisState(f"A workflow that is {status.value} cannot be cleaned up")
        steps = await runs.lock_steps(self.workflow_id)
        last = _last(steps)
        kept = set[str]()
        if not everything:
            kept |= {path for step in last if not step.cleaned_at for path in _paths(step.output)}
        kept |= {path for output in await runs.outputs_like(steps) for path in _paths(output)}
        own = {path for step in steps for path in _paths(step.output)}
        names = []
        for step in steps:
            paths = set(_paths(step.output))
            if paths and paths.isdisjoint(kept):
                names.append(step.name)
                step.cleaned_at = step.cleaned_at or now()
        await session.flush()
        data = {"objects": len(own - kept), "steps": names}
        await EventWriter(session, self.scope).append(
            EventKind.WORKFLOW_CLEANED, self.workflow_id, data
        )
        return own - kept, own & kept, names

    async def _remove(self, path: str) -> int:
        """The bytes that removing an object frees; 0 when it is not there."""
        store = self.resources.store
        try:
            size = (await store.stat(path)).size
        except ObjectNotFound:
            return 0
        await store.delete(path)
        return size


def _last(steps: Sequence[WorkflowStep]) -> list[WorkflowStep]:
    """Those that no other one depends on."""
    before = {name for step in steps for name in step.depends_on}
    return [step for step in steps if step.name not in before]


def _paths(output: dict[str, Any] | None) -> Iterator[str]:
    """The objects of an output, that are the workflow's own: a LoRA is a thing of its own, and so
    is a picture that somebody has uploaded."""
    if output is None:
        return
    files = [*output["images"], *([output["file"]] if "file" in output else [])]
    yield from (file["path"] for file in files if file["path"].startswith(("outputs/", "exports/")))
