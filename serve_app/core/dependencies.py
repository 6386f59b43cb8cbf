"""What endpoints may ask for in their signature.

Dependencies are coroutine functions, whatever they do: FastAPI sends a plain function to a thread,
which takes longer than all else that a small request needs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Annotated, cast

from fastapi import Depends, Request

from db.session import ReadSession, WriteSession
from serve_app.core.resources import Resources

RESOURCES_STATE = "resources"


def resources_of(request: Request) -> Resources:
    """What the gateway opened for the application that answers this request."""
    return cast("Resources", getattr(request.app.state, RESOURCES_STATE))


async def _resources(request: Request) -> Resources:
    return resources_of(request)


RequestResources = Annotated[Resources, Depends(_resources)]


# What most requests ask for takes the request itself: each dependency of a dependency costs FastAPI
# as much as many of them do.
async def _read_session(request: Request) -> AsyncIterator[ReadSession]:
    async with resources_of(request).database.read() as session:
        yield session


async def _write_session(request: Request) -> AsyncIterator[WriteSession]:
    async with resources_of(request).database.write() as session:
        yield session


# scope="function": the part after `yield`, the commit, runs before the response leaves. With the
# default a commit that fails would come after a 201.
Reading = Annotated[ReadSession, Depends(_read_session, scope="function")]
Writing = Annotated[WriteSession, Depends(_write_session, scope="function")]


async def _own_urls(request: Request) -> tuple[str, ...]:
    """Every scheme and host the platform is known under: as configured, and as just called."""
    called = f"{request.url.scheme}://{request.url.netloc}"
    configured = resources_of(request).settings.http.public_url
    return (called,) if configured is None else (configured.rstrip("/"), called)


OwnUrls = Annotated[tuple[str, ...], Depends(_own_urls)]


async def _base_url(own_urls: OwnUrls) -> str:
    """Scheme and host of the URLs in an answer, without a slash at the end."""
    return own_urls[0]


BaseUrl = Annotated[str, Depends(_base_url)]


# Turns a path in storage into a URL that anyone may fetch for a while.
Sign = Callable[[str], Awaitable[str]]


async def _sign(request: Request) -> Sign:
    resources = resources_of(request)
    seconds, (base_url, *_) = resources.settings.media.url_seconds, await _own_urls(request)
    return partial(resources.store.sign, expires_in=seconds, base_url=base_url)


Signing = Annotated[Sign, Depends(_sign)]
