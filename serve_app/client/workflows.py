"""What the client asks about workflows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from serve_app.client.answers import Answer, Workflow, WorkflowPage

_Model = TypeVar("_Model", bound=Answer)


class WorkflowCalls(ABC):
    """Part of `ComputeClient`, which sends the requests."""

    @abstractmethod
    def _ask(self, model: type[_Model], method: str, path: str, **content: Any) -> _Model: ...

    @abstractmethod
    def _submit(self, model: type[_Model], path: str, body: Mapping[str, Any]) -> _Model: ...

    def create_workflow(
        self,
        name: str,
        steps: Sequence[Mapping[str, Any]],
        *,
        start: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Workflow:
        """Make a workflow.

        Args:
            name: for people.
            steps: as ``POST /workflows/`` takes them.
            start: its input, to start it at once; None: :meth:`start_workflow` does.
            options: ``on_failure``, ``cache``, ``priority``.
        """
        body = {"name": name, "steps": list(steps), **options}
        if start is None:
            return self._submit(Workflow, "/workflows/", body)
        return self._submit(Workflow, "/workflows/?start=true", {**body, "input": dict(start)})

    def start_workflow(self, workflow_id: str, **values: Any) -> Workflow:
        """Start a workflow that was made; ``values`` are its input."""
        path = f"/workflows/{workflow_id}/start"
        return self._ask(Workflow, "POST", path, json={"input": values})

    def workflow(self, workflow_id: str) -> Workflow:
        """A workflow as it stands now."""
        return self._ask(Workflow, "GET", f"/workflows/{workflow_id}")

    def workflows(self, *, size: int = 20) -> WorkflowPage:
        """The newest workflows."""
        return self._ask(WorkflowPage, "GET", "/workflows/", params={"size": size})

    def steer(self, workflow_id: str, action: Literal["pause", "resume", "cancel"]) -> Workflow:
        """Pause, resume or cancel a workflow."""
        return self._ask(Workflow, "POST", f"/workflows/{workflow_id}/{action}")
