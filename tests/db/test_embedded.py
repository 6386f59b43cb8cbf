"""The embedded server, with real processes and real kills."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import asyncpg
import psutil
import pytest

from db import url as database_url
from db.embedded import EmbeddedPostgres
from db.embedded_host import Account, choose_folder, choose_socket_folder
from db.migrate import upgrade

pytestmark = pytest.mark.chaos

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")


def public_folder() -> Path:
    folder = Path(mkdtemp(prefix="sartiq-embedded-"))
    folder.chmod(0o755)
    return folder


def processes(server: EmbeddedPostgres) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name() == "postgres" and Path(process.cwd()) == server.data:
                found.append(process)
    return found


def mode(folder: str) -> int:
    return stat.S_IMODE(Path(folder).stat().st_mode)


def kill(server: EmbeddedPostgres) -> int:
    """kill -9 of the postmaster; its pid."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while server.pid == pid and time.monotonic() < deadline:
        time.sleep(0.005)
    return pid


async def query(url: str, statement: str) -> object:
    connection = await asyncpg.connect(**database_url.connect_arguments(database_url.parse(url)))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def started() -> Iterator[EmbeddedPostgres]:
    """One server for this module; every test leaves it running."""
    home = public_folder()
    server = EmbeddedPostgres(home)
    server.start()
    yield server
    server.stop()
    assert processes(server) == []
    shutil.rmtree(home)


@pytest.fixture
def server(started: EmbeddedPostgres) -> EmbeddedPostgres:
    started.ensure_running()
    return started


async def test_durable_and_private(server: EmbeddedPostgres) -> None:
    assert await query(server.url, "SHOW fsync") == "on"
    assert await query(server.url, "SHOW synchronous_commit") == "on"
    assert await query(server.url, "SHOW listen_addresses") == ""
    assert await query(server.url, "SHOW shared_buffers") == "128MB"
    # Whoever reaches the socket is a superuser, so only its folder's owner may.
    assert mode(str(await query(server.url, "SHOW unix_socket_directories"))) == 0o700
    assert "PYTEST_CURRENT_TEST" not in psutil.Process(server.pid).environ()


async def test_survives_a_killed_postmaster(server: EmbeddedPostgres) -> None:
    """kill -9 with clients connected: what was committed is there, and the server is a new one."""
    await query(server.url, "CREATE TABLE IF NOT EXISTS kept (n int)")
    await query(server.url, "INSERT INTO kept VALUES (1)")
    client = await asyncpg.connect(**database_url.connect_arguments(database_url.parse(server.url)))
    killed = kill(server)
    assert server.ensure_running()
    assert server.pid != killed
    assert not server.ensure_running()
    assert await query(server.url, "SELECT count(*) FROM kept") == 1
    client.terminate()


async def test_survives_a_killed_backend(server: EmbeddedPostgres) -> None:
    client = await asyncpg.connect(**database_url.connect_arguments(database_url.parse(server.url)))
    os.kill(client.get_server_pid(), signal.SIGKILL)
    with pytest.raises((asyncpg.PostgresError, OSError, asyncpg.InterfaceError)):
        await client.fetchval("SELECT 1")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(asyncpg.PostgresError, OSError):
            assert await query(server.url, "SELECT 1") == 1
            return
        await asyncio.sleep(0.05)
    pytest.fail("the server did not recover")


async def test_watch_restarts_it(server: EmbeddedPostgres) -> None:
    restarted = asyncio.Event()
    watch = asyncio.create_task(server.watch(restarted.set, interval=0.05))
    kill(server)
    async with asyncio.timeout(30):
        await restarted.wait()
    watch.cancel()
    assert await query(server.url, "SELECT 1") == 1


OWNER = """
import sys, time
from pathlib import Path
from db.embedded import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
time.sleep(600)
"""


def test_outlives_its_owner_and_is_attached_to(server: EmbeddedPostgres) -> None:
    server.stop()
    assert processes(server) == []
    home = server.data.parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(home)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        pid = server.pid
        owner.kill()
    assert server.start() == url
    assert server.pid == pid
    server.stop()
    assert processes(server) == []


def test_a_pid_file_that_names_somebody_else(server: EmbeddedPostgres) -> None:
    """After a reboot the old pid may belong to anything, even to a process of the same user."""
    server.stop()
    with subprocess.Popen(["sleep", "600"]) as other:
        (server.data / "postmaster.pid").write_text(
            f"{other.pid}\n{server.data}\n1\n5432\n/tmp\n\n1 1\nready\n"
        )
        assert server.pid is None
        server.start()
        assert other.poll() is None
        other.kill()
    assert server.pid != other.pid


async def test_a_start_that_was_cut_short_leaves_nothing(server: EmbeddedPostgres) -> None:
    server.stop()
    half = server.data.parent / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server.start()
    assert await query(server.url, "SELECT current_database()") == "sartiq"


async def test_two_homes_and_two_starts_at_once(server: EmbeddedPostgres) -> None:
    parent = public_folder()
    home = parent / ("long-" * 20) / "home"
    others = [EmbeddedPostgres(home) for _ in range(2)]
    try:
        urls = await asyncio.gather(*(asyncio.to_thread(other.start) for other in others))
        assert urls[0] == urls[1] != server.url
        # The home is too deep for a socket; its folder is elsewhere, short and private.
        socket_folder = urls[0].partition("host=")[2]
        assert not socket_folder.startswith(str(home))
        assert mode(socket_folder) == 0o700
        await asyncio.gather(upgrade(urls[0]), upgrade(urls[0]))
        assert await query(urls[0], "SELECT count(*) FROM alembic_version") == 1
        assert await query(server.url, "SELECT to_regclass('tasks')") is None
    finally:
        others[0].stop()
    assert processes(others[0]) == []
    assert others[1].pid is None
    shutil.rmtree(parent)
    shutil.rmtree(socket_folder)


@AS_ROOT
def test_private_folders_stay_private() -> None:
    private = Path(mkdtemp(prefix="sartiq-private-"))
    account = Account.of_server()
    home = private / "home"
    folder = choose_folder(home, account)
    assert not folder.is_relative_to(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    # Remembered, even when the home could hold it now; and never shared with a copied home.
    private.chmod(0o755)
    assert choose_folder(home, account) == folder
    copy = public_folder() / "copy"
    copy.mkdir()
    (copy / "postgres.location").write_text((home / "postgres.location").read_text())
    assert choose_folder(copy, account) == copy / "postgres"
    (folder / "home").unlink()
    folder.rmdir()


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    account = Account.of_server()
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    folder = choose_socket_folder(deep, account)
    assert folder.parent == Path("/tmp")
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(RuntimeError, match="somebody else"):
        choose_socket_folder(deep, account)
    folder.unlink()
