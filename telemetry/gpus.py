"""How busy the GPUs of a process are, by NVIDIA's management library where it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class GpuUse:
    """``utilization``: share of time that kernels ran, 0 to 1, on average over the devices;
    ``memory_bytes``: in use on all of them, by whomever."""

    utilization: float
    memory_bytes: int


def gpu_use(devices: Sequence[str] = ()) -> GpuUse | None:
    """The use of the GPUs with these indices or UUIDs, of all when none is named; None: there is no
    GPU, or no library that knows of it."""
    library = _library()
    if library is None:
        return None
    handles = [_handle(library, device) for device in devices] or [
        library.nvmlDeviceGetHandleByIndex(index) for index in range(library.nvmlDeviceGetCount())
    ]
    if not handles:
        return None
    busy = [library.nvmlDeviceGetUtilizationRates(handle).gpu / 100 for handle in handles]
    used = sum(library.nvmlDeviceGetMemoryInfo(handle).used for handle in handles)
    return GpuUse(sum(busy) / len(busy), used)


@lru_cache(maxsize=1)
def _library() -> Any:
    """The library, opened; None: it is not there, or finds no driver."""
    try:
        import pynvml  # noqa: PLC0415 - only installed with the extra `gpu`
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _handle(library: Any, device: str) -> Any:
    if device.isdecimal():
        return library.nvmlDeviceGetHandleByIndex(int(device))
    return library.nvmlDeviceGetHandleByUUID(device)
