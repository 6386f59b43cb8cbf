"""Endpoints and their secrets, and where tasks report to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from db.models import Webhook
from db.repositories.scope import OrganizationScope
from db.repositories.webhooks import WebhookWriter
from db.session import WriteSession
from serve_app.compute.webhooks.schemas import WebhookCreate, WebhookUpdate
from serve_app.compute.webhooks.signing import new_secret
from serve_app.core.errors import Conflict, InvalidInput
from serve_app.core.resources import Resources

_MAX_WEBHOOKS = 50
# A receiver has this long to learn a new secret.
_OVERLAP = timedelta(hours=24)


class TooManyWebhooks(Conflict):
    """The organization has as many endpoints as it may."""

    code = "too_many_webhooks"
    default_detail = f"You have {_MAX_WEBHOOKS} webhooks, which is the most; delete one first"


class NotEnabled(Conflict):
    """The endpoint is disabled, so nothing is sent to it."""

    code = "webhook_disabled"
    default_detail = "The webhook is disabled: enable it first"


async def check_url(resources: Resources, url: str, *loc: str | int) -> str:
    """A URL that may be delivered to, as far as can be told now; every try checks it again. The
    answer names its receiver: scheme, host and port.

    Raises:
        UnprocessableField: it may not.
    """
    try:
        parsed = await resources.fetcher.check(url)
    except InvalidInput as error:
        raise error.at(*loc) from error
    return f"{parsed.scheme}://{parsed.netloc.decode()}"


class Webhooks:
    """Changes of an organization's endpoints, in the transaction of a request."""

    def __init__(
        self, resources: Resources, session: WriteSession, scope: OrganizationScope
    ) -> None:
        self._resources = resources
        self._rows = WebhookWriter(session, scope)
        self._organization_id = scope.organization_id

    async def create(self, body: WebhookCreate) -> tuple[Webhook, str]:
        """A new endpoint, and its secret.

        Raises:
            UnprocessableField: the URL is not usable.
            TooManyWebhooks: as it says.
        """
        await check_url(self._resources, body.url, "body", "url")
        if await self._rows.count() >= _MAX_WEBHOOKS:
            raise TooManyWebhooks
        secret = new_secret()
        row = await self._rows.add(
            url=body.url,
            events=body.events,
            description=body.description,
            secret=self._resources.vault.seal(secret),
        )
        return row, secret

    async def update(self, row: Webhook, body: WebhookUpdate) -> Webhook:
        """The endpoint as the body wants it.

        Raises:
            UnprocessableField: the URL is not usable.
        """
        changes: dict[str, Any] = body.changes()
        enabled = changes.pop("enabled", None)
        if "url" in changes:
            await check_url(self._resources, changes["url"], "body", "url")
        row = await self._rows.change(row, changes)
        if enabled is False and row.disabled_at is None:
            await self._rows.disable(row.id, "You disabled it")
            row = await self._rows.change(row, {})
        elif enabled and row.disabled_at is not None:
            row = await self._rows.enable(row)
        return row

    async def rotate(self, row: Webhook) -> str:
        """A new secret of an endpoint."""
        secret = new_secret()
        values = {
            "previous_secret": row.secret,
            "previous_until": datetime.now(UTC) + _OVERLAP,
            "secret": self._resources.vault.seal(secret),
        }
        await self._rows.change(row, values)
        return secret

    async def rotate_own(self) -> str:
        """A new secret of the ``webhook_url`` of tasks."""
        secret = new_secret()
        sealed = self._resources.vault.seal(secret)
        await self._rows.replace_own_secret(sealed, datetime.now(UTC) + _OVERLAP)
        return secret

    async def follow_task(self, task_id: str, url: str, receiver: str) -> None:
        """Tell a URL when a new task has ended. ``receiver``: as :func:`check_url` answers it."""
        lane = f"{self._organization_id}:{receiver}"
        sealed = self._resources.vault.seal(new_secret())
        await self._rows.for_task(task_id, url, lane, sealed)
