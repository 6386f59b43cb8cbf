"""Passwords: argon2id, off the event loop.

The parameters are those of OWASP's Password Storage Cheat Sheet. What `pwdlib` recommends takes
five times as long, on four threads: at a dozen logins a second two processors do nothing else.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

MIN_LENGTH = 8
# Longer ones add nothing, and hashing them costs.
MAX_LENGTH = 128

T = TypeVar("T")


@cache
def _hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))


@cache
def _of_nobody() -> str:
    return _hasher().hash("no account has this password")


@cache
def _threads() -> ThreadPoolExecutor:
    # Half of the processors at most: a rush of logins, or an attack, leaves the others to everybody
    # else, and each login is done sooner than if all of them were hashed at once.
    workers = max(1, len(os.sched_getaffinity(0)) // 2)
    return ThreadPoolExecutor(workers, thread_name_prefix="password")


async def _aside(work: Callable[..., T], *args: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads(), work, *args)


async def hash_password(password: str) -> str:
    """What to keep of a password: salt, parameters and hash as one text."""
    return await _aside(_hasher().hash, password)


async def verify_password(password: str, password_hash: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a new hash when the kept one is out of date.

    Without a hash it takes just as long, so that the time does not tell which accounts exist.
    """
    checked = await _aside(_verify, password, password_hash)
    return checked if password_hash is not None else (False, None)


def _verify(password: str, password_hash: str | None) -> tuple[bool, str | None]:
    return _hasher().verify_and_update(password, password_hash or _of_nobody())
