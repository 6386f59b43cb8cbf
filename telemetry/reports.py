"""Workers report what they hold, on a board that the whole cluster sees.

The board is Ray's own key-value store, where Serve keeps its state too: one small entry for each
worker, written by the worker itself. So an entry that grows old means that its worker is lost.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson
import psutil
import ray
from ray import serve
from ray.exceptions import RayError
from ray.experimental import internal_kv
from ray.serve.exceptions import RayServeException

from telemetry.gpus import gpu_use

logger = logging.getLogger(__name__)

_NAMESPACE: Final = b"sartiq"
_PREFIX: Final = b"worker:"
_PERIOD_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a worker has, now.

    Attributes:
        tasks: ids of the requests that it works on or that wait in it.
        models: in memory.
        loading: the model that is being read, if any.
        loras: digests of the adapters in memory.
    """

    tasks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    loading: str | None = None
    loras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One worker, as it last said.

    Attributes:
        id: of the replica.
        deployment: that it is a replica of.
        node, host, pid: where it runs.
        started_at, at: when it began, and when it said this; seconds since 1970.
        tasks, models, loading, loras: as of `Holdings`.
        problem: why it is not healthy; None if it is.
        cpu: processors that it kept busy since the report before.
        memory_bytes: resident.
        gpu: share of time that its GPUs were busy, 0 to 1; None without one.
        gpu_memory_bytes: in use on them; None without one.
    """

    id: str
    deployment: str
    node: str
    host: str
    pid: int
    started_at: float
    at: float
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    loading: str | None
    loras: tuple[str, ...]
    problem: str | None
    cpu: float
    memory_bytes: int
    gpu: float | None
    gpu_memory_bytes: int | None

    def as_dict(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)


class Reporter:
    """Reports on this replica from a thread of its own, so that a busy loop does not silence it.

    Args:
        holdings: what the replica has now; called in that thread.
        check: raises what is wrong with the replica, as Serve's health check does.
    """

    def __init__(self, holdings: Callable[[], Holdings], check: Callable[[], None]) -> None:
        self._holdings = holdings
        self._check = check
        self._process = psutil.Process()
        self._ended = threading.Event()
        self._key = b""

    def start(self) -> None:
        """Begin; outside of Serve there is no board, and nothing is done."""
        if not is_replica():
            return
        context = serve.get_replica_context()
        runtime = ray.get_runtime_context()
        where = {
            "id": context.replica_id.unique_id,
            "deployment": context.deployment,
            "node": runtime.get_node_id(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started_at": time.time(),
        }
        gpus = tuple(runtime.get_accelerator_ids().get("GPU", ()))
        self._key = _PREFIX + str(where["id"]).encode()
        self._process.cpu_percent()  # the next call counts from here
        thread = threading.Thread(
            target=self._report_forever, args=(where, gpus), name="reporter", daemon=True
        )
        thread.start()

    def end(self) -> None:
        """Take the entry off the board: this replica goes on purpose."""
        self._ended.set()
        if self._key:
            # Without a cluster there is no board either.
            with suppress(RayError, RuntimeError, AttributeError):
                internal_kv._internal_kv_del(self._key, namespace=_NAMESPACE)

    def _report_forever(self, where: dict[str, Any], gpus: tuple[str, ...]) -> None:
        while True:
            try:
                report = self._report(where, gpus)
                if not self._ended.is_set():
                    content = orjson.dumps(report.as_dict())
                    internal_kv._internal_kv_put(self._key, content, namespace=_NAMESPACE)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next report may succeed
                logger.warning("no report: %s", error)
            if self._ended.wait(_PERIOD_SECONDS):
                return

    def _report(self, where: dict[str, Any], gpus: tuple[str, ...]) -> WorkerReport:
        problem: str | None = None
        try:
            self._check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is wrong
            problem = str(error) or type(error).__name__
        use = gpu_use(gpus)
        return WorkerReport(
            **where,
            **asdict(self._holdings()),
            at=time.time(),
            problem=problem,
            cpu=self._process.cpu_percent() / 100,
            memory_bytes=self._process.memory_info().rss,
            gpu=None if use is None else use.utilization,
            gpu_memory_bytes=None if use is None else use.memory_bytes,
        )


def is_replica() -> bool:
    """Whether this code runs in a replica of Serve, and not alone in a test or a notebook."""
    try:
        serve.get_replica_context()
    except RayServeException:
        return False
    return True


def read_board() -> list[WorkerReport]:
    """The newest report of every worker of the cluster; blocks for some milliseconds.

    Raises:
        OSError: the cluster does not answer.
    """
    try:
        keys = internal_kv._internal_kv_list(_PREFIX, namespace=_NAMESPACE)
        entries = [internal_kv._internal_kv_get(key, namespace=_NAMESPACE) for key in keys]
    except (RayError, RuntimeError) as error:
        raise OSError(f"Ray's control store: {error}") from error
    return [WorkerReport(**orjson.loads(entry)) for entry in entries if entry]


def forget(ids: Collection[str]) -> None:
    """Take the entries of lost workers off the board."""
    for one in ids:
        internal_kv._internal_kv_del(_PREFIX + one.encode(), namespace=_NAMESPACE)
