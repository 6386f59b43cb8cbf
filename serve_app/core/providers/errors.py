"""How a call to a provider fails: one class for each way, whatever the SDK calls it."""

from __future__ import annotations

from typing import ClassVar, Self

from serve_app.core.errors import SartiqError


class HostedError(SartiqError):
    """A call to a hosted provider failed.

    Args:
        provider: its name.
        detail: what it said, without anything secret; see :func:`clean`.
        retry_after: seconds that it asks to wait.

    Attributes:
        counts: whether it speaks against the provider, and so counts for its circuit.
        opens: whether nothing else will succeed either until somebody sees to it.
        keeps_job: whether a job at the provider may go on all the same.
    """

    status_code = 502
    code = "hosted_error"
    counts: ClassVar[bool] = False
    opens: ClassVar[bool] = False
    keeps_job: ClassVar[bool] = False
    # Of the text, after the provider's name.
    says: ClassVar[str] = "failed"

    def __init__(
        self, provider: str, detail: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(provider, detail, retry_after)
        self.provider = provider
        self.reason = detail
        self.retry_after = retry_after
        self.detail = f"{provider} {self.says}" + (f": {detail}" if detail else "")


class HostedTimeout(HostedError):
    """No answer in time."""

    status_code = 504
    code = "hosted_timeout"
    retryable = True
    counts = True
    keeps_job = True
    says = "gave no answer in time"


class HostedUnavailable(HostedError):
    """It cannot be reached, or answers that it is broken."""

    code = "hosted_unavailable"
    retryable = True
    counts = True
    keeps_job = True
    says = "is not available"


class HostedRateLimited(HostedError):
    """It asks for a pause."""

    status_code = 503
    code = "hosted_rate_limited"
    retryable = True
    keeps_job = True
    says = "asks for a pause"


class HostedQuota(HostedError):
    """The account has no credit or quota left."""

    code = "hosted_quota"
    counts = True
    opens = True
    keeps_job = True
    says = "has no quota left for this installation"


class HostedKeyRefused(HostedError):
    """The key is not good, or not for this."""

    code = "hosted_key_refused"
    counts = True
    opens = True
    keeps_job = True
    says = "does not accept the installation's key"


class HostedRefused(HostedError):
    """Its safety rules refuse the content."""

    status_code = 422
    code = "hosted_refused"
    says = "refuses this content"


class HostedInvalid(HostedError):
    """It does not take the request as it is."""

    status_code = 422
    code = "hosted_invalid"
    says = "does not take the request"


class HostedFailed(HostedError):
    """It took the work on, and could not do it."""

    code = "hosted_failed"
    retryable = True
    says = "could not do the work"


class HostedMalformed(HostedError):
    """Its answer is not what its protocol, or our schema, says."""

    code = "hosted_malformed"
    retryable = True
    says = "gave an answer that cannot be used"


class HostedTruncated(HostedError):
    """The answer broke off."""

    code = "hosted_truncated"
    retryable = True
    says = "broke off its answer"


class HostedOutcomeUnknown(HostedError):
    """The runner was lost while it handed the call over. The provider may have taken it, and may
    have charged for it; it is not sent twice. Ask again for another one."""

    code = "hosted_outcome_unknown"
    keeps_job = True
    says = "may have taken the call when its runner was lost; it is not sent twice"


class HostedCircuitOpen(HostedError):
    """It has failed too often of late; nothing is sent for a while."""

    status_code = 503
    code = "hosted_circuit_open"
    retryable = True
    says = "has failed too often of late"

    @classmethod
    def of(cls, provider: str, seconds: float) -> Self:
        """That of a provider to which nothing is sent for so long."""
        return cls(provider, f"nothing is sent for {seconds:.0f} s", seconds)


class HostedAbsent(HostedError):
    """This installation has no key for it."""

    status_code = 503
    code = "hosted_absent"
    says = "is not set up in this installation"


_MAX_TEXT = 300


def clean(text: object, *secrets: str) -> str:
    """What a provider said, short enough to show, and without our secrets in it."""
    shown = " ".join(str(text).split())
    for secret in secrets:
        if secret:
            shown = shown.replace(secret, "…")
    return shown if len(shown) <= _MAX_TEXT else f"{shown[:_MAX_TEXT]}…"


# By status of an HTTP answer; any other 4xx is a request that is not taken, any other 5xx a server
# that is broken.
_BY_STATUS: dict[int, type[HostedError]] = {
    401: HostedKeyRefused,
    402: HostedQuota,
    403: HostedKeyRefused,
    408: HostedTimeout,
    429: HostedRateLimited,
    504: HostedTimeout,
}


def of_status(
    provider: str, status: int, detail: str, retry_after: str | None = None
) -> HostedError:
    """The error of an HTTP answer."""
    kind = _BY_STATUS.get(status, HostedUnavailable if status >= 500 else HostedInvalid)
    seconds = _seconds(retry_after)
    return kind(provider, detail or f"status {status}", seconds)


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else min(max(float(header), 0.0), 3600.0)
    except ValueError:
        return None
