"""fal: images, operations on pictures, and LoRA training, through the queue of ``fal-client``.

Its client sends a request again when a connection breaks, and then fal may run it twice: it has no
key by which two are known as one. So each call here goes out once, and where nobody can tell
whether it arrived, that is what is said.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import gcd
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from configs.providers import set_fal_host
from configs.settings import ProviderSettings
from serve_app.core.providers.base import (
    Capability,
    ImageOrder,
    Job,
    Order,
    Outcome,
    Picture,
    PictureOrder,
    RemoteFile,
    Running,
    TrainingOrder,
)
from serve_app.core.providers.errors import (
    HostedError,
    HostedFailed,
    HostedInvalid,
    HostedMalformed,
    HostedOutcomeUnknown,
    HostedRefused,
    HostedTimeout,
    HostedUnavailable,
    clean,
    of_status,
)

_REFUSALS = ("content_policy", "nsfw", "safety")


class Fal:
    """The provider; see :class:`.base.Provider`."""

    name: ClassVar[str] = "fal"
    has_jobs: ClassVar[bool] = True
    images_per_call: ClassVar[int] = 4
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            "text-to-image",
            "image-to-image",
            "references",
            "loras",
            "upscale",
            "remove-background",
            "training",
        }
    )

    def __init__(self, key: SecretStr, settings: ProviderSettings) -> None:
        if settings.base_url is not None:
            set_fal_host(urlsplit(settings.base_url).netloc)
        import fal_client  # noqa: PLC0415 - after its host is set, and only where it is used

        self._sdk = fal_client
        self._secret = key.get_secret_value()
        self._settings = settings
        self._client = fal_client.AsyncClient(
            key=self._secret, default_timeout=settings.request_seconds
        )
        self._http: httpx.AsyncClient | None = None

    async def submit(self, order: Order) -> Job:
        """Queue it at fal."""
        arguments = _arguments(order)
        async with self._once() as sent:
            try:
                handle = await self._client.submit(
                    order.endpoint, arguments, start_timeout=self._settings.call_seconds
                )
                return Job(order.endpoint, handle.request_id)
            except (KeyError, TypeError, ValueError) as error:
                raise HostedOutcomeUnknown(self.name, "it told no id") from error
            except Exception as error:
                raise self._translated(error, sent, submits=True) from error

    async def poll(self, job: Job) -> Running | Outcome:
        """Look at it once."""
        async with self._once() as sent:
            try:
                status = await self._client.status(job.endpoint, job.id)
            except Exception as error:
                raise self._translated(error, sent) from error
        if not isinstance(status, self._sdk.Completed):
            return Running()
        if status.error:
            raise self._failed(f"{status.error_type or ''} {status.error}")
        return _outcome(await self._result(job))

    async def _result(self, job: Job) -> Mapping[str, Any]:
        async with self._once(requests=2) as sent:
            try:
                answer = await self._client.result(job.endpoint, job.id)
            except self._sdk.client.FalClientHTTPError as error:
                if error.status_code in {400, 422} or error.status_code >= 500:
                    # The status is the model's own: the job is over.
                    raise self._failed(str(error)) from error
                raise self._translated(error, sent) from error
            except Exception as error:
                raise self._translated(error, sent) from error
        if not isinstance(answer, dict):
            raise HostedMalformed(self.name, "the result is no object")
        return answer

    async def cancel(self, job: Job) -> None:
        """Take it out of the queue, or stop it."""
        async with self._once() as sent:
            try:
                await self._client.cancel(job.endpoint, job.id)
            except self._sdk.client.FalClientHTTPError as error:
                if error.status_code not in {400, 404}:
                    raise self._translated(error, sent) from error
            except Exception as error:
                raise self._translated(error, sent) from error

    async def aclose(self) -> None:
        """Close connections."""
        if self._http is not None:
            await self._http.aclose()

    # --- one request, once ------------------------------------------------------------------------

    @asynccontextmanager
    async def _once(self, requests: int = 1) -> AsyncIterator[_Sent]:
        """Let the client send so many requests within the block, and no second try of one."""
        if self._http is None:
            self._http = await self._client._client
            self._http.event_hooks = {"request": [_note_request], "response": [_note_response]}
        sent = _Sent(requests)
        token = _sent.set(sent)
        try:
            yield sent
        finally:
            _sent.reset(token)

    def _translated(self, error: Exception, sent: _Sent, *, submits: bool = False) -> HostedError:
        if sent.response is not None and not sent.response.is_success:
            return self._of_response(sent.response)
        if submits and sent.left:
            return HostedOutcomeUnknown(self.name, "the connection broke before it answered")
        if isinstance(error, httpx.TimeoutException):
            return HostedTimeout(self.name)
        if isinstance(error, (httpx.TransportError, _SecondTry)):
            return HostedUnavailable(self.name, "the connection broke")
        return HostedMalformed(self.name, clean(type(error).__name__))

    def _of_response(self, response: httpx.Response) -> HostedError:
        text = clean(_detail(response), self._secret)
        if any(word in text.lower() for word in _REFUSALS):
            return HostedRefused(self.name, text)
        if response.status_code == 403 and "balance" in text.lower():
            return of_status(self.name, 402, text)
        return of_status(self.name, response.status_code, text, response.headers.get("retry-after"))

    def _failed(self, text: str) -> HostedError:
        shown = clean(text, self._secret)
        refused = any(word in shown.lower() for word in _REFUSALS)
        return (HostedRefused if refused else HostedFailed)(self.name, shown)


class _SecondTry(Exception):
    """The SDK is about to send a request again."""


@dataclass(slots=True)
class _Sent:
    """What became of the requests of one call."""

    allowed: int
    # Whether the head of a request has left this machine.
    left: bool = False
    response: httpx.Response | None = None

    async def trace(self, event: str, _: Mapping[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.left = True


_sent: ContextVar[_Sent] = ContextVar("sent")


async def _note_request(request: httpx.Request) -> None:
    sent = _sent.get()
    if sent.allowed == 0:
        raise _SecondTry
    sent.allowed -= 1
    sent.response = None
    request.extensions = {**request.extensions, "trace": sent.trace}


async def _note_response(response: httpx.Response) -> None:
    await response.aread()
    _sent.get().response = response


def _detail(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return response.reason_phrase
    detail = body.get("detail", body) if isinstance(body, dict) else body
    if isinstance(detail, list):
        return "; ".join(
            f"{one.get('msg')} ({one.get('type')})" for one in detail if isinstance(one, dict)
        )
    return str(detail)


# --- orders and results ---------------------------------------------------------------------------


def _arguments(order: Order) -> dict[str, Any]:
    match order:
        case ImageOrder():
            return _image_arguments(order)
        case PictureOrder():
            scale = {} if order.scale is None else {"scale": order.scale}
            return {"image_url": _data_url(order.image), "output_format": "png", **scale}
        case TrainingOrder():
            word = {} if order.trigger_word is None else {"trigger_word": order.trigger_word}
            return {
                "images_data_url": order.dataset_url,
                "steps": order.steps,
                "is_style": order.is_style,
                **word,
            }
    raise HostedInvalid(Fal.name, "it answers no questions about text")


def _image_arguments(order: ImageOrder) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "prompt": order.prompt,
        "image_size": {"width": order.width, "height": order.height},
        "num_images": order.num_images,
        "num_inference_steps": order.steps,
        "guidance_scale": order.guidance_scale,
        "output_format": "png",
        "enable_safety_checker": True,
    }
    if order.seed is not None:
        arguments["seed"] = order.seed
    if order.negative_prompt:
        arguments["negative_prompt"] = order.negative_prompt
    if order.loras:
        arguments["loras"] = [{"path": one.path, "scale": one.scale} for one in order.loras]
    if len(order.images) == 1 and not order.endpoint.endswith("/multi"):
        arguments |= {"image_url": _data_url(order.images[0]), "strength": order.strength}
    elif order.images:
        divisor = gcd(order.width, order.height)
        arguments |= {
            "image_urls": [_data_url(image) for image in order.images],
            "aspect_ratio": f"{order.width // divisor}:{order.height // divisor}",
        }
    return arguments


def _data_url(picture: Picture) -> str:
    return f"data:{picture.content_type};base64,{base64.b64encode(picture.data).decode()}"


def _outcome(answer: Mapping[str, Any]) -> Outcome:
    """Of any of the endpoints: its pictures, its one picture, or its LoRA.

    Raises:
        HostedRefused: every picture was taken away by the safety checker.
        HostedMalformed: there is none of them.
    """
    flags = answer.get("has_nsfw_concepts")
    if isinstance(flags, list) and flags and all(flags):
        raise HostedRefused(Fal.name, "its safety checker took all pictures away")
    files = answer.get("images") or [answer.get("image") or answer.get("diffusers_lora_file")]
    try:
        urls = [str(file["url"]) for file in files]
    except (TypeError, KeyError) as error:
        raise HostedMalformed(Fal.name, "the result names no files") from error
    seed = answer.get("seed")
    return Outcome(
        files=tuple(RemoteFile(url=url) for url in urls),
        seed=seed if isinstance(seed, int) else None,
        usage={"files": len(urls)},
    )
