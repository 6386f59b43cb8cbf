"""``/webhooks``: endpoints of your own that events are sent to, and what came of it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Response, status

from db.models import DeliveryStatus, Webhook
from db.repositories.webhooks import WebhookRepository, WebhookWriter
from serve_app.compute.webhooks.schemas import (
    DeliveryList,
    DeliveryRead,
    WebhookCreate,
    WebhookCreated,
    WebhookList,
    WebhookRead,
    WebhookSecretRead,
    WebhookUpdate,
    read_delivery,
    read_webhook,
)
from serve_app.compute.webhooks.service import NotEnabled, Webhooks
from serve_app.core.auth import Scope
from serve_app.core.dependencies import Reading, RequestResources, Writing
from serve_app.core.errors import NotFound
from serve_app.core.idempotency import Idempotency
from serve_app.core.openapi import errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.routing import Router
from serve_app.core.rows import found
from serve_app.core.text import Storable

router = Router(prefix="/webhooks", tags=["webhooks"])

_NAME = "Webhook"
WebhookId = Annotated[str, Path(description="Id of a webhook.", max_length=64), Storable]
DeliveryState = Annotated[
    Literal["pending", "delivered", "failed"] | None,
    Query(alias="status", description="Only deliveries in this state."),
]


async def _webhooks(resources: RequestResources, session: Writing, scope: Scope) -> Webhooks:
    return Webhooks(resources, session, scope)


async def _named(webhook_id: WebhookId, session: Writing, scope: Scope) -> Webhook:
    return found(await WebhookWriter(session, scope).get(webhook_id), _NAME)


Changing = Annotated[Webhooks, Depends(_webhooks, scope="function")]
Named = Annotated[Webhook, Depends(_named, scope="function")]


@router.get("/", operation_id="list_webhooks", responses=errors(401))
async def list_webhooks(
    session: Reading, scope: Scope, page: PageNumber = 1, size: PageSize = 20
) -> WebhookList:
    """Your endpoints, the newest first."""
    rows = await WebhookRepository(session, scope).list(page=page, size=size)
    items = [WebhookRead.model_validate(read_webhook(row)) for row in rows.items]
    return WebhookList(items=items, total=rows.total, page=rows.page, size=rows.size)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    operation_id="create_webhook",
    response_model=WebhookCreated,
    responses=errors(401, 409),
)
async def create(
    body: WebhookCreate, webhooks: Changing, session: Writing, once: Idempotency
) -> WebhookCreated | Response:
    """Send events to a URL from now on. The answer is the only time that its secret is shown."""

    async def make() -> WebhookCreated:
        row, secret = await webhooks.create(body)
        return WebhookCreated(**read_webhook(row), secret=secret)

    return await once.create(session, make, secret=True)


@router.post("/secret", operation_id="rotate_task_webhook_secret", responses=errors(401))
async def rotate_own_secret(webhooks: Changing) -> WebhookSecretRead:
    """A new secret of your organization, which signs what is sent to the `webhook_url` of tasks."""
    return WebhookSecretRead(secret=await webhooks.rotate_own())


@router.get("/deliveries", operation_id="list_deliveries", responses=errors(401))
async def list_all_deliveries(
    session: Reading,
    scope: Scope,
    page: PageNumber = 1,
    size: PageSize = 20,
    state: DeliveryState = None,
    task_id: Annotated[
        str | None,
        Query(max_length=64, description="Only those to the `webhook_url` of this task."),
        Storable,
    ] = None,
) -> DeliveryList:
    """Deliveries to all endpoints and to the URLs of tasks, the newest first."""
    rows = await WebhookRepository(session, scope).deliveries(
        page=page, size=size, task_id=task_id, status=DeliveryStatus(state) if state else None
    )
    items = [read_delivery(row) for row in rows.items]
    return DeliveryList(items=items, total=rows.total, page=rows.page, size=rows.size)


@router.post(
    "/deliveries/{delivery_id}/redeliver",
    operation_id="redeliver",
    responses=errors(401, 404, 409),
)
async def redeliver(
    delivery_id: Annotated[str, Path(description="Id of a delivery.", max_length=64), Storable],
    session: Writing,
    scope: Scope,
) -> DeliveryRead:
    """Send a delivery again, with the same `webhook-id`, whatever came of it."""
    rows = WebhookWriter(session, scope)
    row = await rows.delivery(delivery_id)
    if row is None:
        raise NotFound("Delivery not found")
    if row.webhook_id is not None:
        _see_that_it_is_enabled(found(await rows.get(row.webhook_id), _NAME))
    return read_delivery(await rows.redeliver(row))


@router.get("/{webhook_id}", operation_id="get_webhook", responses=errors(401, 404))
async def get(webhook_id: WebhookId, session: Reading, scope: Scope) -> WebhookRead:
    """An endpoint."""
    row = found(await WebhookRepository(session, scope).get(webhook_id), _NAME)
    return WebhookRead.model_validate(read_webhook(row))


@router.patch("/{webhook_id}", operation_id="update_webhook", responses=errors(401, 404))
async def update(row: Named, body: WebhookUpdate, webhooks: Changing) -> WebhookRead:
    """Change an endpoint; what waits for it is sent to where it leads then."""
    return WebhookRead.model_validate(read_webhook(await webhooks.update(row, body)))


@router.delete(
    "/{webhook_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_webhook",
    responses=errors(401, 404),
)
async def delete(row: Named, session: Writing, scope: Scope) -> Response:
    """Remove an endpoint, with its deliveries."""
    await WebhookWriter(session, scope).remove(row)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post(
    "/{webhook_id}/rotate-secret",
    operation_id="rotate_webhook_secret",
    responses=errors(401, 404),
)
async def rotate(row: Named, webhooks: Changing) -> WebhookSecretRead:
    """A new secret. For 24 hours deliveries carry a signature of the old one as well."""
    return WebhookSecretRead(secret=await webhooks.rotate(row))


@router.post("/{webhook_id}/test", operation_id="test_webhook", responses=errors(401, 404, 409))
async def test(row: Named, session: Writing, scope: Scope) -> DeliveryRead:
    """Send a `webhook.test`, signed as all else; its deliveries tell what came of it."""
    _see_that_it_is_enabled(row)
    return read_delivery(await WebhookWriter(session, scope).test(row))


@router.get(
    "/{webhook_id}/deliveries", operation_id="list_webhook_deliveries", responses=errors(401, 404)
)
async def list_deliveries(
    webhook_id: WebhookId,
    session: Reading,
    scope: Scope,
    page: PageNumber = 1,
    size: PageSize = 20,
    state: DeliveryState = None,
) -> DeliveryList:
    """What was sent to an endpoint, the newest first, with the response to every try."""
    rows = WebhookRepository(session, scope)
    found(await rows.get(webhook_id), _NAME)
    wanted = DeliveryStatus(state) if state else None
    listed = await rows.deliveries(page=page, size=size, webhook_id=webhook_id, status=wanted)
    items = [read_delivery(row) for row in listed.items]
    return DeliveryList(items=items, total=listed.total, page=listed.page, size=listed.size)


def _see_that_it_is_enabled(row: Webhook) -> None:
    if row.disabled_at is not None:
        raise NotEnabled
