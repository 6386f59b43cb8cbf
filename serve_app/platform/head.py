"""``ray``, the command, in a process that ends when its parent does, even by SIGKILL."""

from __future__ import annotations

import ctypes
import signal
import sys

from ray.scripts.scripts import main

_PR_SET_PDEATHSIG = 1  # prctl(2)

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    main()
