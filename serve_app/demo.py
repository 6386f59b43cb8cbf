"""The whole platform in one go: start it, make pictures of the bundled product, stop it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from PIL import Image
from rich.progress import Progress

from configs.settings import CHECKOUT, Settings, get_settings
from serve_app.cli.console import CommandError, console
from serve_app.cli.pictures import download
from serve_app.cli.progress import bars, watch
from serve_app.client import ComputeClient, Task, local_url
from serve_app.contact_sheet import Panel, compose
from serve_app.platform import Platform

EXAMPLES = CHECKOUT / "configs" / "examples"
PROMPT = (
    "woman with black bob hair and tan skin wearing the dress, full body, front view, "
    "soft studio lighting, white background"
)

_OUTPUTS = 4
# Fixed, so that two runs of one version make the same pictures.
_SEED = 7


@dataclass(frozen=True, slots=True)
class Pictures:
    """Everything that a demonstration made, and where it lies."""

    product: Path
    generation: Task
    generated: list[Path]
    upscaled: Path
    cut_out: Path

    @property
    def files(self) -> list[Path]:
        """What was saved."""
        return [*self.generated, self.upscaled, self.cut_out]


def run(out: Path) -> None:
    """Make four pictures of a product, enlarge one, cut it out, and lay all on a contact sheet.

    A platform that is running on the configured port already is used, and left running.

    Raises:
        CommandError: the bundled product picture is missing.
        StartupError: the platform did not start.
        ClientError: a step failed.
    """
    product, settings, started = _product(), get_settings(), time.monotonic()
    with bars() as progress, _platform(settings, progress) as platform:
        with ComputeClient(platform.base_url, platform.api_key) as client:
            pictures = _make(client, product, out, progress)
        sheet = _lay_out(pictures, out / "contact-sheet.png")
    for path in (*pictures.files, sheet):
        console.print(str(path), soft_wrap=True)
    console.print(f"[green]Done[/] in {time.monotonic() - started:.0f} s: look at [bold]{sheet}[/]")


def _product() -> Path:
    """The product picture that ships: the dress that the prompt speaks of."""
    path = EXAMPLES / "catalog" / "dress-red.jpg"
    if not path.is_file():
        raise CommandError(f"{path} is missing: restore it with `git checkout -- configs/examples`")
    return path


@contextmanager
def _platform(settings: Settings, progress: Progress) -> Iterator[Platform]:
    """One that runs already, or one of our own for as long as the block lasts."""
    bar = progress.add_task("Starting the platform", total=None, state="")
    if _answers(settings):
        progress.update(bar, total=1, completed=1, state="it is running already")
        yield Platform(local_url(settings), settings.api_key.get_secret_value())
        return
    with Platform.running(settings, on_wait=lambda stage: progress.update(bar, state=stage)) as own:
        progress.update(bar, total=1, completed=1, state="")
        yield own
        stopping = progress.add_task("Stopping the platform", total=None, state="")
    progress.update(stopping, total=1, completed=1)


def _answers(settings: Settings) -> bool:
    try:
        # No proxy from the environment: this is our own loopback.
        return httpx.get(f"{local_url(settings)}/readyz", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _make(client: ComputeClient, product: Path, out: Path, progress: Progress) -> Pictures:
    bar = progress.add_task("Uploading the product", total=1, state="")
    uploaded = client.upload(product)
    progress.update(bar, completed=1)

    submitted = client.generate(
        PROMPT, input_image_url=uploaded.url, num_outputs=_OUTPUTS, seed=_SEED
    )
    generation = watch(client, submitted, progress, f"Generating {_OUTPUTS} pictures")

    # Both at once: their models start from nothing, and do so beside each other.
    enlarging = client.upscale(generation.images[0].url, scale=2)
    removing = client.remove_background(generation.images[1].url)
    upscaled = watch(client, enlarging, progress, "Upscaling one ×2")
    cut_out = watch(client, removing, progress, "Removing a background")
    return Pictures(
        product=product,
        generation=generation,
        generated=download(client, generation, out, "generated"),
        upscaled=download(client, upscaled, out, "upscaled")[0],
        cut_out=download(client, cut_out, out, "cut-out")[0],
    )


def _lay_out(pictures: Pictures, path: Path) -> Path:
    generated = [
        _panel(file, f"seed {image.seed}")
        for file, image in zip(pictures.generated, pictures.generation.images, strict=True)
    ]
    sheet = compose(
        "Sartiq",
        f"“{PROMPT}”",
        _panel(pictures.product, "product photo"),
        generated,
        [_panel(pictures.upscaled, "upscaled x2"), _panel(pictures.cut_out, "background removed")],
    )
    sheet.save(path)
    return path


def _panel(file: Path, words: str) -> Panel:
    with Image.open(file) as opened:
        picture = opened.convert("RGBA")
    # Pillow's own font has no multiplication sign.
    return Panel(picture, f"{words}, {picture.width} x {picture.height}")
