"""What is sent, and what signs it (Standard Webhooks, standardwebhooks.com)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from standardwebhooks import Webhook

_SECRET_BYTES = 32


def new_secret() -> str:
    """256 random bits, as the libraries of Standard Webhooks take them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def body_of(kind: str, happened_at: datetime, data: dict[str, Any]) -> bytes:
    """What is sent about an event: ``type``, ``timestamp`` and ``data``. The same at every try."""
    timestamp = happened_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return orjson.dumps({"type": kind, "timestamp": timestamp, "data": data})


def headers_of(delivery_id: str, body: bytes, keys: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers of one try, signed by each of the secrets."""
    signatures = [Webhook(key).sign(delivery_id, now, body.decode()) for key in keys]
    return {
        "Content-Type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
