"""`sartiq generate`, `upscale` and `remove-background`: pictures in, pictures out."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from configs.settings import get_settings
from serve_app.cli.console import CommandError, console
from serve_app.cli.progress import bars, watch
from serve_app.client import ComputeClient, StoredImage, Task, is_local, local_url

BaseUrl = Annotated[
    str | None,
    typer.Option(help="Of the Compute API; unset: the platform on this machine.", metavar="URL"),
]
ApiKey = Annotated[
    str | None, typer.Option(help="Unset: API_KEY, or this machine's own key.", metavar="KEY")
]
Out = Annotated[Path, typer.Option(help="Folder for the pictures.", file_okay=False)]
Picture = Annotated[
    Path, typer.Option(help="The picture to work on.", exists=True, dir_okay=False, readable=True)
]

Loras = Annotated[
    list[str] | None,
    typer.Option(
        help="A LoRA to apply, with a weight behind a colon if it is not 0.8; may be repeated.",
        metavar="NAME[:WEIGHT]",
    ),
]


class OutputFormat(StrEnum):
    """File formats of generated pictures."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"


class Scale(StrEnum):
    """Factors of enlargement."""

    X2 = "2"
    X3 = "3"
    X4 = "4"


def generate(
    *,
    prompt: Annotated[str, typer.Option(help="What to show.")],
    image: Annotated[
        Path | None,
        typer.Option(
            help="The product picture; without one, the prompt alone decides.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ] = None,
    num_outputs: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 4,
    out: Out = Path("outputs"),
    negative_prompt: Annotated[str | None, typer.Option(help="What to avoid.")] = None,
    model: Annotated[str | None, typer.Option(help="See `sartiq models`.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="Guidance on the prompt.")] = None,
    image_guidance_scale: Annotated[
        float | None, typer.Option(help="Guidance on the product picture.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=1, help="In pixels.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="In pixels.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the first picture.")] = None,
    output_format: Annotated[OutputFormat, typer.Option()] = OutputFormat.JPEG,
    lora: Loras = None,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Make pictures of a prompt, with the product of a photo."""
    with connect(base_url, api_key) as client:
        product = client.upload(image) if image else None
        task = client.generate(
            prompt,
            input_image_url=product.url if product else None,
            num_outputs=num_outputs,
            negative_prompt=negative_prompt,
            model=model,
            steps=steps,
            guidance_scale=guidance_scale,
            image_guidance_scale=image_guidance_scale,
            width=width,
            height=height,
            seed=seed,
            output_format=output_format.value,
            loras=[_lora(text) for text in lora] if lora else None,
        )
        _finish(client, task, f"Generating {num_outputs}", out)


def upscale(
    *,
    image: Picture,
    scale: Annotated[Scale, typer.Option(help="How many times larger.")] = Scale.X2,
    out: Out = Path("outputs"),
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Enlarge a picture two, three or four times."""
    _process(
        image,
        lambda client, stored: client.upscale(stored.url, scale=int(scale)),
        f"Upscaling ×{scale.value}",
        out,
        connect(base_url, api_key),
    )


def remove_background(
    *,
    image: Picture,
    out: Out = Path("outputs"),
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Cut a picture's foreground out; the result is a transparent PNG."""
    _process(
        image,
        lambda client, stored: client.remove_background(stored.url),
        "Removing the background",
        out,
        connect(base_url, api_key),
    )


def connect(base_url: str | None, api_key: str | None) -> ComputeClient:
    """A client of the platform that the options and the environment name.

    Raises:
        CommandError: another machine is named, and no key for it.
    """
    if base_url is not None and api_key is not None:
        return ComputeClient(base_url, api_key)
    settings = get_settings()
    # The key that this machine generated for itself is nobody else's business.
    if (
        base_url is not None
        and "api_key" not in settings.model_fields_set
        and not is_local(base_url)
    ):
        raise CommandError(f"{base_url} needs a key: give --api-key or set API_KEY.")
    key = api_key or settings.api_key.get_secret_value()
    return ComputeClient(base_url or local_url(settings), key)


def download(client: ComputeClient, task: Task, out: Path, prefix: str | None = None) -> list[Path]:
    """Fetch every picture of a completed task into ``out``.

    Args:
        client: of the platform that has them.
        task: whose pictures they are.
        out: folder; made when missing.
        prefix: of the file names, the task's id by default, so that runs never overwrite another.
    """
    return [
        client.download(image.url, out / f"{prefix or task.id}-{number}{_suffix(image.url)}")
        for number, image in enumerate(task.images, start=1)
    ]


def _lora(text: str) -> dict[str, str | float]:
    """``NAME`` or ``NAME:WEIGHT`` as a request takes it."""
    name, colon, weight = text.rpartition(":")
    if not colon:
        return {"name": text}
    try:
        return {"name": name, "weight": float(weight)}
    except ValueError:
        raise CommandError(f"--lora {text}: {weight!r} is no weight.") from None


def _process(
    image: Path,
    submit: Callable[[ComputeClient, StoredImage], Task],
    label: str,
    out: Path,
    connection: ComputeClient,
) -> None:
    with connection as client:
        _finish(client, submit(client, client.upload(image)), label, out)


def _finish(client: ComputeClient, task: Task, label: str, out: Path) -> None:
    with bars() as progress:
        done = watch(client, task, progress, label)
    for path in download(client, done, out):
        console.print(str(path), soft_wrap=True)


def _suffix(url: str) -> str:
    return Path(url.partition("?")[0]).suffix or ".jpg"
