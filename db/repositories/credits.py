"""Subscriptions and their credits: spent before images are made, given back when none come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from configs.plans import Plan
from db.ids import uuid7
from db.models import CreditEntry, CreditReason, Subscription
from db.repositories.scope import OrganizationScope, Page, fetch_page
from db.session import ReadSession, WriteSession


class CreditsExhausted(Exception):
    """A charge is more than what is left."""

    def __init__(self, needed: int, left: int) -> None:
        super().__init__(needed, left)
        self.needed = needed
        self.left = left

    def __str__(self) -> str:
        return f"{self.needed} credits needed, {self.left} left"


class CreditAccount:
    """One organization's subscription, and the log of its credits."""

    def __init__(self, session: WriteSession, scope: OrganizationScope) -> None:
        self._session = session
        self._organization_id = scope.organization_id

    async def ensure(self, plan: Plan) -> None:
        """Have a subscription: one of ``plan``, from now on, if there is none yet."""
        if await self._session.scalar(self._own().with_only_columns(Subscription.id)) is not None:
            return
        now = datetime.now(UTC)
        made = await self._session.execute(
            insert(Subscription)
            .values(
                id=uuid7(),
                organization_id=self._organization_id,
                tier=plan.tier,
                period_start=now,
                period_end=now + timedelta(days=plan.period_days),
                credits_per_period=plan.credits_per_period,
                credits_remaining=plan.credits_per_period,
            )
            .on_conflict_do_nothing(index_elements=["organization_id"])
            .returning(Subscription.id)
        )
        if made.first() is not None:
            granted = plan.credits_per_period
            await self._log(CreditReason.GRANT, granted, balance=granted)

    async def current(self) -> Subscription:
        """The subscription, which is there; in its next period if the last one has ended.

        Raises:
            sqlalchemy.exc.NoResultFound: :meth:`ensure` it first.
        """
        await self._renew_if_ended()
        found = await self._session.scalars(
            self._own(), execution_options={"populate_existing": True}
        )
        subscription: Subscription = found.one()
        return subscription

    async def charge(self, amount: int, generation_id: UUID | None = None) -> int:
        """Take credits for a generation whose row is there; answer what is left.

        Raises:
            CreditsExhausted: fewer are left, or the subscription has ended; nothing is taken.
        """
        balance = await self._take(amount)
        if balance is None:
            # Perhaps the period has ended; another charge may have begun the next one meanwhile.
            await self._renew_if_ended()
            balance = await self._take(amount)
        if balance is None:
            raise CreditsExhausted(amount, await self._left())
        await self._log(CreditReason.GENERATION, -amount, balance, generation_id)
        return balance

    async def refund(self, amount: int, generation_id: UUID | None = None) -> int:
        """Give credits of a generation back, as often as it is called; answer what is left."""
        balance: int | None = await self._session.scalar(self._change(amount))
        assert balance is not None, "credits that were never charged"
        await self._log(CreditReason.REFUND, amount, balance, generation_id)
        return balance

    async def lock(self) -> Subscription:
        """The subscription, which nobody else changes until this transaction ends."""
        found = await self._session.scalars(
            self._own().with_for_update(), execution_options={"populate_existing": True}
        )
        subscription: Subscription = found.one()
        return subscription

    async def change(self, subscription: Subscription, values: Mapping[str, Any]) -> Subscription:
        """The subscription, locked before, with new values. A new number of remaining credits is
        a grant."""
        granted = values.get("credits_remaining", subscription.credits_remaining)
        difference = granted - subscription.credits_remaining
        for name, value in values.items():
            setattr(subscription, name, value)
        subscription.updated_at = func.clock_timestamp()
        await self._session.flush()
        if difference:
            await self._log(CreditReason.GRANT, difference, balance=granted)
        await self._session.refresh(subscription)
        return subscription

    async def renew(self, subscription: Subscription, start: datetime) -> Subscription:
        """Begin a period of the same length at ``start``, with all its credits; what was left of
        the last one is gone. Lock the subscription before."""
        length = subscription.period_end - subscription.period_start
        granted = subscription.credits_per_period
        gained = granted - subscription.credits_remaining
        subscription.period_start, subscription.period_end = start, start + length
        subscription.credits_remaining = granted
        subscription.updated_at = func.clock_timestamp()
        await self._session.flush()
        await self._log(CreditReason.RENEWAL, gained, balance=granted)
        await self._session.refresh(subscription)
        return subscription

    async def _take(self, amount: int) -> int | None:
        balance: int | None = await self._session.scalar(
            self._change(-amount).where(
                Subscription.credits_remaining >= amount, Subscription.period_end > func.now()
            )
        )
        return balance

    async def _renew_if_ended(self) -> None:
        # Whoever waits here for another's renewal finds that the row is no longer meant.
        ended = await self._session.scalar(
            self._own()
            .where(Subscription.auto_renew, Subscription.period_end <= func.now())
            .with_for_update(),
            execution_options={"populate_existing": True},
        )
        if ended is None:
            return
        length = ended.period_end - ended.period_start
        missed = (datetime.now(UTC) - ended.period_end) // length
        await self.renew(ended, ended.period_end + missed * length)

    async def _left(self) -> int:
        query = select(Subscription.credits_remaining).where(
            Subscription.organization_id == self._organization_id,
            Subscription.period_end > func.now(),
        )
        return await self._session.scalar(query) or 0

    def _own(self) -> Any:
        return select(Subscription).where(Subscription.organization_id == self._organization_id)

    def _change(self, amount: int) -> Any:
        return (
            update(Subscription)
            .where(Subscription.organization_id == self._organization_id)
            .values(credits_remaining=Subscription.credits_remaining + amount)
            .returning(Subscription.credits_remaining)
            .execution_options(synchronize_session=False)
        )

    async def _log(
        self, reason: CreditReason, amount: int, balance: int, generation_id: UUID | None = None
    ) -> None:
        self._session.add(
            CreditEntry(
                organization_id=self._organization_id,
                generation_id=generation_id,
                reason=reason,
                amount=amount,
                balance=balance,
            )
        )
        await self._session.flush()


class CreditLog:
    """What has happened to one organization's credits."""

    def __init__(self, session: ReadSession, scope: OrganizationScope) -> None:
        self._session = session
        self._organization_id = scope.organization_id

    async def list(
        self, *, page: int, size: int, reason: CreditReason | None = None
    ) -> Page[CreditEntry]:
        """The latest first."""
        query = select(CreditEntry).where(CreditEntry.organization_id == self._organization_id)
        if reason is not None:
            query = query.where(CreditEntry.reason == reason)
        order = CreditEntry.id.desc()
        return await fetch_page(self._session, query, page=page, size=size, order_by=order)


class SubscriptionDirectory:
    """The subscriptions of all organizations: for superusers, and to find whose one is."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session

    async def list(
        self, *, page: int, size: int, organization_id: UUID | None = None, tier: str | None = None
    ) -> Page[Subscription]:
        """The newest first; of one organization or of all that ever asked for theirs."""
        query = select(Subscription)
        if organization_id is not None:
            query = query.where(Subscription.organization_id == organization_id)
        if tier is not None:
            query = query.where(Subscription.tier == tier)
        order = Subscription.id.desc()
        return await fetch_page(self._session, query, page=page, size=size, order_by=order)

    async def owner_of(self, subscription_id: UUID) -> UUID | None:
        """The organization that has the subscription."""
        query = select(Subscription.organization_id).where(Subscription.id == subscription_id)
        owner: UUID | None = await self._session.scalar(query)
        return owner
