"""Claude: text about text and pictures, through the streamed Messages API of ``anthropic``.

The API has no jobs: an answer belongs to its connection. Hanging up ends it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, ClassVar

import anthropic
import httpx2
from anthropic.types import Message
from pydantic import SecretStr

from configs.settings import ProviderSettings
from serve_app.core.providers.base import (
    Capability,
    Job,
    Order,
    Outcome,
    Picture,
    Running,
    TextOrder,
)
from serve_app.core.providers.errors import (
    HostedError,
    HostedInvalid,
    HostedMalformed,
    HostedOutcomeUnknown,
    HostedQuota,
    HostedRefused,
    HostedTimeout,
    HostedTruncated,
    HostedUnavailable,
    clean,
    of_status,
)

_DONE = {"end_turn", "stop_sequence"}
# Of an error inside a stream, whose status was 200 when it began.
_STATUS_OF_TYPE = {
    "overloaded_error": 529,
    "api_error": 500,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "billing_error": 402,
}


class Claude:
    """The provider; see :class:`.base.Provider`."""

    name: ClassVar[str] = "claude"
    has_jobs: ClassVar[bool] = False
    images_per_call: ClassVar[int] = 0
    capabilities: ClassVar[frozenset[Capability]] = frozenset({"text"})

    def __init__(self, key: SecretStr, settings: ProviderSettings) -> None:
        self._secret = key.get_secret_value()
        # Trying again is the runner's: it knows the breaker, and what was sent.
        self._client = anthropic.AsyncAnthropic(
            api_key=self._secret,
            base_url=settings.base_url,
            timeout=settings.request_seconds,
            max_retries=0,
        )

    async def submit(self, order: Order) -> Job | Outcome:
        """Ask, and read the answer to its end."""
        if not isinstance(order, TextOrder):
            raise HostedInvalid(self.name, "it makes no pictures")
        try:
            async with self._client.messages.stream(**_request(order)) as stream:
                message = await stream.get_final_message()
        except (anthropic.AnthropicError, httpx2.HTTPError) as error:
            raise self._translated(error) from error
        except (ValueError, TypeError, AssertionError, KeyError) as error:
            # Of its parser: what came was no stream of events.
            raise HostedMalformed(self.name, clean(type(error).__name__)) from error
        return self._outcome(message)

    async def poll(self, job: Job) -> Running | Outcome:
        """There are no jobs."""
        raise HostedOutcomeUnknown(self.name, f"there is no job {job.id!r}")

    async def cancel(self, job: Job) -> None:
        """There are no jobs."""

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.close()

    def _outcome(self, message: Message) -> Outcome:
        if message.stop_reason == "refusal":
            raise HostedRefused(self.name, _explanation(message))
        if message.stop_reason not in _DONE:
            # None: the connection ended before the answer did.
            raise HostedTruncated(self.name, message.stop_reason or "the stream ended early")
        text = "".join(block.text for block in message.content if block.type == "text")
        usage = message.usage
        return Outcome(
            text=text,
            usage={
                "input_tokens": usage.input_tokens
                + (usage.cache_creation_input_tokens or 0)
                + (usage.cache_read_input_tokens or 0),
                "output_tokens": usage.output_tokens,
            },
            info={"model": message.model},
        )

    def _translated(self, error: Exception) -> HostedError:
        if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
            return HostedTimeout(self.name)
        if isinstance(error, anthropic.APIStatusError):
            return self._of_status(error)
        if isinstance(error, httpx2.RemoteProtocolError | httpx2.ReadError):
            return HostedTruncated(self.name, "the connection broke")
        if isinstance(error, anthropic.APIResponseValidationError):
            return HostedMalformed(self.name)
        return HostedUnavailable(self.name, clean(error, self._secret))

    def _of_status(self, error: anthropic.APIStatusError) -> HostedError:
        said = _said(error.body)
        text = clean(said.get("message") or error.message, self._secret)
        status = _STATUS_OF_TYPE.get(str(said.get("type")), error.status_code)
        if "credit balance" in text.lower():
            return HostedQuota(self.name, text)
        return of_status(self.name, status, text, error.response.headers.get("retry-after"))


def _request(order: TextOrder) -> dict[str, Any]:
    request: dict[str, Any] = {
        "model": order.endpoint,
        "max_tokens": order.max_tokens,
        "system": order.instructions,
        "messages": [{"role": "user", "content": [_block(part) for part in order.parts]}],
    }
    if order.schema is not None:
        output = {"type": "json_schema", "schema": dict(order.schema)}
        request["output_config"] = {"format": output}
    return request


def _block(part: str | Picture) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    data = base64.b64encode(part.data).decode()
    source = {"type": "base64", "media_type": part.content_type, "data": data}
    return {"type": "image", "source": source}


def _said(body: object) -> Mapping[str, Any]:
    """The error object of an answer, or of an event in a stream."""
    if isinstance(body, str | bytes):
        try:
            body = json.loads(body)
        except ValueError:
            return {}
    if isinstance(body, Mapping):
        inner = body.get("error")
        return inner if isinstance(inner, Mapping) else body
    return {}


def _explanation(message: Message) -> str | None:
    details = getattr(message, "stop_details", None)
    return None if details is None else clean(getattr(details, "explanation", None) or "")
