"""``/subscriptions``: tier, period and credits of organizations."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from db.models import CreditReason
from db.repositories.credits import CreditLog
from serve_app.backend.subscriptions import service
from serve_app.backend.subscriptions.schemas import (
    CreditEntryList,
    CreditEntryRead,
    SubscriptionList,
    SubscriptionRead,
    SubscriptionUpdate,
    read_subscription,
)
from serve_app.core.auth import Caller, NamedOrganization
from serve_app.core.dependencies import Reading, RequestResources, Writing
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.pagination import PageNumber, PageSize
from serve_app.core.routing import Router
from serve_app.core.text import Storable
from serve_app.core.versions import Versioned

router = Router(prefix="/subscriptions", tags=["subscriptions"])

SubscriptionId = Annotated[UUID, Path(description="Id of a subscription.")]


@router.get("/", operation_id="list_subscriptions", responses=errors(*MEMBER))
async def list_subscriptions(
    caller: Caller,
    named: NamedOrganization,
    resources: RequestResources,
    session: Writing,
    page: PageNumber = 1,
    size: PageSize = 20,
    tier: Annotated[
        str | None, Query(max_length=100, description="Only of this plan."), Storable
    ] = None,
) -> SubscriptionList:
    """The subscription of your organization. Superusers who name no organization see those of
    all."""
    if caller.is_superuser and named is None:
        found = await service.list_all(session, page=page, size=size, tier=tier)
    else:
        found = await service.list_own(
            session, caller, resources.plans, page=page, size=size, tier=tier
        )
    items = [read_subscription(one) for one in found.items]
    return SubscriptionList(items=items, total=found.total, page=found.page, size=found.size)


@router.get("/current", operation_id="get_current_subscription", responses=errors(304, *MEMBER))
async def get_current(
    caller: Caller, resources: RequestResources, session: Writing, versions: Versioned
) -> SubscriptionRead:
    """The subscription of your organization: what it may spend until when."""
    subscription = await service.current(session, caller, resources.plans)
    versions.read(subscription)
    return read_subscription(subscription)


@router.get("/{subscription_id}", operation_id="get_subscription", responses=errors(304, *MEMBER))
async def get(
    subscription_id: SubscriptionId, caller: Caller, session: Writing, versions: Versioned
) -> SubscriptionRead:
    """A subscription of your organization; of any, for superusers."""
    subscription = await service.get(session, caller, subscription_id)
    versions.read(subscription)
    return read_subscription(subscription)


@router.patch(
    "/{subscription_id}", operation_id="update_subscription", responses=errors(*MEMBER, 412)
)
async def update(
    subscription_id: SubscriptionId,
    body: SubscriptionUpdate,
    caller: Caller,
    resources: RequestResources,
    session: Writing,
    versions: Versioned,
) -> SubscriptionRead:
    """Change a subscription. For superusers."""
    subscription = await service.update(
        session, caller, resources.plans, subscription_id, body, versions=versions
    )
    versions.show(subscription)
    return read_subscription(subscription)


@router.post(
    "/{subscription_id}/renew", operation_id="renew_subscription", responses=errors(*MEMBER, 412)
)
async def renew(
    subscription_id: SubscriptionId, caller: Caller, session: Writing, versions: Versioned
) -> SubscriptionRead:
    """Begin the next period now, with all its credits. For superusers. Send `If-Match`, and a
    request that is sent twice renews once."""
    subscription = await service.renew(session, caller, subscription_id, versions=versions)
    versions.show(subscription)
    return read_subscription(subscription)


@router.get("/{subscription_id}/credits", operation_id="list_credits", responses=errors(*MEMBER))
async def list_credits(
    subscription_id: SubscriptionId,
    caller: Caller,
    session: Reading,
    page: PageNumber = 1,
    size: PageSize = 20,
    reason: Annotated[CreditReason | None, Query(description="Only for this reason.")] = None,
) -> CreditEntryList:
    """What has happened to the credits, the latest first. For admins."""
    scope = await service.scope_of(session, caller, subscription_id)
    found = await CreditLog(session, scope).list(page=page, size=size, reason=reason)
    items = [CreditEntryRead.model_validate(one) for one in found.items]
    return CreditEntryList(items=items, total=found.total, page=found.page, size=found.size)
