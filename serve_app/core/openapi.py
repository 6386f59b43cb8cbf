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
    return {"model": ErrorRead, "description": _MEANINGS[code]}


# What any request of a member may meet: several organizations and none named, no token, not
# enough rights, an organization or an object that is not theirs.
MEMBER = (400, 401, 403, 404)

# What any operation may meet: the database is away; and any with a body: it cannot be read, or is
# too long.
_ALWAYS = (503,)
_WITH_BODY = (400, 413)


def install_document(api: FastAPI) -> None:
    """Make the API's document say of each operation what every one may answer."""
    generate = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            _complete(generate())
        assert api.openapi_schema is not None
        return api.openapi_schema

    # As FastAPI documents it.
    api.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorRead"}}}
    for methods in document["paths"].values():
        for operation in methods.values():
            codes = _ALWAYS + (_WITH_BODY if "requestBody" in operation else ())
            for code in codes:
                response = {"description": _MEANINGS[code], "content": content}
                operation["responses"].setdefault(str(code), response)
