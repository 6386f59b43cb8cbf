"""``/monitoring``: queues, workers, tasks and figures.

An organization sees its own tasks. Who runs the platform, a superuser or the holder of its
``API_KEY``, sees everybody's, unless they name an organization.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Depends, Path, Query
from pydantic import AwareDatetime

from db.models import TaskStatus, WorkflowStatus
from db.repositories.monitoring import Monitor, View
from db.repositories.scope import OrganizationScope, PlatformScope
from db.repositories.workflow_monitor import WorkflowMonitor
from serve_app.compute.monitoring.schemas import (
    MonitoredTaskDetailRead,
    MonitoredTaskList,
    MonitoredWorkflowList,
    ProviderRead,
    ProvidersRead,
    QueueRead,
    QueuesRead,
    StatsRead,
    WorkerList,
    WorkersHealthRead,
    WorkflowStatsRead,
)
from serve_app.compute.monitoring.schemas import WorkflowStatus as WorkflowState
from serve_app.compute.monitoring.service import (
    read_health,
    read_monitored_detail,
    read_monitored_task,
    read_stats,
    read_worker,
)
from serve_app.compute.monitoring.workflows import read_glance, read_workflow_stats
from serve_app.compute.tasks.schemas import Status
from serve_app.core.auth import Caller, NamedOrganization, Principal
from serve_app.core.dependencies import Reading, RequestResources
from serve_app.core.openapi import errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.providers.breaker import circuits
from serve_app.core.routing import Router
from serve_app.core.rows import found, sorting
from serve_app.core.text import Storable

router = Router(prefix="/monitoring", tags=["monitoring"])

TaskId = Annotated[
    str,
    Path(description="Id of a task.", max_length=64, examples=["task_06f3k2m8q7v5t1xz0c9hjnpa4r"]),
    Storable,
]
Named = Annotated[str | None, Query(max_length=200), Storable]
Window = Literal["1m", "5m", "15m", "1h", "6h", "24h", "7d"]
_WINDOWS: Mapping[Window, int] = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "1h": 3600,
    "6h": 21_600,
    "24h": 86_400,
    "7d": 604_800,
}
# All of a cluster's, in short.
_MAX_WORKERS = 10_000


async def _sees_all(caller: Caller, named: NamedOrganization) -> bool:
    return caller.is_operator and named is None


Operator = Annotated[bool, Depends(_sees_all)]


async def _monitor(session: Reading, caller: Caller, operator: Operator) -> Monitor:
    return Monitor(session, _view(caller, operator=operator))


async def _workflow_monitor(
    session: Reading, caller: Caller, operator: Operator
) -> WorkflowMonitor:
    return WorkflowMonitor(session, _view(caller, operator=operator))


def _view(caller: Principal, *, operator: bool) -> View:
    return PlatformScope() if operator else OrganizationScope(caller.organization_id)


Looking = Annotated[Monitor, Depends(_monitor, scope="function")]

LookingAtWorkflows = Annotated[WorkflowMonitor, Depends(_workflow_monitor, scope="function")]


@router.get("/queues", operation_id="get_queues", responses=errors(401))
async def queues(monitor: Looking) -> QueuesRead:
    """Every queue: what waits in it, what runs, and how many workers serve it."""
    rows = await monitor.queues()
    return QueuesRead(
        queues=[
            QueueRead(
                name=row.name,
                pending=row.pending,
                running=row.running,
                workers=row.workers,
                delayed=row.delayed,
                oldest_wait_seconds=row.oldest_wait,
            )
            for row in rows
        ]
    )


@router.get("/providers", operation_id="get_providers", responses=errors(401))
async def providers(
    session: Reading, resources: RequestResources, operator: Operator
) -> ProvidersRead:
    """Every hosted provider, and whether calls to it go through."""
    found = await circuits(session, resources.providers.names, datetime.now(UTC))
    return ProvidersRead(
        providers=[
            ProviderRead(
                name=one.provider,
                circuit=one.state,
                failures=one.failures,
                open_until=one.open_until,
                reason=one.reason if operator else None,
            )
            for one in found
        ]
    )


@router.get("/workers", operation_id="list_workers", responses=errors(401))
async def list_workers(
    monitor: Looking, operator: Operator, page: PageNumber = 1, size: PageSize = 20
) -> WorkerList:
    """The replicas that do the work: where they run, what they hold, and what they use."""
    workers = await monitor.workers(page=page, size=size)
    known = await monitor.known(workers.items)
    return WorkerList(
        items=[read_worker(worker, known, operator=operator) for worker in workers.items],
        total=workers.total,
        page=page,
        size=size,
    )


@router.get("/workers/health", operation_id="get_workers_health", responses=errors(401))
async def workers_health(monitor: Looking) -> WorkersHealthRead:
    """How many workers are healthy, and how each of them is."""
    workers = await monitor.workers(page=1, size=_MAX_WORKERS)
    return read_health(workers.items)


@router.get("/tasks", operation_id="list_monitored_tasks", responses=errors(401))
async def list_monitored_tasks(
    monitor: Looking,
    page: PageNumber = 1,
    size: PageSize = 20,
    sort: Annotated[
        str | None,
        Query(
            max_length=200,
            description="`created_at`, `started_at`, `completed_at`, `wait`, `duration`, "
            "`priority`, `attempt`, `status`, `type`, with commas between and `-` before a "
            "descending one. The newest first when absent.",
        ),
        Storable,
    ] = None,
    state: Annotated[
        list[Status] | None, Query(alias="status", description="In these states; repeat it.")
    ] = None,
    kind: Annotated[
        list[Annotated[str, Storable]] | None,
        Query(alias="type", max_length=20, description="Of these types; repeat it."),
    ] = None,
    queue: Named = None,
    model: Named = None,
    error_code: Named = None,
    id_prefix: Annotated[str, Query(max_length=64, description="Of the id."), Storable] = "",
    created_after: Annotated[
        AwareDatetime | None, Query(description="Made at this time or later.")
    ] = None,
    created_before: Annotated[
        AwareDatetime | None, Query(description="Made before this time.")
    ] = None,
) -> MonitoredTaskList:
    """Tasks of every type, without their outputs."""
    with sorting():
        rows = await monitor.tasks(
            page=page,
            size=size,
            sort=sort,
            statuses=[TaskStatus(one) for one in state or ()],
            types=kind or (),
            queue=queue,
            model=model,
            error_code=error_code,
            id_prefix=id_prefix,
            created_after=created_after,
            created_before=created_before,
        )
    return MonitoredTaskList(
        items=[read_monitored_task(task) for task in rows.items],
        total=rows.total,
        page=page,
        size=size,
    )


@router.get("/tasks/{task_id}", operation_id="get_monitored_task", responses=errors(401, 404))
async def get_monitored_task(task_id: TaskId, monitor: Looking) -> MonitoredTaskDetailRead:
    """A task with its timeline: what happened to it, when, and how long it took."""
    task = found(await monitor.task(task_id), "Task")
    return await read_monitored_detail(monitor, task)


@router.get("/stats", operation_id="get_stats", responses=errors(401))
async def stats(
    monitor: Looking,
    operator: Operator,
    window: Annotated[Window, Query(description="The last minutes, hours or days.")] = "1h",
) -> StatsRead:
    """What was done within a window of time, how long it took, and what failed by which cause."""
    return await read_stats(monitor, timedelta(seconds=_WINDOWS[window]), operator=operator)


@router.get("/workflows", operation_id="list_monitored_workflows", responses=errors(401))
async def list_monitored_workflows(
    monitor: LookingAtWorkflows,
    page: PageNumber = 1,
    size: PageSize = 20,
    sort: Annotated[
        str | None,
        Query(
            max_length=200,
            description="`created_at`, `started_at`, `completed_at`, `duration`, `name`, `status`, "
            "as for tasks.",
        ),
        Storable,
    ] = None,
    state: Annotated[
        list[WorkflowState] | None, Query(alias="status", description="In these states; repeat it.")
    ] = None,
    id_prefix: Annotated[str, Query(max_length=64, description="Of the id."), Storable] = "",
    created_after: Annotated[
        AwareDatetime | None, Query(description="Made at this time or later.")
    ] = None,
    created_before: Annotated[
        AwareDatetime | None, Query(description="Made before this time.")
    ] = None,
) -> MonitoredWorkflowList:
    """Workflows at a glance: how far they are, and what has failed."""
    with sorting():
        rows = await monitor.list(
            page=page,
            size=size,
            sort=sort,
            statuses=[WorkflowStatus(one) for one in state or ()],
            id_prefix=id_prefix,
            created_after=created_after,
            created_before=created_before,
        )
    items = [read_glance(one) for one in rows.items]
    return MonitoredWorkflowList(items=items, total=rows.total, page=page, size=size)


@router.get("/workflows/stats", operation_id="get_workflow_stats", responses=errors(401))
async def workflow_stats(
    monitor: LookingAtWorkflows,
    window: Annotated[Window, Query(description="The last minutes, hours or days.")] = "1h",
) -> WorkflowStatsRead:
    """Workflows by state, and how those did that ended within a window of time."""
    return await read_workflow_stats(monitor, timedelta(seconds=_WINDOWS[window]))
