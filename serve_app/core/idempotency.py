"""Requests that may be sent twice: ``Idempotency-Key`` on every POST that creates.

Within 24 hours the same key with the same body answers what it answered the first time; with
another body it is a conflict. The answer is kept in the transaction that creates the resource.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import orjson
from fastapi import Depends, Header, Request, Response, status
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from db.repositories.idempotency import IdempotencyRepository, StoredResponse
from db.repositories.scope import OrganizationScope
from db.session import Database, WriteSession
from serve_app.core.auth import Caller
from serve_app.core.dependencies import RequestResources
from serve_app.core.errors import Conflict
from serve_app.core.vault import Vault

AnswerT = TypeVar("AnswerT", bound=BaseModel)

_CHUNK_BYTES = 1024 * 1024

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern="^[ -~]+$",
        description="Makes it safe to send the request again: for 24 hours the same key answers "
        "the same response.",
    ),
]


class KeyReused(Conflict):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used for a different request"


class Once:
    """The idempotency of one request; without a key it does nothing.

    Ask for :meth:`earlier` before slow work, so that no transaction is open meanwhile, and
    :meth:`begin` in the transaction that creates.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        scope: OrganizationScope,
        key: str | None,
        fingerprint: str,
    ) -> None:
        self._database = database
        self._vault = vault
        self._scope = scope
        self._key = key
        self._fingerprint = fingerprint

    async def earlier(self) -> Response | None:
        """The kept answer, if the request was answered before.

        Raises:
            KeyReused: the key belongs to another request.
        """
        if self._key is None:
            return None
        async with self._database.read() as session:
            kept = await IdempotencyRepository(session, self._scope).find(self._key)
        return self._replay(kept)

    async def begin(self, session: WriteSession) -> Response | None:
        """Take the key; or the answer of a twin, which is waited for.

        Raises:
            KeyReused: the key belongs to another request.
        """
        if self._key is None:
            return None
        keys = IdempotencyRepository(session, self._scope)
        return self._replay(await keys.begin(self._key, self._fingerprint))

    def _replay(self, kept: StoredResponse | None) -> Response | None:
        if kept is None:
            return None
        if kept.fingerprint != self._fingerprint:
            raise KeyReused
        answer = kept.response
        if isinstance(answer, str):
            answer = orjson.loads(self._vault.open(answer))
        return JSONResponse(answer, kept.status_code, headers={"Idempotency-Replayed": "true"})

    async def keep(
        self, session: WriteSession, answer: BaseModel, status_code: int, *, secret: bool = False
    ) -> None:
        """Store the answer with what it reports; both are committed, or neither.

        One that tells a ``secret`` is stored sealed.
        """
        if self._key is None:
            return
        body = (
            self._vault.seal(answer.model_dump_json()) if secret else answer.model_dump(mode="json")
        )
        keys = IdempotencyRepository(session, self._scope)
        await keys.store(self._key, status_code, body)

    async def create(
        self,
        session: WriteSession,
        make: Callable[[], Awaitable[AnswerT]],
        *,
        secret: bool = False,
    ) -> AnswerT | Response:
        """Make the resource, or give the answer of the request that made it; ``secret``: as for
        :meth:`keep`."""
        if (twin := await self.begin(session)) is not None:
            return twin
        answer = await make()
        await self.keep(session, answer, status.HTTP_201_CREATED, secret=secret)
        return answer


async def _once(
    request: Request, resources: RequestResources, caller: Caller, key: KeyHeader = None
) -> Once:
    fingerprint = "" if key is None else await _fingerprint(request)
    scope = OrganizationScope(caller.organization_id)
    return Once(resources.database, resources.vault, scope, key, fingerprint)


async def _fingerprint(request: Request) -> str:
    """SHA-256 of what is asked for. Of a form its parts, since what stands between them is made up
    anew each time that it is sent."""
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode())
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        digest.update(await request.body())
        return digest.hexdigest()
    for name, value in (await request.form()).multi_items():
        if isinstance(value, str):
            data = value.encode()
            digest.update(f"{name}\n{len(data)}\n".encode() + data)
            continue
        digest.update(f"{name}\n{value.size}\n".encode())
        while chunk := await value.read(_CHUNK_BYTES):
            digest.update(chunk)
        await value.seek(0)
    return digest.hexdigest()


Idempotency = Annotated[Once, Depends(_once)]
