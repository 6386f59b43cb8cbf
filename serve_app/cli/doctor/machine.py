"""Checks of the machine: Python, processors, memory, disk, shared memory, open files, GPU."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

from configs.settings import Settings
from serve_app.cli.doctor.findings import Finding, fail, ok, warn

_GIB = 1024**3
# What the platform was built to run in.
_CPUS = 2
_MEMORY = 6 * _GIB
_MEMORY_LEAST = 3 * _GIB
_DISK = 5 * _GIB
_DISK_LEAST = 1 * _GIB
# Ray's object store lives in shared memory.
_SHM_FOLDER = Path("/dev/shm")  # noqa: S108 - the system's own mount
_SHM = 512 * 1024**2
_OPEN_FILES = 4096

_CGROUP = Path("/sys/fs/cgroup")


def check_python() -> Finding:
    """The interpreter and the system under it."""
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if platform.system() != "Linux":
        return warn("Python", detail, "the platform is tested on Linux only")
    return ok("Python", detail)


def check_cpus() -> Finding:
    """Processors that this process may use."""
    count = _cpus()
    detail = f"{count:g}"
    if count < _CPUS:
        return warn("CPUs", detail, f"{_CPUS} are the least that keep it responsive")
    return ok("CPUs", detail)


def check_memory() -> Finding:
    """Memory that is available, inside the limit of a container if there is one."""
    available = psutil.virtual_memory().available
    if (limit := _cgroup_memory()) is not None:
        available = min(available, limit)
    detail = f"{available / _GIB:.1f} GiB available"
    if available < _MEMORY_LEAST:
        return fail("memory", detail, f"free some: {_MEMORY / _GIB:.0f} GiB are recommended")
    if available < _MEMORY:
        return warn("memory", detail, f"{_MEMORY / _GIB:.0f} GiB are recommended")
    return ok("memory", detail)


def check_disk(settings: Settings) -> Finding:
    """Room where the platform keeps its state."""
    folder = _existing(settings.home)
    free = shutil.disk_usage(folder).free
    detail = f"{free / _GIB:.1f} GiB free for {settings.home}"
    if free < _DISK_LEAST:
        return fail("disk", detail, "free some, or set SARTIQ_HOME to a folder on another disk")
    if free < _DISK:
        return warn("disk", detail, "pictures and LoRAs will fill it soon")
    return ok("disk", detail)


def check_shared_memory() -> Finding:
    """Room for Ray's object store."""
    if not _SHM_FOLDER.is_dir():
        return warn("shared memory", f"no {_SHM_FOLDER}", "Ray falls back to slow files on disk")
    size = shutil.disk_usage(_SHM_FOLDER).total
    detail = f"{_SHM_FOLDER} has {size / _GIB:.1f} GiB"
    if size < _SHM:
        return warn("shared memory", detail, "in a container, start it with --shm-size=1g")
    return ok("shared memory", detail)


def check_open_files() -> Finding:
    """How many files and sockets one process may hold open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return ok("open files", "no limit")
    if hard < _OPEN_FILES:
        return warn("open files", f"at most {hard}", f"raise the limit: ulimit -n {_OPEN_FILES}")
    return ok("open files", f"at most {hard}")


def check_gpu(settings: Settings) -> Finding:
    """The GPU, the torch that is installed for it, and the attention backend that is set.

    Without importing torch: its version and the driver's own tool say enough.
    """
    torch = _version("torch")
    if torch is None:
        return fail("GPU", "torch is not installed", "run `make demo`, which installs everything")
    attention = settings.models.attention
    names = _gpus()
    if not names:
        if settings.models.device == "cuda":
            return fail(
                "GPU", "none found, but SARTIQ_MODELS_DEVICE=cuda", "unset it, or see to the driver"
            )
        return ok("GPU", f"none; models run on the CPU (torch {torch}, attention {attention})")
    detail = f"{', '.join(names)} (torch {torch}, attention {attention})"
    if "+cpu" in torch:
        return warn("GPU", detail, "this torch is built for the CPU only: install a CUDA build")
    if attention == "xformers" and _version("xformers") is None:
        return fail("GPU", detail, "install sartiq[gpu], or set SARTIQ_MODELS_ATTENTION=sdpa")
    return ok("GPU", detail)


def _cpus() -> float:
    count = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    quota = _read(_CGROUP / "cpu.max").split()
    if len(quota) == 2 and quota[0].isdigit():
        count = min(count, int(quota[0]) / int(quota[1]))
    return count


def _cgroup_memory() -> int | None:
    limit, used = _read(_CGROUP / "memory.max"), _read(_CGROUP / "memory.current")
    return int(limit) - int(used) if limit.isdigit() and used.isdigit() else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there already."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _gpus() -> list[str]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
