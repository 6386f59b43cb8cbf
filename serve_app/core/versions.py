"""Versions of a resource: ``ETag``, ``If-None-Match`` on reads and ``If-Match`` on changes.

A version is the time of the last change. Where an answer holds signed URLs, or what changes by
itself, its ETag changes with them as well, so that nobody keeps URLs that have expired; a change
asks for the version alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Protocol

from fastapi import Depends, Header, Request, Response
from fastapi.applications import FastAPI

from serve_app.core.errors import SartiqError

# Signed URLs hold for longer than this.
_URL_WINDOW_SECONDS = 600


class PreconditionFailed(SartiqError):
    """The resource has changed since the client read it."""

    status_code = 412
    code = "precondition_failed"
    default_detail = "This has been changed since you read it; read it again"


class NotModified(Exception):
    """The client has the present version."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


class Resource(Protocol):
    """A row with a version."""

    updated_at: datetime


class Versions:
    """The conditions of one request, and the version in its answer."""

    def __init__(self, response: Response, if_match: str | None, if_none_match: str | None) -> None:
        self._response = response
        self._if_match = if_match
        self._if_none_match = if_none_match

    def read(self, row: Resource, *, has_urls: bool = False, also: str = "") -> None:
        """Say which version is answered; call it before the answer is put together. ``also`` stands
        for what the answer shows besides the row, such as how far a training of it is.

        Raises:
            NotModified: it is the one that the client has.
        """
        etag = self.show(row, has_urls=has_urls, also=also)
        if etag in _tags(self._if_none_match) or self._if_none_match == "*":
            raise NotModified(etag)

    def change(self, row: Resource) -> None:
        """Check that the client knows the present version, if it says which it knows; call it with
        the row locked.

        Raises:
            PreconditionFailed: it does not.
        """
        if self._if_match in {None, "*"}:
            return
        known = {tag.strip('"').partition(".")[0] for tag in _tags(self._if_match)}
        if _version(row) not in known:
            raise PreconditionFailed

    def show(self, row: Resource, *, has_urls: bool = False, also: str = "") -> str:
        """Put the version into the answer's headers; arguments as for :meth:`read`."""
        window = f".{_window():x}" if has_urls else ""
        rest = f".{also}" if also else ""
        etag = f'"{_version(row)}{window}{rest}"'
        self._response.headers["ETag"] = etag
        return etag


def newest(*rows: Resource) -> Resource:
    """The row that changed last: the version of an answer that is made of all of them."""
    return max(rows, key=lambda row: row.updated_at)


def _version(row: Resource) -> str:
    return f"{int(row.updated_at.timestamp() * 1_000_000):x}"


def _window() -> int:
    return int(datetime.now().timestamp()) // _URL_WINDOW_SECONDS  # noqa: DTZ005 - of any zone


def _tags(header: str | None) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in (header or "").split(",")]


async def _versions(
    response: Response,
    if_match: Annotated[
        str | None,
        Header(
            max_length=1000,
            description="Of a change: the `ETag` that you read; refused with 412 if it is stale.",
        ),
    ] = None,
    if_none_match: Annotated[
        str | None,
        Header(
            max_length=1000, description="Of a read: the `ETag` that you have; 304 if it is new."
        ),
    ] = None,
) -> Versions:
    return Versions(response, if_match, if_none_match)


Versioned = Annotated[Versions, Depends(_versions)]


def install_version_handler(api: FastAPI) -> None:
    """Make :class:`NotModified` an answer."""
    api.add_exception_handler(NotModified, _not_modified)


async def _not_modified(_: Request, error: Exception) -> Response:
    assert isinstance(error, NotModified)
    return Response(status_code=304, headers={"ETag": error.etag})
