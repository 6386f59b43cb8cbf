"""Requests that take too long, and those that may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from serve_app.core.deadline import Deadline

SECONDS = 0.2


async def _echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


def _slowly(media_type: str) -> object:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one "
        await asyncio.sleep(2 * SECONDS)
        yield b"two"

    async def answer(_: Request) -> Response:
        return StreamingResponse(parts(), media_type=media_type)

    return answer


async def _own_timeout(_: Request) -> Response:
    raise TimeoutError("of something else")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    routes = [
        Route("/echo", _echo, methods=["POST"]),
        Route("/events", _slowly("text/event-stream")),
        Route("/file", _slowly("text/plain")),
        Route("/own", _own_timeout),
    ]
    transport = httpx.ASGITransport(Deadline(Starlette(routes=routes), SECONDS))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_quick_request_is_answered(client: httpx.AsyncClient) -> None:
    assert (await client.post("/echo", content=b"hello")).text == "hello"


async def test_a_body_that_never_comes_is_given_up(client: httpx.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"he"
        await asyncio.sleep(60)

    async with asyncio.timeout(10):
        response = await client.post("/echo", content=body())
    assert response.status_code == 503
    assert response.json()["detail"] == "The request took longer than 0.2 seconds"


async def test_a_stream_of_events_may_last(client: httpx.AsyncClient) -> None:
    assert (await client.get("/events")).text == "one two"


async def test_another_answer_is_cut_in_the_middle(client: httpx.AsyncClient) -> None:
    with pytest.raises(TimeoutError):
        await client.get("/file")


async def test_a_timeout_of_something_else_is_not_the_request_s(client: httpx.AsyncClient) -> None:
    with pytest.raises(TimeoutError, match="of something else"):
        await client.get("/own")
