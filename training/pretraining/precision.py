"""Where computing in bfloat16 is worth it."""

from __future__ import annotations

from functools import cache

import torch


@cache
def has_bfloat16() -> bool:
    """Whether oneDNN is fast at bfloat16 on this CPU.

    Where it is not (before AVX-512) its reference kernels take over: a convolution takes two
    hundred times as long as in float32.
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def bfloat16(*, enabled: bool = True) -> torch.autocast:
    """Autocast to bfloat16, as far as the CPU is good at it."""
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled and has_bfloat16())
