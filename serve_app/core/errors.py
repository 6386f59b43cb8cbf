"""The one tree of errors that clients may see, and the one place that turns them into responses.

Services raise these and never an HTTP exception. Every class hands the arguments it was made of to
``Exception.__init__`` unchanged, so that it pickles and survives a Serve handle.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, ClassVar

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

# A request may be wrong in as many ways as it has bytes; the first ones are of use.
_MAX_FIELDS = 50
_MAX_NAME = 100
_NO_OBJECT = {"missing", "model_type", "model_attributes_type"}

# Where a wrong value stands, as in FastAPI's own answers: ("body", "config", "steps").
Loc = tuple[str | int, ...]


class SartiqError(Exception):
    """Base of what goes wrong for a reason a client can be told.

    Attributes:
        status_code: of the HTTP response.
        code: stable, machine-readable name of the kind of error.
        default_detail: the text when none is given.
        retryable: whether the same request may succeed when it is tried again.
    """

    status_code: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    default_detail: ClassVar[str] = "Internal server error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str | None = None, *rest: object) -> None:
        super().__init__(detail, *rest)
        self.detail = self.default_detail if detail is None else detail

    def __str__(self) -> str:
        return self.detail

    def body(self) -> dict[str, object]:
        """The JSON object of the response."""
        return {"detail": self.detail}

    def headers(self) -> dict[str, str]:
        """Headers that go with the response."""
        return {}


class BadRequest(SartiqError):
    """The request makes no sense as it is."""

    status_code = 400
    code = "bad_request"
    default_detail = "Bad request"


class InvalidInput(BadRequest):
    """A value the client gave can never work; the text says which, why, and what to do.

    The text starts with "Invalid input", which clients look for in the error of a failed task.
    """

    code = "invalid_input"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = f"Invalid input: {detail}"

    def at(self, *loc: str | int) -> UnprocessableField:
        """The same refusal, pinned to the request field that carried the value."""
        return UnprocessableField(self.detail, loc, self.code)


class Unauthorized(SartiqError):
    """No credentials, or credentials that are not (or no longer) good."""

    status_code = 401
    code = "unauthorized"
    default_detail = "Not authenticated"
    invalid_credentials: ClassVar[str] = "Could not validate credentials"

    def headers(self) -> dict[str, str]:
        """RFC 9110 demands a challenge with every 401."""
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(SartiqError):
    """The caller is known and may not do this."""

    status_code = 403
    code = "forbidden"
    default_detail = "Not enough permissions"


class NotFound(SartiqError):
    """No such thing, or another tenant's."""

    status_code = 404
    code = "not_found"
    default_detail = "Not found"


class Conflict(SartiqError):
    """The state of the resource does not allow this."""

    status_code = 409
    code = "conflict"
    default_detail = "Conflict"


class PayloadTooLarge(SartiqError):
    """More bytes than are taken."""

    status_code = 413
    code = "payload_too_large"
    default_detail = "The request is too large"


class UnsupportedMedia(SartiqError):
    """A format that is not taken."""

    status_code = 415
    code = "unsupported_media"
    default_detail = "The format is not supported"


class UnprocessableField(SartiqError):
    """One field of the request is wrong; renders as FastAPI's own validation errors do."""

    status_code = 422
    code = "validation_error"

    def __init__(
        self, detail: str, loc: Sequence[str | int] = ("body",), kind: str = "value_error"
    ) -> None:
        super().__init__(detail, loc, kind)
        self.loc: Loc = tuple(loc)
        self.kind = kind

    def body(self) -> dict[str, object]:
        """``detail`` as a list of one ``{loc, msg, type}``."""
        return {"detail": [{"loc": list(self.loc), "msg": self.detail, "type": self.kind}]}


class UnprocessableFields(UnprocessableField):
    """What one field of the request holds is wrong in several places, such as files of an archive.

    Args:
        detail: all of it in one text.
        loc: of the field.
        kind: of the errors.
        names: of the places; an empty one is the field itself.
        reasons: what is wrong with each.
    """

    code = "validation_errors"

    def __init__(
        self,
        detail: str,
        loc: Sequence[str | int],
        kind: str,
        names: Sequence[str],
        reasons: Sequence[str],
    ) -> None:
        super().__init__(detail, loc, kind)
        self.args = (detail, loc, kind, names, reasons)
        self.problems = tuple(zip(names, reasons, strict=True))

    def body(self) -> dict[str, object]:
        """``detail`` as a list with one ``{loc, msg, type}`` for each place."""
        return {
            "detail": [
                {
                    "loc": [*self.loc, name] if name else list(self.loc),
                    "msg": reason,
                    "type": self.kind,
                }
                for name, reason in self.problems
            ]
        }


class TooManyRequests(SartiqError):
    """A rate limit is reached; ``retry_after`` seconds later there is room again."""

    status_code = 429
    code = "rate_limited"
    retryable = True

    def __init__(self, retry_after: int, detail: str = "Rate limit exceeded") -> None:
        super().__init__(detail)
        # The base keeps text first; pickling needs the arguments in this class's own order.
        self.args = (retry_after, detail)
        self.retry_after = retry_after

    def body(self) -> dict[str, object]:
        """``detail`` and ``retry_after``, in seconds."""
        return {"detail": self.detail, "retry_after": self.retry_after}

    def headers(self) -> dict[str, str]:
        """The standard header and the platform's own."""
        seconds = str(self.retry_after)
        return {"Retry-After": seconds, "X-RateLimit-Retry-After": seconds}


class Unavailable(SartiqError):
    """The platform cannot do this at the moment."""

    status_code = 503
    code = "unavailable"
    default_detail = "The service is unavailable, try again later"
    retryable = True


def install_error_handlers(app: Starlette) -> None:
    """Make every failure of the application answer ``{"detail": …}``.

    Call it before other middleware is added: what is added later then sees the 500s as well.
    """
    app.add_exception_handler(SartiqError, _render_own)
    app.add_exception_handler(HTTPException, _render_http)
    app.add_exception_handler(RequestValidationError, _render_validation)
    # Middleware outside _LastResort can fail too.
    app.add_exception_handler(Exception, _render_unexpected)
    app.add_middleware(_LastResort)


async def _render_own(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SartiqError)
    return JSONResponse(error.body(), error.status_code, headers=error.headers())


async def _render_http(_: Request, error: Exception) -> JSONResponse:
    """The router's own 404 and 405, and those of libraries."""
    assert isinstance(error, HTTPException)
    detail = error.detail
    match error.__cause__:  # of FastAPI's "There was an error parsing the body"
        case RecursionError():
            detail = "The JSON nests too deeply"
        case UnicodeDecodeError():
            detail = "The JSON is not encoded in UTF-8"
        case ValueError() if error.status_code == 400:
            detail = "The JSON has a number that is too long"
    return JSONResponse({"detail": detail}, error.status_code, headers=error.headers)


async def _render_validation(_: Request, error: Exception) -> JSONResponse:
    """Without the ``input`` that pydantic repeats: it may be a password, or not be JSON."""
    assert isinstance(error, RequestValidationError)
    fields = [_field(one) for one in error.errors()[:_MAX_FIELDS]]
    return JSONResponse({"detail": fields}, 422)


def _field(error: dict[str, Any]) -> dict[str, object]:
    loc, kind = error["loc"], error["type"]
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        loc = (*loc, error["ctx"]["discriminator"].strip("'"))
        text = "Field required" if kind == "union_tag_not_found" else _unknown_tag(error["ctx"])
    elif kind == "json_invalid":
        text = f"This is not valid JSON: {error['ctx']['error']} at character {loc[-1]}"
    elif loc == ("body",) and kind in _NO_OBJECT:
        text = "Send a JSON object, with the header Content-Type: application/json"
    elif kind == "extra_forbidden":
        text = f"There is no field {str(loc[-1])[:_MAX_NAME]!r} here; check its spelling"
    else:
        text = error["msg"]
    shown = [one if isinstance(one, int) else str(one)[:_MAX_NAME] for one in loc]
    return {"loc": shown, "msg": text, "type": kind}


def _unknown_tag(context: dict[str, Any]) -> str:
    return f"{context['tag'][:_MAX_NAME]!r} is unknown; use one of {context['expected_tags']}"


async def _render_unexpected(_: Request, __: Exception) -> JSONResponse:
    return _internal_error()


def _internal_error() -> JSONResponse:
    return JSONResponse(SartiqError().body(), SartiqError.status_code)


class _LastResort:
    """Log an unexpected exception once, and answer 500.

    Starlette's own handler raises it again after answering; behind a Serve replica that would end
    the response in mid-air.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watching_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watching_send)
        except Exception:
            if started:  # half an answer is out: only closing the connection tells the client
                raise
            logger.exception("%s %s failed", scope["method"], scope["path"])
            await _internal_error()(scope, receive, send)
