"""The Postgres that the platform starts for itself when ``DATABASE_URL`` is unset.

It listens on a Unix socket only. The server is a process of its own: it outlives a killed owner,
and the next start attaches to it.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from db.embedded_host import (
    Account,
    EmbeddedPostgresError,
    choose_folder,
    choose_programs,
    choose_socket_folder,
)

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

logger = logging.getLogger(__name__)

DATABASE = "sartiq"
_SUPERUSER = "postgres"
_START_SECONDS = 60
_STOP_SECONDS = 20
_MAX_LOG_BYTES = 10 * 1024 * 1024

# A laptop's share: little memory, few helpers, and no compromise on durability.
_OPTIONS: Mapping[str, str] = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # Before a crash recovery: one call, where opening and syncing every file took 3 s.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "autovacuum_naptime": "10s",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] %a '",
}


class EmbeddedPostgres:
    """One server for one ``home`` folder. Every method may be called from any process; they take
    turns by a lock file.

    Args:
        home: ``SARTIQ_HOME``; the data goes under it when the server's user can reach it.
        options: further lines of ``postgresql.conf``.
    """

    def __init__(self, home: Path, options: Mapping[str, str] | None = None) -> None:
        self._home = home.resolve()
        self._options = {**_OPTIONS, **(options or {})}
        self._account = Account.of_server()
        self._folder = choose_folder(self._home, self._account)
        self._programs = choose_programs(self._account)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self._folder / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._folder / "postgres.log"

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return next(iter(self._postmaster()), None)

    @property
    def url(self) -> str:
        """``DATABASE_URL`` of the running server.

        Raises:
            EmbeddedPostgresError: it is not running.
        """
        if self.pid is None:
            raise EmbeddedPostgresError("the embedded Postgres is not running")
        socket_folder = self._pid_lines()[4].strip()
        return f"postgresql://{_SUPERUSER}@/{DATABASE}?host={socket_folder}"

    def start(self) -> str:
        """Start the server, or attach to the one that runs, and return its URL.

        Recovers from a crash: a stale pid file, orphaned backends, a half-made data folder.

        Raises:
            EmbeddedPostgresError: it does not start.
        """
        with self._locked():
            if not self._is_ready():
                self._start()
            return self.url

    def ensure_running(self) -> bool:
        """Start the server again if it died; whether that was necessary."""
        if self._is_ready():
            return False
        self.start()
        return True

    async def watch(self, on_restart: Callable[[], None], interval: float = 0.5) -> None:
        """Keep the server running until cancelled, calling ``on_restart()`` after each restart."""
        while True:
            await asyncio.sleep(interval)
            try:
                restarted = await asyncio.to_thread(self.ensure_running)
            except EmbeddedPostgresError:
                logger.exception("the embedded Postgres does not start; trying again")
                continue
            if restarted:
                logger.warning("the embedded Postgres had died and was started again")
                on_restart()

    def stop(self) -> None:
        """Stop the server, whoever started it; no process of it is left."""
        with self._locked():
            if self.pid is not None:
                try:
                    self._pg_ctl("stop", "-m", "fast", "-t", str(_STOP_SECONDS))
                except EmbeddedPostgresError as error:
                    logger.warning("killing the embedded Postgres: %s", error)
            self._end_processes()

    def _start(self) -> None:
        self._end_processes()
        if not self.data.exists():
            self._initialize()
        socket_folder = choose_socket_folder(self._folder, self._account)
        self._remove_stale_locks(socket_folder)
        self._configure(socket_folder)
        self._account.own(self._empty_log(), 0o600)
        try:
            self._pg_ctl("start", "-l", str(self.log), "-t", str(_START_SECONDS))
        except EmbeddedPostgresError as error:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise EmbeddedPostgresError(f"{error}\n{self.log} ends with:\n{tail}") from error
        logger.info("embedded Postgres started in %s", self.data)

    def _initialize(self) -> None:
        # Made beside and renamed, so a start that was cut short leaves no half a database.
        draft = self._folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        self._account.own(draft, 0o700)
        self._account.run(
            self._programs / "initdb",
            *("--pgdata", draft, "--username", _SUPERUSER, "--auth", "trust"),
            *("--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"),
            cwd=draft,
            timeout=120,
        )
        self._account.run(
            *(self._programs / "postgres", "--single", "-D", str(draft), "template1"),
            cwd=draft,
            timeout=60,
            stdin=f"CREATE DATABASE {DATABASE}\n",
        )
        with (draft / "postgresql.conf").open("a") as file:
            file.write("\ninclude_if_exists = 'sartiq.conf'\n")
        draft.rename(self.data)

    def _configure(self, socket_folder: Path) -> None:
        options = {**self._options, "unix_socket_directories": f"'{socket_folder}'"}
        path = self.data / "sartiq.conf"
        path.write_text(
            "# Written at every start; your own settings go into postgresql.auto.conf.\n"
            + "".join(f"{name} = {value}\n" for name, value in options.items())
        )
        self._account.own(path, 0o600)

    def _empty_log(self) -> Path:
        if self.log.exists() and self.log.stat().st_size > _MAX_LOG_BYTES:
            self.log.unlink()
        self.log.touch()
        return self.log

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        self._account.run(
            *(self._programs / "pg_ctl", action, "-w", "-D", self.data),
            *arguments,
            cwd=self.data,
            timeout=_START_SECONDS + 30,
        )

    def _pid_lines(self) -> list[str]:
        with suppress(FileNotFoundError, NotADirectoryError):
            return (self.data / "postmaster.pid").read_text().splitlines()
        return []

    def _is_ready(self) -> bool:
        lines = self._pid_lines()
        return len(lines) > 7 and lines[7].strip() == "ready" and self.pid is not None

    def _postmaster(self) -> Iterator[int]:
        """The process that the pid file names, if it is a server of this data folder."""
        for line in self._pid_lines()[:1]:
            with suppress(psutil.Error, ValueError):
                if self._is_ours(process := psutil.Process(int(line))):
                    yield process.pid

    def _is_ours(self, process: psutil.Process) -> bool:
        """A live Postgres process of this data folder: all of them work in that folder."""
        try:
            return (
                process.name() == "postgres"
                and process.status() != psutil.STATUS_ZOMBIE
                and Path(process.cwd()) == self.data
            )
        except (psutil.Error, OSError):
            return False

    def _end_processes(self) -> None:
        """End what is left of a server, backends orphaned by a killed one included. They would keep
        its shared memory, and a new server refuses to start beside them."""
        left = [process for process in psutil.process_iter() if self._is_ours(process)]
        for end in (signal.SIGQUIT, signal.SIGKILL):
            for process in left:
                with suppress(psutil.Error):
                    process.send_signal(end)
            deadline = time.monotonic() + 5
            while left and time.monotonic() < deadline:
                time.sleep(0.02)
                left = [process for process in left if self._is_ours(process)]
        if left:
            pids = [process.pid for process in left]
            raise EmbeddedPostgresError(f"processes of {self.data} do not end: {pids}")

    def _remove_stale_locks(self, socket_folder: Path) -> None:
        # Postgres believes a lock file whose pid exists, be it a zombie that nobody reaps (usual in
        # containers) or, after a reboot, anybody's. No process of this folder is left by now.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for path in socket_folder.glob(".s.PGSQL.*"):
            path.unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
