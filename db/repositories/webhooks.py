"""Webhooks of one organization, and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from db.models import (
    DeliveryStatus,
    EventCursor,
    TaskWebhook,
    Webhook,
    WebhookCursor,
    WebhookDelivery,
    WebhookSecret,
)
from db.repositories.scope import OrganizationScope, Page, fetch_page
from db.session import ReadSession, WriteSession


class WebhookRepository:
    """What an organization sees of its webhooks."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._organization_id = scope.organization_id

    async def get(self, webhook_id: str) -> Webhook | None:
        """The endpoint with this id; unknown and another tenant's are the same."""
        found: Webhook | None = await self._session.scalar(
            select(Webhook).where(
                Webhook.id == webhook_id, Webhook.organization_id == self._organization_id
            )
        )
        return found

    async def list(self, *, page: int, size: int) -> Page[Webhook]:
        """The endpoints, the newest first."""
        query = select(Webhook).where(Webhook.organization_id == self._organization_id)
        order = Webhook.id.desc()
        return await fetch_page(self._session, query, page=page, size=size, order_by=order)

    async def delivery(self, delivery_id: str) -> WebhookDelivery | None:
        """The delivery with this id."""
        found: WebhookDelivery | None = await self._session.scalar(
            select(WebhookDelivery).where(
                WebhookDelivery.id == delivery_id,
                WebhookDelivery.organization_id == self._organization_id,
            ),
            execution_options={"populate_existing": True},
        )
        return found

    async def deliveries(
        self,
        *,
        page: int,
        size: int,
        webhook_id: str | None = None,
        task_id: str | None = None,
        status: DeliveryStatus | None = None,
    ) -> Page[WebhookDelivery]:
        """Deliveries, the newest first; of one endpoint, or of the webhook of one task."""
        query = select(WebhookDelivery).where(
            WebhookDelivery.organization_id == self._organization_id
        )
        for column, value in (
            (WebhookDelivery.webhook_id, webhook_id),
            (WebhookDelivery.task_id, task_id),
            (WebhookDelivery.status, status),
        ):
            if value is not None:
                query = query.where(column == value)
        query = query.order_by(WebhookDelivery.created_at.desc())
        order = WebhookDelivery.id.desc()
        return await fetch_page(self._session, query, page=page, size=size, order_by=order)


class WebhookWriter(WebhookRepository):
    """Webhooks, and changes of them. Secrets come and stay sealed."""

    def __init__(self, session: WriteSession, scope: OrganizationScope) -> None:
        super().__init__(session, scope)
        self._session: WriteSession = session

    async def add(
        self, *, url: str, events: Sequence[str], description: str, secret: str
    ) -> Webhook:
        """A new endpoint, which gets what happens from now on."""
        row = Webhook(
            organization_id=self._organization_id,
            url=url,
            events=list(events),
            description=description,
            secret=secret,
            since_seq=await self._begin(),
        )
        self._session.add(row)
        await self._session.flush()
        await self._session.refresh(row)
        return row

    async def count(self) -> int:
        """How many endpoints there are."""
        query = select(func.count()).where(Webhook.organization_id == self._organization_id)
        return await self._session.scalar(query) or 0

    async def change(self, row: Webhook, values: Mapping[str, Any]) -> Webhook:
        """The endpoint with new values."""
        for name, value in values.items():
            setattr(row, name, value)
        await self._session.flush()
        await self._session.refresh(row)
        return row

    async def enable(self, row: Webhook) -> Webhook:
        """Take an endpoint that was disabled up again; what happened meanwhile it does not get."""
        values = {
            "disabled_at": None,
            "disabled_reason": None,
            "succeeded_at": None,
            "since_seq": await self._begin(),
        }
        return await self.change(row, values)

    async def disable(self, webhook_id: str, reason: str) -> bool:
        """Deliver no more to an endpoint, and give up what waits; False: it was so already."""
        changed = await self._session.execute(
            update(Webhook)
            .where(
                Webhook.id == webhook_id,
                Webhook.organization_id == self._organization_id,
                Webhook.disabled_at.is_(None),
            )
            .values(disabled_at=func.now(), disabled_reason=reason)
            .returning(Webhook.id)
        )
        await self._session.execute(
            update(WebhookDelivery)
            .where(
                WebhookDelivery.webhook_id == webhook_id,
                WebhookDelivery.status == DeliveryStatus.PENDING,
            )
            .values(status=DeliveryStatus.FAILED, finished_at=func.now())
        )
        return changed.first() is not None

    async def remove(self, row: Webhook) -> None:
        """Remove an endpoint with its deliveries."""
        await self._session.execute(delete(Webhook).where(Webhook.id == row.id))

    async def for_task(self, task_id: str, url: str, lane: str, secret: str) -> None:
        """Send the end of a task to a URL. ``secret``: a new one, should the organization have
        none. Call it in the transaction that makes the task."""
        self._session.add(
            TaskWebhook(task_id=task_id, organization_id=self._organization_id, url=url, lane=lane)
        )
        await self._session.execute(
            insert(WebhookSecret)
            .values(organization_id=self._organization_id, secret=secret)
            .on_conflict_do_nothing()
        )
        await self._begin()

    async def replace_own_secret(self, secret: str, previous_until: datetime) -> None:
        """Sign task webhooks by a new secret, and by the present one for a while."""
        own = insert(WebhookSecret).values(organization_id=self._organization_id, secret=secret)
        await self._session.execute(
            own.on_conflict_do_update(
                index_elements=[WebhookSecret.organization_id],
                set_={
                    "previous_secret": WebhookSecret.secret,
                    "previous_until": previous_until,
                    "secret": own.excluded.secret,
                },
            )
        )

    async def test(self, row: Webhook) -> WebhookDelivery:
        """Queue a delivery that says nothing."""
        delivery = WebhookDelivery(
            organization_id=self._organization_id,
            webhook_id=row.id,
            lane=row.id,
            kind="webhook.test",
        )
        self._session.add(delivery)
        await self._session.flush()
        await self._session.refresh(delivery)
        return delivery

    async def redeliver(self, row: WebhookDelivery) -> WebhookDelivery:
        """Queue a delivery again, from its first try on."""
        row.status, row.tries, row.finished_at = DeliveryStatus.PENDING, 0, None
        row.next_try_at = func.now()
        await self._session.flush()
        await self._session.refresh(row)
        return row

    async def _begin(self) -> int:
        """The end of the log; from there on it is made into deliveries."""
        query = select(EventCursor.seq).where(EventCursor.organization_id == self._organization_id)
        seq = await self._session.scalar(query) or 0
        await self._session.execute(
            insert(WebhookCursor)
            .values(organization_id=self._organization_id, seq=seq)
            .on_conflict_do_nothing()
        )
        return seq
