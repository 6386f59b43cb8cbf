"""``/workflows``: pipelines of steps, made, started, steered and cleaned up after."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Path, Query, Response, status
from pydantic import AwareDatetime

from db.models import WorkflowStatus
from db.repositories.workflows import WorkflowRepository
from db.repositories.workflows import WorkflowState as Found
from db.session import WriteSession
from serve_app.compute.storage.datasets import DatasetIntake
from serve_app.compute.workflows.cleanup import Cleanup
from serve_app.compute.workflows.quoting import admit_workflow, foresee, quote_workflow
from serve_app.compute.workflows.reading import read_workflow
from serve_app.compute.workflows.schemas import (
    CleanupRead,
    WorkflowCreate,
    WorkflowList,
    WorkflowRead,
    WorkflowStart,
    WorkflowState,
)
from serve_app.compute.workflows.service import Workflows
from serve_app.core.auth import Caller, Scope
from serve_app.core.dependencies import OwnUrls, Reading, RequestResources, Sign, Signing, Writing
from serve_app.core.errors import UnprocessableField
from serve_app.core.estimates.quoting import QUOTED, DryRun, answer_quote
from serve_app.core.idempotency import Idempotency
from serve_app.core.intake import Intake
from serve_app.core.openapi import errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.routing import Router
from serve_app.core.rows import found
from serve_app.core.text import Storable

router = Router(prefix="/workflows", tags=["workflows"])

WorkflowId = Annotated[
    str,
    Path(
        description="Id of a workflow.",
        max_length=64,
        examples=["wf_06f3k2m8q7v5t1xz0c9hjnpa4r"],
    ),
    Storable,
]
_ENDS = {WorkflowStatus.COMPLETED, WorkflowStatus.FAILED, WorkflowStatus.CANCELLED}
_NAME = "Workflow"


async def _workflows(
    resources: RequestResources, caller: Caller, scope: Scope, own_urls: OwnUrls
) -> Workflows:
    return Workflows(
        resources=resources,
        scope=scope,
        user_id=caller.user_id,
        intake=Intake(resources, caller.organization_id, own_urls),
        datasets=DatasetIntake(resources, caller.organization_id, own_urls),
    )


Service = Annotated[Workflows, Depends(_workflows)]


async def _drafted(workflows: Service, own_urls: OwnUrls, dry_run: DryRun = False) -> Workflows:
    """In a dry run, what is fetched to be looked at is not kept."""
    if not dry_run:
        return workflows
    where = (workflows.resources, workflows.scope.organization_id, own_urls)
    return replace(
        workflows, intake=Intake(*where, keeps=False), datasets=DatasetIntake(*where, keeps=False)
    )


Drafting = Annotated[Workflows, Depends(_drafted)]


async def _answer(
    session: WriteSession, workflows: Workflows, workflow_id: str, sign: Sign
) -> WorkflowRead:
    state = await WorkflowRepository(session, workflows.scope).get(workflow_id)
    return await read_workflow(found(state, _NAME), sign)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_workflow",
    response_model=WorkflowRead,
    responses=QUOTED | errors(401, 409),
)
async def create(
    body: WorkflowCreate,
    workflows: Drafting,
    session: Writing,
    sign: Signing,
    once: Idempotency,
    start: Annotated[bool, Query(description="Start it at once, with the body's `input`.")] = False,
    dry_run: DryRun = False,
) -> WorkflowRead | Response:
    """Make a workflow: steps that depend on one another, and what flows between them.

    All of it is checked first; an answer of 422 names the step that is wrong. Nothing runs before
    `POST /workflows/{workflow_id}/start`. A dry run quotes it as if it were started.
    """
    if not dry_run and (answered := await once.earlier()):
        return answered
    if body.input and not (start or dry_run):
        raise UnprocessableField("input is for a start: add ?start=true", ("body", "input"))
    steps = await workflows.check(body)
    settled = await workflows.settle(steps, body.input) if start or dry_run else None
    foreseen = [] if settled is None else list(foresee(steps, settled[0], body.priority))
    if dry_run:
        return answer_quote(await quote_workflow(workflows.resources, workflows.scope, foreseen))

    async def make() -> WorkflowRead:
        if settled is not None:
            await admit_workflow(session, workflows.scope, workflows.resources, foreseen)
        workflow_id = await workflows.create(session, body, steps, settled)
        return await _answer(session, workflows, workflow_id, sign)

    return await once.create(session, make)


@router.get("/", operation_id="list_workflows", responses=errors(401))
async def list_workflows(
    session: Reading,
    scope: Scope,
    sign: Signing,
    page: PageNumber = 1,
    size: PageSize = 20,
    state: Annotated[
        WorkflowState | None, Query(alias="status", description="Only workflows in this state.")
    ] = None,
    q: Annotated[
        str, Query(max_length=200, description="Text to look for in names."), Storable
    ] = "",
    created_after: AwareDatetime | None = None,
    created_before: AwareDatetime | None = None,
) -> WorkflowList:
    """Your workflows, the newest first."""
    listed = await WorkflowRepository(session, scope).list(
        page=page,
        size=size,
        statuses=[WorkflowStatus(state)] if state else (),
        q=q,
        created_after=created_after,
        created_before=created_before,
    )
    items = [await read_workflow(one, sign) for one in listed.items]
    return WorkflowList(items=items, total=listed.total, page=listed.page, size=listed.size)


@router.get("/{workflow_id}", operation_id="get_workflow", responses=errors(401, 404))
async def get(
    workflow_id: WorkflowId,
    resources: RequestResources,
    scope: Scope,
    sign: Signing,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the workflow to end or pause.")
    ] = 0,
) -> WorkflowRead:
    """A workflow: its state, and that of each of its steps with what it has made.

    With `wait` the answer comes when it ends or pauses, or after that time as it stands.
    """

    async def look() -> Found | None:
        async with resources.database.read() as session:
            return await WorkflowRepository(session, scope).get(workflow_id)

    def is_over(state: Found | None) -> bool:
        return state is None or state.workflow.status in _ENDS | {WorkflowStatus.PAUSED}

    state = await resources.changes.until(str(scope.organization_id), look, is_over, wait)
    return await read_workflow(found(state, _NAME), sign)


@router.post("/{workflow_id}/start", operation_id="start_workflow", responses=errors(401, 404, 409))
async def start(
    workflow_id: WorkflowId,
    workflows: Service,
    session: Writing,
    sign: Signing,
    body: WorkflowStart = WorkflowStart(),  # noqa: B008 - frozen
) -> WorkflowRead:
    """Start a workflow that was created. Pictures of its input are fetched now."""
    steps = await workflows.stored_steps(workflow_id)
    settled = await workflows.settle(steps, body.input)
    foreseen = list(foresee(steps, settled[0], priority=0))
    await admit_workflow(session, workflows.scope, workflows.resources, foreseen)
    await workflows.start(session, workflow_id, settled)
    return await _answer(session, workflows, workflow_id, sign)


@router.post("/{workflow_id}/pause", operation_id="pause_workflow", responses=errors(401, 404, 409))
async def pause(
    workflow_id: WorkflowId, workflows: Service, session: Writing, sign: Signing
) -> WorkflowRead:
    """Start nothing more of a workflow. Tasks that run end, and their results are kept."""
    await workflows.pause(session, workflow_id)
    return await _answer(session, workflows, workflow_id, sign)


@router.post(
    "/{workflow_id}/resume", operation_id="resume_workflow", responses=errors(401, 404, 409)
)
async def resume(
    workflow_id: WorkflowId, workflows: Service, session: Writing, sign: Signing
) -> WorkflowRead:
    """Go on with a paused workflow: failed steps are tried again, waiting ones are approved, and
    what is done stays done."""
    await workflows.resume(session, workflow_id)
    return await _answer(session, workflows, workflow_id, sign)


@router.post("/{workflow_id}/cancel", operation_id="cancel_workflow", responses=errors(401, 404))
async def cancel(
    workflow_id: WorkflowId, workflows: Service, session: Writing, sign: Signing
) -> WorkflowRead:
    """Cancel a workflow and its tasks; one that has ended stays as it is."""
    await workflows.cancel(session, workflow_id)
    return await _answer(session, workflows, workflow_id, sign)


@router.post(
    "/{workflow_id}/cleanup", operation_id="clean_up_workflow", responses=errors(401, 404, 409)
)
async def clean_up(
    workflow_id: WorkflowId,
    resources: RequestResources,
    scope: Scope,
    everything: Annotated[
        bool, Query(alias="all", description="The outputs of the last steps too.")
    ] = False,
) -> CleanupRead:
    """Remove the pictures and archives that the steps have stored, except those of the last steps.

    What other workflows have taken over, LoRAs, and pictures that you uploaded stay.
    """
    return await Cleanup(resources, scope, workflow_id).run(everything=everything)
