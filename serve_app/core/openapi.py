"""What the OpenAPI documents say about errors and files, in one place."""

from __future__ import annotations

from typing import Any

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
