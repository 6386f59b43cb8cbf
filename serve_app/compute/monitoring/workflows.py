"""From workflows to what the API answers about them at a glance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from db.repositories.workflow_monitor import WorkflowGlance, WorkflowMonitor
from serve_app.compute.monitoring.schemas import (
    MonitoredWorkflowRead,
    StepStatsRead,
    WorkflowStatsRead,
)


def read_glance(glance: WorkflowGlance) -> MonitoredWorkflowRead:
    """A workflow without its steps' configs and outputs."""
    row = glance.workflow
    ended = row.completed_at or datetime.now(UTC)
    return MonitoredWorkflowRead(
        id=row.id,
        organization_id=row.organization_id,
        name=row.name,
        status=row.status.value,
        steps=glance.steps,
        steps_done=glance.done,
        active_steps=list(glance.active),
        failed_steps=list(glance.failed),
        error=row.error,
        error_code=row.error_code,
        created_at=row.created_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        duration_seconds=row.started_at and max((ended - row.started_at).total_seconds(), 0.0),
    )


async def read_workflow_stats(monitor: WorkflowMonitor, window: timedelta) -> WorkflowStatsRead:
    """Figures of the window."""
    found = await monitor.stats(window)
    steps = [StepStatsRead(**_with_run(one)) for one in found.pop("steps")]
    seconds = round(window.total_seconds())
    return WorkflowStatsRead(**_with_run(found), steps=steps, window_seconds=seconds)


def _with_run(row: dict[str, Any]) -> dict[str, Any]:
    median, high = row.pop("run") or (None, None)
    return row | {"run_p50_seconds": median, "run_p95_seconds": high}
