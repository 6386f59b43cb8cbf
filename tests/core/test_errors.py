from __future__ import annotations

import importlib
import logging
import pickle
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.applications import Starlette

from serve_app.core.credits import InsufficientCredits
from serve_app.core.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    SartiqError,
    TooManyRequests,
    Unauthorized,
    UnprocessableField,
    UnprocessableFields,
    install_error_handlers,
)
from serve_app.core.providers.errors import HostedError

# The modules of core that define errors are loaded, so that the walk below sees all classes.
for module in ("admission", "fetch", "images", "providers.errors", "storage"):
    importlib.import_module(f"serve_app.core.{module}")


def subclasses(root: type[SartiqError]) -> Iterator[type[SartiqError]]:
    yield root
    for child in root.__subclasses__():
        yield from subclasses(child)


def make(kind: type[SartiqError]) -> SartiqError:
    if issubclass(kind, TooManyRequests):
        return kind(30)
    if issubclass(kind, InsufficientCredits):
        return kind(4, 1)
    if issubclass(kind, HostedError):
        return kind("fal", "it broke", 7.0)
    if issubclass(kind, UnprocessableFields):
        return kind("too many", ("body", "file"), "invalid_dataset", ("a.png",), ("it is broken",))
    if issubclass(kind, UnprocessableField):
        return kind("too many", ("body", "steps"), "less_than_equal")
    return kind("what went wrong")


@pytest.mark.parametrize("kind", sorted(set(subclasses(SartiqError)), key=lambda k: k.__name__))
def test_every_error_survives_pickling(kind: type[SartiqError]) -> None:
    error = make(kind)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert copy.body() == error.body()
    assert copy.headers() == error.headers()
    assert copy.args == error.args


def test_codes_and_statuses_are_set() -> None:
    kinds = set(subclasses(SartiqError)) - {SartiqError}
    assert all(400 <= kind.status_code <= 599 for kind in kinds)
    assert all(kind.code != SartiqError.code for kind in kinds)


def test_invalid_input_text_and_field() -> None:
    error = InvalidInput("the picture is empty")
    assert str(error) == "Invalid input: the picture is empty"
    field = error.at("body", "input_image_url")
    assert field.status_code == 422
    assert field.body() == {
        "detail": [
            {
                "loc": ["body", "input_image_url"],
                "msg": "Invalid input: the picture is empty",
                "type": "invalid_input",
            }
        ]
    }


class Body(BaseModel):
    steps: int


def application() -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/raise/{name}")
    async def fail(name: str) -> None:
        raise {
            "not-found": NotFound("No such task"),
            "conflict": Conflict(),
            "login": Unauthorized(),
            "limit": TooManyRequests(30),
            "field": UnprocessableField("at most 100", ("body", "steps"), "less_than_equal"),
            "bug": RuntimeError("secret of the house"),
        }[name]

    @app.post("/body")
    async def body(body: Body) -> Body:
        return body

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            raise RuntimeError("in mid-stream")

        return StreamingResponse(chunks())

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_own_errors_render(client: httpx.AsyncClient) -> None:
    response = await client.get("/raise/not-found")
    assert (response.status_code, response.json()) == (404, {"detail": "No such task"})
    response = await client.get("/raise/conflict")
    assert (response.status_code, response.json()) == (409, {"detail": "Conflict"})
    response = await client.get("/raise/login")
    assert (response.status_code, response.json()) == (401, {"detail": "Not authenticated"})
    assert response.headers["www-authenticate"] == "Bearer"


async def test_rate_limit_renders_with_its_headers(client: httpx.AsyncClient) -> None:
    response = await client.get("/raise/limit")
    assert response.status_code == 429
    assert response.json() == {"detail": "Rate limit exceeded", "retry_after": 30}
    assert response.headers["retry-after"] == "30"
    assert response.headers["x-ratelimit-retry-after"] == "30"


async def test_own_field_errors_look_like_fastapi_ones(client: httpx.AsyncClient) -> None:
    ours = (await client.get("/raise/field")).json()["detail"]
    assert ours == [{"loc": ["body", "steps"], "msg": "at most 100", "type": "less_than_equal"}]
    theirs = await client.post("/body", json={"steps": "many"})
    assert theirs.status_code == 422
    assert theirs.json()["detail"][0].keys() == ours[0].keys()
    assert theirs.json()["detail"][0]["loc"] == ["body", "steps"]


async def test_values_that_are_not_json_still_answer_422(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/body", content=b'{"steps": NaN}', headers={"content-type": "application/json"}
    )
    assert response.status_code == 422


async def test_router_errors_have_the_same_shape(client: httpx.AsyncClient) -> None:
    response = await client.get("/nowhere")
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})
    response = await client.put("/body")
    assert (response.status_code, response.json()) == (405, {"detail": "Method Not Allowed"})
    assert response.headers["allow"] == "POST"


async def test_a_bug_answers_500_without_its_text_and_is_logged_once(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        response = await client.get("/raise/bug")
    assert (response.status_code, response.json()) == (500, {"detail": "Internal server error"})
    (record,) = caplog.records
    assert record.getMessage() == "GET /raise/bug failed"
    assert record.exc_info is not None
    assert "secret of the house" in str(record.exc_info[1])


async def test_a_failure_after_the_start_is_not_hidden(client: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="mid-stream"):
        await client.get("/half")


async def test_plain_starlette_applications_too() -> None:
    app = Starlette()
    install_error_handlers(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/nowhere")
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})
