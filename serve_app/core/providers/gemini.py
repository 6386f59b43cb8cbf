"""Gemini: images from text and references, and text about pictures, through the Interactions API of
``google-genai``.

An interaction in the background has an id at once and is kept by Google, so it is a job: it can be
looked at again, by anyone, and cancelled.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, ClassVar

import httpx2
from google import genai
from google.genai.interactions import Interaction
from google.genai.types import HttpOptions, HttpRetryOptions
from pydantic import SecretStr

from configs.settings import ProviderSettings
from serve_app.core.providers.base import (
    Capability,
    ImageOrder,
    Job,
    Order,
    Outcome,
    Picture,
    RemoteFile,
    Running,
    TextOrder,
)
from serve_app.core.providers.errors import (
    HostedError,
    HostedFailed,
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

_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_BLOCKED = ("safety", "blocked", "prohibited", "policy")
_AT_WORK = {"in_progress", "queued"}


class Gemini:
    """The provider; see :class:`.base.Provider`."""

    name: ClassVar[str] = "gemini"
    has_jobs: ClassVar[bool] = True
    images_per_call: ClassVar[int] = 1
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {"text-to-image", "image-to-image", "references", "text"}
    )

    def __init__(self, key: SecretStr, settings: ProviderSettings) -> None:
        self._secret = key.get_secret_value()
        # One attempt: trying again is the runner's.
        options = HttpOptions(
            base_url=settings.base_url,
            timeout=int(settings.request_seconds * 1000),
            retry_options=HttpRetryOptions(attempts=1),
        )
        self._client = genai.Client(api_key=self._secret, http_options=options).aio

    async def submit(self, order: Order) -> Job | Outcome:
        """Begin an interaction in the background."""
        request = _request(order)
        try:
            interaction = await self._client.interactions.create(
                model=order.endpoint, background=True, store=True, **request
            )
        except httpx2.ConnectError as error:
            raise HostedUnavailable(self.name, "it cannot be reached") from error
        except httpx2.HTTPError as error:
            raise HostedOutcomeUnknown(self.name, "the connection broke") from error
        except Exception as error:
            raise self._translated(error, submits=True) from error
        job_id = getattr(interaction, "id", None)
        if not isinstance(job_id, str) or not job_id:
            raise HostedOutcomeUnknown(self.name, "it told no id")
        return Job(order.endpoint, job_id)

    async def poll(self, job: Job) -> Running | Outcome:
        """Look at it once."""
        try:
            interaction = await self._client.interactions.get(id=job.id)
        except Exception as error:
            raise self._translated(error) from error
        status = getattr(interaction, "status", None)
        if status in _AT_WORK:
            return Running()
        if status == "completed":
            return self._outcome(interaction)
        if status in {"incomplete", "requires_continuation"}:
            raise HostedTruncated(self.name, str(status))
        if status == "budget_exceeded":
            raise HostedQuota(self.name, str(status))
        if status in {"failed", "cancelled"}:
            raise self._failed(interaction)
        raise HostedMalformed(self.name, f"a status {clean(status)!r}")

    async def cancel(self, job: Job) -> None:
        """End it."""
        try:
            await self._client.interactions.cancel(id=job.id)
        except Exception as error:
            told = self._translated(error)
            if not isinstance(told, HostedInvalid):
                raise told from error

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    def _outcome(self, interaction: Interaction) -> Outcome:
        usage = interaction.usage
        counted = {
            "input_tokens": (usage and usage.total_input_tokens) or 0,
            "output_tokens": ((usage and usage.total_output_tokens) or 0)
            + ((usage and usage.total_thought_tokens) or 0),
        }
        image = interaction.output_image
        files: tuple[RemoteFile, ...] = ()
        if image is not None and image.data is not None:
            try:
                files = (RemoteFile(data=base64.b64decode(str(image.data), validate=True)),)
            except binascii.Error as error:
                raise HostedMalformed(self.name, "its picture is not base64") from error
        elif image is not None and image.uri is not None:
            files = (RemoteFile(url=image.uri),)
        text = interaction.output_text or None
        if not files and text is None:
            raise self._failed(interaction)
        return Outcome(
            files=files, text=text, usage=counted, info={"model": str(interaction.model)}
        )

    def _failed(self, interaction: Interaction) -> HostedError:
        said = [error.message for error in interaction.errors or [] if error.message]
        for step in interaction.steps or []:
            error = getattr(step, "error", None)
            if error is not None and error.message:
                said.append(error.message)
        text = clean("; ".join(said), self._secret)
        refused = any(word in text.lower() for word in _BLOCKED)
        return (HostedRefused if refused else HostedFailed)(self.name, text or "no reason told")

    def _translated(self, error: Exception, *, submits: bool = False) -> HostedError:
        if isinstance(error, httpx2.TimeoutException):
            return HostedTimeout(self.name)
        if isinstance(error, httpx2.HTTPError):
            return HostedUnavailable(self.name, "the connection broke")
        status = getattr(error, "status_code", None)
        if not isinstance(status, int) or status < 400:
            kind = HostedOutcomeUnknown if submits else HostedMalformed
            return kind(self.name, clean(type(error).__name__))
        text = clean(_message(error), self._secret)
        if "api key" in text.lower():
            status = 401
        elif any(word in text.lower() for word in _BLOCKED):
            return HostedRefused(self.name, text)
        elif status == 429 and "current quota" in text.lower():
            status = 402
        response = getattr(error, "response", None)
        headers: Mapping[str, str] = {} if response is None else response.headers
        return of_status(self.name, status, text, headers.get("retry-after"))


def _message(error: Exception) -> object:
    """What Google said, without the client's own words around it."""
    body = getattr(error, "body", None)
    inner = body.get("error") if isinstance(body, Mapping) else None
    said = inner.get("message") if isinstance(inner, Mapping) else None
    return said or error


def _request(order: Order) -> Mapping[str, Any]:
    if isinstance(order, ImageOrder):
        avoid = f"\nAvoid: {order.negative_prompt}" if order.negative_prompt else ""
        return {
            "input": [*map(_content, order.images), _content(order.prompt + avoid)],
            "response_format": {
                "type": "image",
                "mime_type": "image/jpeg",
                "aspect_ratio": _nearest_ratio(order.width, order.height),
            },
        }
    if isinstance(order, TextOrder):
        request: dict[str, Any] = {
            "system_instruction": order.instructions,
            "input": [_content(part) for part in order.parts],
            "generation_config": {"max_output_tokens": order.max_tokens},
        }
        if order.schema is not None:
            request["response_format"] = {
                "type": "text",
                "mime_type": "application/json",
                "schema": dict(order.schema),
            }
        return request
    raise HostedInvalid(Gemini.name, "it neither enlarges, cuts out nor trains")


def _content(part: str | Picture) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    data = base64.b64encode(part.data).decode()
    return {"type": "image", "mime_type": part.content_type, "data": data}


def _nearest_ratio(width: int, height: int) -> str:
    def distance(ratio: str) -> float:
        across, _, down = ratio.partition(":")
        return abs(int(across) / int(down) - width / height)

    return min(_RATIOS, key=distance)
