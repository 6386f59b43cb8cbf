"""Memory of every process of the platform, at rest and at its peak."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import psutil
from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context, prompt
from benchmarks.harness import Result, Target

_LIMIT_GIB = 6.0
_GIB = 2**30
_TASKS = 16
_SAMPLE_SECONDS = 0.5
_REPLICA = re.compile(r"ray::ServeReplica:[^:]+:(\w+)")
# Of the processes whose command line does not begin with what they are.
_ROLES = {
    "serve_app up": "supervisor",
    "serve_app.platform.head": "Ray head",
    "ray.util.client.server": "Ray client server",
    "gcs_server": "Ray gcs_server",
    "raylet/raylet": "Ray raylet",
    "haproxy": "HAProxy",
    "postgres": "Postgres",
    "dashboard": "Ray dashboard",
    "log_monitor.py": "Ray log monitor",
    "monitor.py": "Ray monitor",
    "default_worker.py": "Ray worker",
    "multiprocessing": "Python's resource trackers",
}


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its role, and bytes of memory.

    ``pss`` counts pages that several processes share in parts, so the sum is what the platform
    takes from the machine; ``uss`` is what would come free if the process ended.
    """

    pid: int
    role: str
    pss: int
    uss: int


def run(context: Context) -> Result:
    """Look at rest; then let every deployment work, and keep the look with the largest sum."""
    rest = _look(context)
    peak = rest
    with ThreadPoolExecutor(_TASKS + 2) as clients:
        work = _work(context, clients)
        while not all(future.done() for future in work):
            peak = max(peak, _look(context), key=_total)
            # Any of them may end first: this is the pause between two looks.
            with suppress(TimeoutError):
                work[-1].result(_SAMPLE_SECONDS)
        for future in work:
            future.result()
    return _result(rest, max(peak, _look(context), key=_total))


def _work(context: Context, clients: ThreadPoolExecutor) -> list[Future[None]]:
    """Generations enough to fill two batches; an upscaling and a background removal start the
    deployments that rest at zero replicas."""
    with context.client() as client:
        urls = [client.upload(product).url for product in context.products(_TASKS)]

    def generate(number: int) -> None:
        with context.client() as client:
            task = client.generate(prompt(number), input_image_url=urls[number], num_outputs=2)
            client.wait(task)

    def upscale() -> None:
        with context.client() as client:
            client.wait(client.upscale(urls[0], scale=4))

    def cut_out() -> None:
        with context.client() as client:
            client.wait(client.remove_background(urls[0]))

    return [
        clients.submit(upscale),
        clients.submit(cut_out),
        *(clients.submit(generate, number) for number in range(_TASKS)),
    ]


def _look(context: Context) -> list[Process]:
    """All processes of the platform that live now, the largest first."""
    found = []
    for process in _processes(context):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            memory = process.memory_full_info()
            found.append(Process(process.pid, _role(process), memory.pss, memory.uss))
    return sorted(found, key=lambda process: -process.pss)


def _processes(context: Context) -> Iterator[psutil.Process]:
    """The supervisor and everything below it; Postgres, which has no parent of ours; and what Ray
    has given other parents, known by the home that it was started with."""
    assert context.platform.process is not None
    supervisor = psutil.Process(context.platform.process.pid)
    postgres = psutil.Process(context.postgres_pid)
    seen: dict[int, psutil.Process] = {}
    for root in (supervisor, postgres):
        seen |= {process.pid: process for process in (root, *root.children(recursive=True))}
    ours = {process.pid for process in psutil.Process().children(recursive=True)}
    home = str(context.settings.home)
    for process in psutil.process_iter():
        if process.pid in seen or process.pid in ours or process.pid == psutil.Process().pid:
            continue
        with suppress(psutil.Error):
            if process.environ().get("SARTIQ_HOME") == home:
                seen[process.pid] = process
    yield from seen.values()


def _role(process: psutil.Process) -> str:
    """What a process is for, from its command line."""
    words = process.cmdline() or [process.name()]
    line = " ".join(words)
    if match := _REPLICA.search(line):
        return f"replica {match[1]}"
    if words[0].startswith("ray::"):
        name = words[0].removeprefix("ray::").split(".")[0].strip()
        return f"Ray {name}"
    for mark, role in _ROLES.items():
        if mark in line:
            return role
    return process.name()


def _total(processes: Sequence[Process]) -> int:
    return sum(process.pss for process in processes)


def _by_role(processes: Sequence[Process]) -> dict[str, dict[str, float]]:
    """MiB and number of processes by role, the largest first."""
    roles: dict[str, dict[str, float]] = defaultdict(
        lambda: {"processes": 0, "pss_mib": 0.0, "uss_mib": 0.0}
    )
    for process in processes:
        role = roles[process.role]
        role["processes"] += 1
        role["pss_mib"] += process.pss / 2**20
        role["uss_mib"] += process.uss / 2**20
    return dict(sorted(roles.items(), key=lambda item: -item[1]["pss_mib"]))


def _result(rest: Sequence[Process], peak: Sequence[Process]) -> Result:
    roles = _by_role(peak)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        names = [f"{name} ({roles[name]['processes']:g})" for name in roles][::-1]
        sizes = [role["pss_mib"] for role in roles.values()][::-1]
        bars = axes.barh(names, sizes, color=plots.PLATFORM)
        axes.bar_label(bars, fmt="%.0f", padding=3)
        axes.set_xlabel("MiB (PSS) at the peak of the sum; number of processes in brackets")
        axes.margins(x=0.08)
        plots.tidy(axes)
        axes.grid(axis="y", visible=False)

    return Result(
        name="memory",
        title=f"Memory of the platform: {_total(peak) / _GIB:.2f} GiB at the peak",
        method=(
            f"PSS and USS of every process of the platform, looked at every {_SAMPLE_SECONDS:g} s "
            f"while {_TASKS} tasks of two images run, one picture is enlarged ×4 and a background "
            "is removed, so that every deployment has its replicas. The look with the largest sum "
            "is the peak. PSS divides shared pages (Ray's object store too) among their users."
        ),
        targets=[Target("all processes, peak (PSS)", _total(peak) / _GIB, _LIMIT_GIB, "GiB")],
        data={
            "rest_gib": _total(rest) / _GIB,
            "peak_gib": _total(peak) / _GIB,
            "rest": _by_role(rest),
            "peak": roles,
            "processes_at_peak": [
                {"role": p.role, "pss_mib": p.pss / 2**20, "uss_mib": p.uss / 2**20} for p in peak
            ],
        },
        draw=draw,
    )
