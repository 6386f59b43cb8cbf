"""Identifiers that sort by time and cannot be guessed."""

from __future__ import annotations

import secrets
import threading
import time
from uuid import UUID

# Crockford's alphabet, lower case: without i, l, o, u, and in ASCII order: text sorts like numbers.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TEXT_LENGTH = 26

_lock = threading.Lock()
_last_tick = 0


def _next_tick() -> int:
    """60 bits: milliseconds of the Unix epoch, then 12 bits of their fraction; never twice."""
    global _last_tick  # noqa: PLW0603
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    tick = milliseconds << 12 | (rest << 12) // 1_000_000
    with _lock:
        _last_tick = tick = max(tick, _last_tick + 1)
    return tick


def uuid7() -> UUID:
    """A UUID version 7 (RFC 9562, section 6.2, method 3): ordered within this process,
    62 bits of randomness."""
    tick = _next_tick()
    return UUID(
        int=(tick >> 12) << 80
        | 0x7 << 76
        | (tick & 0xFFF) << 64
        | 0b10 << 62
        | secrets.randbits(62)
    )


def prefixed_id(prefix: str) -> str:
    """``prefix_`` and the 26 characters of a UUIDv7 in Crockford's base 32, for example
    ``task_06b1…``: text order is the order of creation."""
    value = uuid7().int
    text = "".join(_ALPHABET[value >> 5 * i & 31] for i in reversed(range(_TEXT_LENGTH)))
    return f"{prefix}_{text}"


def new_task_id() -> str:
    """An id of the Compute API's tasks."""
    return prefixed_id("task")


def new_workflow_id() -> str:
    """An id of a workflow."""
    return prefixed_id("wf")


def new_webhook_id() -> str:
    """An id of an endpoint that events are delivered to."""
    return prefixed_id("hook")


def new_delivery_id() -> str:
    """An id of a delivery, which its receiver sees as ``webhook-id``."""
    return prefixed_id("msg")
