"""What a deprecated operation answers."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
from fastapi import Depends, FastAPI

from serve_app.core.deprecation import Deprecated


async def test_the_headers_of_a_deprecated_operation() -> None:
    api = FastAPI()
    leaving = Deprecated(datetime(2027, 6, 1, tzinfo=UTC), "https://docs.example.com/v2#colours")

    @api.get("/old", deprecated=True, dependencies=[Depends(leaving)])
    async def old() -> dict[str, str]:
        return {"still": "works"}

    @api.get("/new")
    async def new() -> dict[str, str]:
        return {}

    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        answer, other = await client.get("/old"), await client.get("/new")
    assert answer.json() == {"still": "works"}
    assert answer.headers["deprecation"] == "true"
    assert answer.headers["sunset"] == "Tue, 01 Jun 2027 00:00:00 GMT"
    assert answer.headers["link"] == '<https://docs.example.com/v2#colours>; rel="deprecation"'
    assert "deprecation" not in other.headers
    assert api.openapi()["paths"]["/old"]["get"]["deprecated"] is True
