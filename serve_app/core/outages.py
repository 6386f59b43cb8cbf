"""A database that is away answers 503; the next request tries again by itself."""

from __future__ import annotations

import logging

from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request

from db.errors import DatabaseUnavailable, is_unavailable
from serve_app.core.errors import Unavailable

logger = logging.getLogger(__name__)

_RETRY_AFTER_SECONDS = 2


def install_outage_handlers(app: Starlette) -> None:
    """Answer ``{"detail": …}`` with 503 while Postgres cannot be reached."""
    app.add_exception_handler(DatabaseUnavailable, _render)
    app.add_exception_handler(SQLAlchemyError, _render)


async def _render(_: Request, error: Exception) -> JSONResponse:
    if not is_unavailable(error):
        raise error
    logger.warning("the database is away: %s", error)
    away = Unavailable("The database is unavailable, try again later")
    headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
    return JSONResponse(away.body(), away.status_code, headers=headers)
