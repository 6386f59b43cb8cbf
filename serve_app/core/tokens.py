"""Signed tokens of the Backend API (JSON Web Tokens, RFC 7519; practice of RFC 8725).

One algorithm, pinned: a token that names another, `none` among them, is refused. Every token says
whom it is from and for, and what it is good for, so that none can be used as one of another kind.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from jose import JWTError, jwt

from serve_app.core.errors import Unauthorized

_ALGORITHM = "HS256"
_ISSUER = "sartiq"
_AUDIENCE = "sartiq-api"
_REMEMBERED = 4096
_REQUIRED = ("exp", "iat", "sub", "jti", "aud", "iss")


class TokenKind(StrEnum):
    """What a token is good for."""

    ACCESS = "access"
    REFRESH = "refresh"
    # Opens event streams, from a URL.
    STREAM = "stream"
    PASSWORD_RESET = "password-reset"  # noqa: S105 - the name of a kind


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says.

    Attributes:
        user_id: whose it is.
        token_id: unique to the token.
        session_id: the login that it follows from; of a password reset, none.
        stamp: of a password reset: which password it replaces.
    """

    user_id: UUID
    token_id: UUID
    session_id: UUID | None = None
    stamp: str | None = None


@dataclass(frozen=True, slots=True)
class _Verified:
    claims: Claims
    kind: str | None
    expires: int


class Tokens:
    """Issues and reads tokens.

    Args:
        secret: the installation's; tokens are signed by a key derived from it.
    """

    def __init__(self, secret: str) -> None:
        # Image URLs are signed with the same secret: neither signature may pass for the other.
        self._key = hashlib.sha256(b"sartiq tokens\0" + secret.encode()).hexdigest()
        # A client sends the same token for an hour; what it says does not change, only whether it
        # has expired.
        self._verified = lru_cache(maxsize=_REMEMBERED)(self._verify)

    def issue(
        self,
        kind: TokenKind,
        user_id: UUID,
        lasts: timedelta,
        *,
        token_id: UUID | None = None,
        session_id: UUID | None = None,
        stamp: str | None = None,
    ) -> str:
        """A token of a kind that is good for ``lasts``."""
        now = datetime.now(UTC)
        claims: dict[str, Any] = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(user_id),
            "jti": str(token_id or uuid4()),
            "iat": now,
            "exp": now + lasts,
            "typ": kind.value,
        }
        if session_id is not None:
            claims["sid"] = str(session_id)
        if stamp is not None:
            claims["stamp"] = stamp
        token: str = jwt.encode(claims, self._key, algorithm=_ALGORITHM)
        return token

    def read(self, token: str, kind: TokenKind) -> Claims:
        """What a token says.

        Raises:
            Unauthorized: it is expired, of another kind, key, algorithm, issuer or audience, or no
                token at all.
        """
        try:
            verified = self._verified(token)
        except (JWTError, ValueError, TypeError, AttributeError) as error:
            raise Unauthorized(Unauthorized.invalid_credentials) from error
        if verified.kind != kind or verified.expires < time.time():
            raise Unauthorized(Unauthorized.invalid_credentials)
        return verified.claims

    def _verify(self, token: str) -> _Verified:
        """What a token says if its signature and all claims but its time are good."""
        claims = jwt.decode(
            token,
            self._key,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            issuer=_ISSUER,
            options={f"require_{name}": True for name in _REQUIRED} | {"verify_exp": False},
        )
        session = claims.get("sid")
        read = Claims(
            user_id=UUID(claims["sub"]),
            token_id=UUID(claims["jti"]),
            session_id=UUID(session) if session else None,
            stamp=claims.get("stamp"),
        )
        return _Verified(read, claims.get("typ"), int(claims["exp"]))


def looks_like_token(credentials: str) -> bool:
    """Whether a Bearer value has the form of a token; an API key has not."""
    return credentials.count(".") == 2


def password_stamp(password_hash: str) -> str:
    """Names a password without revealing it: a reset is good until the password changes."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:32]
