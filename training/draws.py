"""Randomness as a pure function of seed, step and row.

Nothing is drawn from a global generator, so a checkpoint needs no state of one: a run that resumes
at a step draws what an undisturbed run draws there, and so does one that splits its batches
otherwise, over workers or over micro-batches.
"""

from __future__ import annotations

import hashlib

import torch


def generator(*key: int | str) -> torch.Generator:
    """A generator on the CPU, whose draws depend on the key alone; equal on every device."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest) % 2**63)
