"""What the benchmarks share: one platform of their own, the bare pipeline, product pictures."""

from __future__ import annotations

import os
import random
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from functools import cached_property
from pathlib import Path

from PIL import Image

from benchmarks.bare import BarePipeline
from configs.catalog import ModelEntry, load_catalog
from configs.settings import CHECKOUT, Settings
from db.embedded import EmbeddedPostgres
from serve_app.client import ComputeClient
from serve_app.platform import Platform
from serve_app.platform.ports import Ports

PRODUCT = CHECKOUT / "configs" / "examples" / "catalog" / "dress-red.jpg"
PROMPT = "fashion model wearing the dress, studio lighting, white background"


class Context:
    """The surroundings of a run. Platform and bare pipeline start when they are first asked for.

    Args:
        settings: of the platform that is measured; nothing of the user's own is touched.
        quick: few repetitions: shows that everything works, and measures nothing.
        product: a product picture.
        say: told what happens.
        stack: ends what was started.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        quick: bool,
        product: Path,
        say: Callable[[str], None],
        stack: ExitStack,
    ) -> None:
        self.settings = settings
        self.quick = quick
        self.say = say
        self.model: ModelEntry = load_catalog(settings).resolve(None)
        self._product = product
        self._stack = stack
        self._platform_failed = False

    def times(self, count: int, quick: int) -> int:
        """How often to repeat something: ``count``, or ``quick`` in a quick run."""
        return quick if self.quick else count

    @cached_property
    def platform(self) -> Platform:
        """The platform, with the model in memory."""
        if self._platform_failed:
            raise RuntimeError("the platform did not start for an earlier benchmark")
        # A second one, beside what may be left of the first, would be no help.
        self._platform_failed = True
        self.say("starting the platform")
        platform = self._stack.enter_context(Platform.running(self.settings))
        with ComputeClient(platform.base_url, platform.api_key) as client:
            client.wait(client.generate(PROMPT, steps=1), timeout_seconds=300)
        return platform

    @cached_property
    def bare(self) -> BarePipeline:
        """The bare pipeline, with the model in memory."""
        self.say("loading the bare pipeline")
        return self._stack.enter_context(BarePipeline(self.model, self.settings.models.threads))

    def client(self) -> ComputeClient:
        """A client of the platform; use it as a context manager."""
        return ComputeClient(self.platform.base_url, self.platform.api_key)

    @cached_property
    def database_url(self) -> str:
        """``DATABASE_URL`` of the platform's own Postgres."""
        assert self.platform
        return EmbeddedPostgres(self.settings.home).url

    @cached_property
    def postgres_pid(self) -> int:
        """The platform's own Postgres, which is no child of it."""
        assert self.platform
        pid = EmbeddedPostgres(self.settings.home).pid
        assert pid is not None, "Postgres runs as long as the platform does"
        return pid

    def products(self, count: int) -> list[Path]:
        """Product pictures that differ: the same product in other colours.

        The platform remembers prompts and pictures that it has encoded; no benchmark may gain from
        that, so each of its tasks shows another one.
        """
        folder = Path(tempfile.mkdtemp(prefix="products-", dir=self.settings.home))
        with Image.open(self._product) as opened:
            hue, *others = opened.convert("RGB").convert("HSV").split()
        paths = []
        for index in range(count):
            turned = hue.point([(value + index * 37) % 256 for value in range(256)])
            path = folder / f"product-{index}.jpg"
            Image.merge("HSV", (turned, *others)).convert("RGB").save(path, quality=92)
            paths.append(path)
        return paths


def prompt(index: int) -> str:
    """Prompts that differ, for the same reason as :meth:`Context.products` do."""
    return f"{PROMPT}, look {index}"


@contextmanager
def open_context(
    *, model: str | None, quick: bool, product: Path, say: Callable[[str], None]
) -> Iterator[Context]:
    """A context with a home and ports of its own, removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="sartiq-bench-"))
    # Postgres runs as a user of its own when we are root, and must get at its data.
    home.chmod(0o755)
    # A platform that is configured here must not be measured, nor filled with benchmark tasks.
    for name in ("DATABASE_URL", "STORAGE_URL", "API_KEY", "SARTIQ_ENVIRONMENT"):
        os.environ.pop(name, None)
    os.environ.update(SARTIQ_HOME=str(home), SARTIQ_HTTP_HOST="127.0.0.1")
    if model is not None:
        os.environ["SARTIQ_MODELS_DEFAULT"] = model
    os.environ["SARTIQ_HTTP_PORT"] = str(_free_http_port(Settings()))
    try:
        with ExitStack() as stack:
            yield Context(
                Settings(),
                quick=quick,
                product=product,
                say=say,
                stack=stack,
            )
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _free_http_port(settings: Settings) -> int:
    """A port for a platform whose derived ports are free as well."""
    candidates = list(range(8020, 8400))
    random.shuffle(candidates)
    for candidate in candidates:
        http = settings.http.model_copy(update={"port": candidate})
        ports = Ports.derive(settings.model_copy(update={"http": http}))
        single = [getattr(ports, f.name) for f in fields(ports) if f.name != "replica_count"]
        if all(map(_is_free, single)):
            return candidate
    raise RuntimeError("no port is free for a platform")


def free_port() -> int:
    """Any free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
