"""What images cost an organization."""

from __future__ import annotations

from uuid import UUID

from configs.plans import Plans
from db.repositories.credits import CreditAccount, CreditsExhausted
from db.repositories.queue import NewTask
from db.repositories.scope import OrganizationScope
from db.session import WriteSession
from serve_app.core.errors import SartiqError


class InsufficientCredits(SartiqError):
    """The subscription has too few credits left for what is asked."""

    status_code = 402
    code = "insufficient_credits"

    def __init__(self, needed: int, left: int) -> None:
        super().__init__(f"Not enough credits: {needed} needed, {left} left")
        # The base keeps text first; pickling needs the arguments in this class's own order.
        self.args = (needed, left)
        self.needed = needed
        self.left = left


def credits_of(task: NewTask) -> int:
    """What a task costs: a credit for each generated image, nothing for work on pictures and for
    training."""
    return int(task.config["num_outputs"]) if task.type == "generation" else 0


async def charge(
    session: WriteSession,
    scope: OrganizationScope,
    plans: Plans,
    amount: int,
    generation_id: UUID | None = None,
) -> int:
    """Take credits for a generation whose row is there; answer what is left. An organization
    without a subscription gets one of the default plan first.

    Raises:
        InsufficientCredits: as it says.
    """
    account = CreditAccount(session, scope)
    await account.ensure(plans.default)
    try:
        return await account.charge(amount, generation_id)
    except CreditsExhausted as error:
        raise InsufficientCredits(error.needed, error.left) from error
