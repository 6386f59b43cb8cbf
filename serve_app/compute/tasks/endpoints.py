"""``/tasks``: submit work, watch it, cancel it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response, status

from db.models import Task, TaskStatus
from db.repositories.queue import NewTask, TaskQueue
from db.repositories.scope import OrganizationScope
from db.repositories.tasks import TaskRepository
from db.session import WriteSession
from serve_app.compute.tasks.configs import (
    GenerationCreate,
    GenerationTaskCreate,
    LlmTaskCreate,
    TaskCreate,
)
from serve_app.compute.tasks.schemas import GenerationRead, Status, TaskList, TaskRead, TaskType
from serve_app.compute.tasks.service import Loc, Submission, read_generation, read_task
from serve_app.compute.webhooks.service import Webhooks, check_url
from serve_app.core.admission import admit
from serve_app.core.auth import Caller, Scope
from serve_app.core.dependencies import OwnUrls, Reading, RequestResources, Sign, Signing, Writing
from serve_app.core.errors import NotFound
from serve_app.core.estimates import Estimate
from serve_app.core.estimates.quoting import QUOTED, DryRun, answer_quote, quote
from serve_app.core.idempotency import Idempotency, Once
from serve_app.core.intake import Intake
from serve_app.core.openapi import errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.rate_limits import limit
from serve_app.core.resources import Resources
from serve_app.core.routing import Router
from serve_app.core.text import Storable

_ENDS = {TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED}

router = Router(prefix="/tasks", tags=["tasks"])

TaskId = Annotated[
    str,
    Path(description="Id of a task.", max_length=64, examples=["task_06f3k2m8q7v5t1xz0c9hjnpa4r"]),
    Storable,
]


async def _intake(
    resources: RequestResources, caller: Caller, own_urls: OwnUrls, dry_run: DryRun = False
) -> Intake:
    return Intake(resources, caller.organization_id, own_urls, keeps=not dry_run)


Pictures = Annotated[Intake, Depends(_intake)]


async def _estimate(resources: Resources, scope: OrganizationScope, task: Task) -> Estimate | None:
    return (await resources.estimator.estimates(scope.organization_id, [task])).get(task.id)


def _has_ended(task: Task | None) -> bool:
    return task is None or task.status in _ENDS


@dataclass(frozen=True, slots=True)
class SubmissionDesk:
    """Where work is handed in: checks it, queues it, and answers a request sent twice once."""

    resources: Resources
    intake: Intake
    session: WriteSession
    scope: OrganizationScope
    sign: Sign
    once: Once
    dry_run: bool

    async def take(
        self,
        loc: Loc,
        settle: Callable[[Submission], Awaitable[NewTask]],
        webhook_url: str | None = None,
    ) -> TaskRead | Response:
        """Queue the task that ``settle`` makes of the request whose config stands at ``loc``, and
        tell ``webhook_url`` of its end; in a dry run, check all that and answer a quote."""
        if self.dry_run:
            return await self._quote(loc, settle, webhook_url)
        if answered := await self.once.earlier():
            return answered
        receiver = None
        if webhook_url is not None:
            receiver = await check_url(self.resources, webhook_url, "body", "webhook_url")
        new = await settle(Submission(self.resources, self.intake, self.scope, loc))
        if twin := await self.once.begin(self.session):
            return twin
        await admit(self.session, self.scope, self.resources, [new.queue])
        task = await TaskQueue(self.session).enqueue(self.scope, new)
        if webhook_url is not None and receiver is not None:
            webhooks = Webhooks(self.resources, self.session, self.scope)
            await webhooks.follow_task(task.id, webhook_url, receiver)
        answer = await read_task(task, self.sign)
        await self.once.keep(self.session, answer, status.HTTP_201_CREATED)
        return answer

    async def _quote(
        self,
        loc: Loc,
        settle: Callable[[Submission], Awaitable[NewTask]],
        webhook_url: str | None,
    ) -> Response:
        if webhook_url is not None:
            await check_url(self.resources, webhook_url, "body", "webhook_url")
        new = await settle(Submission(self.resources, self.intake, self.scope, loc))
        return answer_quote(await quote(self.resources, self.scope, new))


async def _desk(
    resources: RequestResources,
    intake: Pictures,
    session: Writing,
    scope: Scope,
    sign: Signing,
    once: Idempotency,
    dry_run: DryRun = False,
) -> SubmissionDesk:
    return SubmissionDesk(resources, intake, session, scope, sign, once, dry_run)


Queueing = Annotated[SubmissionDesk, Depends(_desk, scope="function")]


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_task",
    response_model=TaskRead,
    responses=QUOTED | errors(401, 409),
)
async def create(
    body: TaskCreate, request: Request, resources: RequestResources, caller: Caller, desk: Queueing
) -> TaskRead | Response:
    """Queue a task of any type."""
    if isinstance(body, GenerationTaskCreate):
        # It is one however it is asked for.
        whose = (caller.organization_id, caller.user_id)
        await limit(request.scope, resources.limiter, *whose, "create_generation")

    async def settle(submission: Submission) -> NewTask:
        if isinstance(body, GenerationTaskCreate):
            return await submission.generation(body.config, body.priority)
        if isinstance(body, LlmTaskCreate):
            return await submission.question(body.config, body.priority)
        return await submission.processing(body.config, body.priority)

    return await desk.take(("body", body.type, "config"), settle, body.webhook_url)


@router.post(
    "/generation",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_generation",
    response_model=TaskRead,
    responses=QUOTED | errors(401, 409),
)
async def create_generation(body: GenerationCreate, desk: Queueing) -> TaskRead | Response:
    """Queue a generation: images of a prompt, with the product of a picture."""
    return await desk.take(
        ("body",),
        lambda submission: submission.generation(body.config(), body.priority),
        body.webhook_url,
    )


@router.get("/", operation_id="list_tasks", responses=errors(401))
async def list_tasks(
    resources: RequestResources,
    session: Reading,
    scope: Scope,
    sign: Signing,
    page: PageNumber = 1,
    size: PageSize = 20,
    state: Annotated[
        Status | None, Query(alias="status", description="Only tasks in this state.")
    ] = None,
    type: Annotated[  # noqa: A002
        TaskType | None, Query(description="Only tasks of this type.")
    ] = None,
) -> TaskList:
    """Your tasks, the newest first."""
    found = await TaskRepository(session, scope).list(
        page=page,
        size=size,
        statuses=[TaskStatus(state)] if state else (),
        types=[type] if type else (),
    )
    estimates = await resources.estimator.estimates(scope.organization_id, found.items)
    items = [await read_task(task, sign, estimates.get(task.id)) for task in found.items]
    return TaskList(items=items, total=found.total, page=found.page, size=found.size)


@router.get("/generation/{task_id}", operation_id="get_generation_task", responses=errors(401, 404))
async def get_generation(
    task_id: TaskId, resources: RequestResources, session: Reading, scope: Scope, sign: Signing
) -> GenerationRead:
    """A generation with its config and the attempts that failed."""
    task = await TaskRepository(session, scope).get(task_id, type="generation")
    if task is None:
        raise NotFound("Task not found")
    return await read_generation(task, sign, await _estimate(resources, scope, task))


@router.get("/{task_id}", operation_id="get_task", responses=errors(401, 404))
async def get(
    task_id: TaskId,
    resources: RequestResources,
    scope: Scope,
    sign: Signing,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the task to end.")
    ] = 0,
) -> TaskRead:
    """A task: its state, its progress, and its images when it is completed.

    With `wait` the answer comes when the task ends, or after that time as the task stands.
    """

    async def look() -> Task | None:
        async with resources.database.read() as session:
            return await TaskRepository(session, scope).get(task_id)

    task = await resources.changes.until(str(scope.organization_id), look, _has_ended, wait)
    if task is None:
        raise NotFound("Task not found")
    return await read_task(task, sign, await _estimate(resources, scope, task))


@router.post("/{task_id}/cancel", operation_id="cancel_task", responses=errors(401, 404))
async def cancel(task_id: TaskId, session: Writing, scope: Scope, sign: Signing) -> TaskRead:
    """Cancel a task; one that has ended stays as it is.

    A pending task never starts, a running one stops within one denoising step.
    """
    cancellation = await TaskQueue(session).cancel(scope, task_id)
    if cancellation is None:
        raise NotFound("Task not found")
    return await read_task(cancellation.task, sign)
