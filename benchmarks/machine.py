"""Facts of the machine that numbers mean nothing without."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import psutil

from configs.settings import CHECKOUT

_PACKAGES = ("ray", "torch", "diffusers", "transformers", "fastapi", "uvicorn", "sqlalchemy")
# A load above this share of the cores before anything has started is somebody else's work.
_BUSY = 0.35


@dataclass(frozen=True, slots=True)
class Machine:
    """What ran the benchmarks, and what it did before they began.

    ``load`` is the average number of runnable processes over the last 1, 5 and 15 minutes;
    ``busy`` the share of processor time that was taken in the second before the run.
    """

    at: str
    system: str
    processor: str
    cores: int
    memory_gib: float
    load: tuple[float, float, float]
    busy: float
    python: str
    packages: dict[str, str]
    commit: str

    @classmethod
    def look(cls) -> Self:
        """The facts as they are now. Takes a second."""
        return cls(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            system=f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)),
            memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
            load=os.getloadavg(),
            busy=round(psutil.cpu_percent(interval=1.0) / 100, 3),
            python=platform.python_version(),
            packages={name: version(name) for name in _PACKAGES},
            commit=_commit(),
        )

    @property
    def is_quiet(self) -> bool:
        """Whether the numbers will be those of the platform alone."""
        return self.busy <= _BUSY and self.load[0] <= self.cores

    def as_json(self) -> dict[str, Any]:
        """As a JSON object, with the verdict on the load."""
        return asdict(self) | {"quiet": self.is_quiet}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    """The commit of the checkout, ``+`` when files differ from it; empty without git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return described.stdout.strip()
