"""What brings tasks about: the request, or the task before, in which they are queued.

It is kept with every task, so that log lines and traces of a request lead on to where its work is
done, hours later and in another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

# ``request_id`` and ``traceparent`` (W3C), where there are any.
ORIGIN: Final[ContextVar[Mapping[str, str] | None]] = ContextVar("sartiq_origin", default=None)
