"""Why a request did not succeed."""

from __future__ import annotations

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
