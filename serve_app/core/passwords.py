"""Passwords: argon2id with the parameters that `pwdlib` recommends, off the event loop."""

from __future__ import annotations

import asyncio
from functools import cache

from pwdlib import PasswordHash

MIN_LENGTH = 8
# Longer ones add nothing, and hashing them costs.
MAX_LENGTH = 128


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _of_nobody() -> str:
    return _hasher().hash("no account has this password")


async def hash_password(password: str) -> str:
    """What to keep of a password: salt, parameters and hash as one text."""
    return await asyncio.to_thread(_hasher().hash, password)


async def verify_password(password: str, password_hash: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a new hash when the kept one is out of date.

    Without a hash it takes just as long, so that the time does not tell which accounts exist.
    """
    checked = await asyncio.to_thread(_verify, password, password_hash)
    return checked if password_hash is not None else (False, None)


def _verify(password: str, password_hash: str | None) -> tuple[bool, str | None]:
    return _hasher().verify_and_update(password, password_hash or _of_nobody())
