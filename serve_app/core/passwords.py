"""Passwords: argon2id, off the event loop.

The parameters are those of OWASP's Password Storage Cheat Sheet. What `pwdlib` recommends takes
five times as long, on four threads: at a dozen logins a second two processors do nothing else.
"""

from __future__ import annotations

import asyncio
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

MIN_LENGTH = 8
# Longer ones add nothing, and hashing them costs.
MAX_LENGTH = 128


@cache
def _hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))


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
