"""What the OpenAPI documents say about errors and files, in one place."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field, WithJsonSchema

# Of a file in a form, `Annotated[UploadFile, File(), BINARY]`: FastAPI writes it as JSON Schema has
# it, which makes generated clients send text.
BINARY = WithJsonSchema({"type": "string", "format": "binary"})


class ErrorRead(BaseModel):
    """Why a request was refused."""

    detail: str = Field(examples=["Not authenticated"])


class RetryRead(ErrorRead):
    """Why a request was refused for now."""

    retry_after: int = Field(description="Seconds until it may succeed.", examples=[30])


_MEANINGS = {
    304: "You have the present version",
    400: "The request makes no sense",
    401: "No credentials, or bad ones",
    403: "Not enough permissions",
    404: "No such thing",
    409: "The state of the resource does not allow it",
    402: "Not enough credits",
    412: "The resource has changed since you read it",
    413: "Too many bytes",
    415: "A format that is not taken",
    429: "Too many requests; `Retry-After` says when there is room again",
    503: "Not possible at the moment",
}


def errors(*status_codes: int) -> dict[int | str, dict[str, Any]]:
    """``responses=`` of an endpoint: the refusals that its callers should expect.

    422 needs no mention: FastAPI documents it wherever there is something to validate.
    """
    return {code: _refusal(code) for code in status_codes}


def _refusal(code: int) -> dict[str, Any]:
    if code == 304:  # without a body
        return {"description": _MEANINGS[code]}
    model = RetryRead if code == 429 else ErrorRead
    return {"model": model, "description": _MEANINGS[code]}


# What any request of a member may meet: several organizations and none named, no token, not
# enough rights, an organization or an object that is not theirs.
MEMBER = (400, 401, 403, 404)

# What any operation may meet: the database is away; and any with a body: it cannot be read, or is
# too long.
_ALWAYS = (503,)
_WITH_BODY = (400, 413)


# Of every response to a caller that is counted.
_RATE_HEADERS = {
    "X-RateLimit-Limit": "Requests that your tightest limit allows in its period.",
    "X-RateLimit-Remaining": "Requests that it would answer now.",
    "X-RateLimit-Reset": "Unix time in seconds at which it allows all of them again.",
}
_RETRY_HEADERS = {
    429: {
        "Retry-After": "Seconds until there is room again.",
        "X-RateLimit-Retry-After": "As `Retry-After`.",
    },
    503: {"Retry-After": "Seconds after which to try again."},
}


def install_document(api: FastAPI, *, rate_limited: bool = False) -> None:
    """Make the API's document say of each operation what every one may answer.

    ``rate_limited``: its callers' requests are counted.
    """
    generate = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            document = generate()
            _complete(document)
            if rate_limited:
                _limit(document)
        assert api.openapi_schema is not None
        return api.openapi_schema

    # As FastAPI documents it.
    api.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    for methods in document["paths"].values():
        for operation in methods.values():
            codes = _ALWAYS + (_WITH_BODY if "requestBody" in operation else ())
            for code in codes:
                operation["responses"].setdefault(str(code), _response(code, ErrorRead))
            for code, headers in _RETRY_HEADERS.items():
                if (response := operation["responses"].get(str(code))) is not None:
                    response["headers"] = {name: _header(text) for name, text in headers.items()}


def _limit(document: dict[str, Any]) -> None:
    """Say of each operation with a caller that it may be refused, and what it shows of limits."""
    components = document["components"]
    schema = RetryRead.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"]["RetryRead"] = schema
    components["headers"] = {name: _header(text) for name, text in _RATE_HEADERS.items()}
    shown = {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_HEADERS}
    retry = {name: _header(text) for name, text in _RETRY_HEADERS[429].items()}
    for methods in document["paths"].values():
        for operation in methods.values():
            if not operation.get("security"):
                continue
            responses = operation["responses"]
            responses.setdefault("429", _response(429, RetryRead) | {"headers": retry})
            for status, response in responses.items():
                if status != "401":
                    response["headers"] = response.get("headers", {}) | shown


def _response(code: int, model: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": _MEANINGS[code], "content": {"application/json": {"schema": schema}}}


def _header(text: str) -> dict[str, Any]:
    return {"description": text, "schema": {"type": "integer"}}
