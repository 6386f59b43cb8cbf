"""CPU priority of a model's thread."""

from __future__ import annotations

import os
import sys
import threading

_NICER = 5


def yield_to_servers() -> None:
    """Run this thread, and those that it starts, behind the processes that answer requests.

    On a machine without a GPU a model uses every core for as long as it can. The few milliseconds
    that the gateway, the runner and the database need then cost the model nothing that one sees,
    while waiting for the model would cost them all their latency.
    """
    if sys.platform == "linux":  # where priority is a thread's own
        thread = threading.get_native_id()
        present = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, present + _NICER)
