"""Subscriptions: looked up, changed and renewed. Reading one may begin its next period."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from configs.plans import Plans
from db.models import Subscription
from db.repositories.credits import CreditAccount, SubscriptionDirectory
from db.repositories.scope import OrganizationScope, Page
from db.session import ReadSession, WriteSession
from serve_app.backend.subscriptions.schemas import SubscriptionUpdate
from serve_app.core.auth import Principal
from serve_app.core.errors import NotFound, UnprocessableField
from serve_app.core.versions import Versions


async def current(session: WriteSession, caller: Principal, plans: Plans) -> Subscription:
    """The subscription of the caller's organization, which has one from now on."""
    account = CreditAccount(session, OrganizationScope(caller.organization_id))
    await account.ensure(plans.default)
    return await account.current()


async def list_all(
    session: ReadSession, *, page: int, size: int, tier: str | None
) -> Page[Subscription]:
    """Those of all organizations that have asked for theirs."""
    return await SubscriptionDirectory(session).list(page=page, size=size, tier=tier)


async def list_own(
    session: WriteSession,
    caller: Principal,
    plans: Plans,
    *,
    page: int,
    size: int,
    tier: str | None,
) -> Page[Subscription]:
    """That of the caller's organization."""
    await current(session, caller, plans)
    return await SubscriptionDirectory(session).list(
        page=page, size=size, organization_id=caller.organization_id, tier=tier
    )


async def scope_of(
    session: ReadSession, caller: Principal, subscription_id: UUID
) -> OrganizationScope:
    """The organization that has a subscription, if the caller may see it.

    Raises:
        NotFound: there is none with this id, or it is another tenant's.
    """
    owner = await SubscriptionDirectory(session).owner_of(subscription_id)
    if owner is None or not (caller.is_superuser or owner == caller.organization_id):
        raise NotFound("Subscription not found")
    return OrganizationScope(owner)


async def get(session: WriteSession, caller: Principal, subscription_id: UUID) -> Subscription:
    """A subscription.

    Raises:
        NotFound: there is none with this id, or it is another tenant's.
    """
    scope = await scope_of(session, caller, subscription_id)
    return await CreditAccount(session, scope).current()


async def update(
    session: WriteSession,
    caller: Principal,
    plans: Plans,
    subscription_id: UUID,
    body: SubscriptionUpdate,
    *,
    versions: Versions,
) -> Subscription:
    """Change a subscription.

    Raises:
        NotFound: there is none with this id.
        PreconditionFailed: the client knows an older version.
        UnprocessableField: there is no such plan.
    """
    account = CreditAccount(session, await scope_of(session, caller, subscription_id))
    subscription = await account.lock()
    versions.change(subscription)
    changes = body.changes()
    if (tier := body.tier) is not None:
        if tier not in plans:
            known = ", ".join(plans)
            raise UnprocessableField(f"There is no plan {tier!r}: use {known}", ("body", "tier"))
        changes = {"credits_per_period": plans[tier].credits_per_period} | changes
    return await account.change(subscription, changes)


async def renew(
    session: WriteSession, caller: Principal, subscription_id: UUID, *, versions: Versions
) -> Subscription:
    """Begin the next period now.

    Raises:
        NotFound: there is none with this id.
        PreconditionFailed: the client knows an older version.
    """
    account = CreditAccount(session, await scope_of(session, caller, subscription_id))
    subscription = await account.lock()
    versions.change(subscription)
    return await account.renew(subscription, datetime.now(UTC))
