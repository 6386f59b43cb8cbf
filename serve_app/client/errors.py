"""Why a request did not succeed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

_RETRY_STATUS = frozenset({429, 502, 503, 504})


class ClientError(Exception):
    """A request did not succeed. The text is one sentence for a person.

    Attributes:
        status_code: of the answer; None when there was none.
        retry_after: seconds after which the platform asks to be tried again; None if it did not.
    """

    def __init__(
        self, message: str, status_code: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, status_code, retry_after)
        self.message = message
        self.status_code = status_code
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.message

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.status_code is None or self.status_code in _RETRY_STATUS


class TaskFailed(ClientError):
    """The task ended without a result; the text is the platform's reason."""


class TaskCancelled(ClientError):
    """The task was cancelled before it was done."""


def refusal(answer: httpx.Response) -> ClientError:
    """The platform's own words, where it gave any."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = None
    if isinstance(detail, list):
        detail = "; ".join(_field(item) for item in detail)
    text = str(detail) if detail else f"{answer.request.url} answered HTTP {answer.status_code}"
    if answer.status_code == 401:
        text += " (is the API key right? --api-key or API_KEY)"
    wait = answer.headers.get("Retry-After", "")
    return ClientError(
        f"{text.rstrip('.')}.", answer.status_code, float(wait) if wait.isdigit() else None
    )


def _field(item: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in item.get("loc", ()) if part != "body")
    message = str(item.get("msg"))
    # Some messages name their field themselves.
    return f"{where}: {message}" if where and not message.startswith(where) else message


def reason_of(error: httpx.HTTPError) -> str:
    """Why no answer came, in words."""
    return str(error) or type(error).__name__
