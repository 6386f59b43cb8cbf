"""What SDKs of hosted providers read from the environment themselves, and nowhere else."""

from __future__ import annotations

import os


def set_fal_host(host: str) -> None:
    """Name the host (with its port) of fal's queue. ``fal_client`` reads it while it is imported,
    so this comes before."""
    os.environ["FAL_QUEUE_RUN_HOST"] = host
