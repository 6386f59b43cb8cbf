"""Dry runs: requests that are checked, priced and timed, and leave nothing."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query
from fastapi.responses import JSONResponse

from db.repositories.queue import NewTask
from db.repositories.scope import OrganizationScope
from serve_app.core.credits import credits_of
from serve_app.core.estimates.reading import CostRead, EtaRead, QuoteRead
from serve_app.core.resources import Resources

DryRun = Annotated[
    bool, Query(description="Check the request and answer a quote: nothing is queued or stored.")
]
# `responses=` of an endpoint that takes dry runs.
QUOTED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": QuoteRead, "description": "A quote, of a dry run"}
}


async def quote(resources: Resources, scope: OrganizationScope, task: NewTask) -> QuoteRead:
    """The quote of a task, which is not queued."""
    estimate = await resources.estimator.foresee(scope.organization_id, task)
    return QuoteRead(
        dry_run=True,
        type=task.type,
        cost=CostRead(credits=credits_of(task)),
        queue_position=estimate.position,
        eta=EtaRead.of(estimate),
    )


def answer_quote(quoted: QuoteRead) -> JSONResponse:
    """The response with a quote."""
    return JSONResponse(quoted.model_dump(mode="json"))
