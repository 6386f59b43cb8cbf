"""Tasks that a hosted provider does: what goes there, and how its results become ours."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from io import BytesIO
from typing import Any, TypeVar
from uuid import UUID
from zipfile import ZIP_STORED, ZipFile

from configs.catalog import ModelEntry, Price
from configs.hosted import load_hosted
from db.repositories.adapters import AdapterRepository
from db.repositories.scope import OrganizationScope
from deployments.contracts import Pixels
from serve_app.compute.runner.handlers.base import Handler, Work
from serve_app.compute.runner.handlers.captions import captioned
from serve_app.compute.runner.handlers.text import HostedText, picture
from serve_app.compute.runner.hosted import Call
from serve_app.compute.training.examples import read_examples
from serve_app.compute.training.records import Records
from serve_app.core.adapters import FILE_NAME, AdapterGone
from serve_app.core.errors import InvalidInput, UnsupportedMedia
from serve_app.core.fetch import FetchFailed
from serve_app.core.images import decode_pixels, inspect_image
from serve_app.core.orders import MAX_SEED
from serve_app.core.providers.base import (
    HostedLora,
    ImageOrder,
    PictureOrder,
    RemoteFile,
    TrainingOrder,
)
from serve_app.core.providers.errors import (
    HostedInvalid,
    HostedMalformed,
    HostedTruncated,
    HostedUnavailable,
)
from serve_app.core.providers.registry import settings_of
from serve_app.core.safetensors import read_header
from serve_app.core.storage.local import LocalStore
from training.contracts import TrainingExample

T = TypeVar("T")

# Of URLs that a provider fetches; it may take a while until it begins.
_URL_SECONDS = 24 * 3600
_RECIPE_FIELDS = ("model", "prompt", "negative_prompt", "width", "height", "steps", "loras")


class HostedGeneration:
    """Asks a provider for the images of a task, in as many calls as it needs for them."""

    async def run(self, work: Work) -> dict[str, Any]:
        """Generate, fetch, embed the recipe, store; see `Handler.run`."""
        entry = work.resources.catalog[work.task.config["model"]]
        config = work.task.config
        provider = work.resources.providers.get(work.task.queue)
        counts = _shares(config["num_outputs"], provider.images_per_call)
        done = [0.0] * len(counts)

        def report(part: int, fraction: float) -> None:
            done[part] = fraction
            work.report(sum(done) / len(done))

        parts = await _all(
            self._part(work, entry, part, count, partial(report, part))
            for part, count in enumerate(counts)
        )
        pixels = [image for part in parts for image in part]
        recipe = {field: config[field] for field in _RECIPE_FIELDS} | {
            "task_id": work.task.id,
            "provider": work.task.queue,
            "input_image_sha256": (config.get("input_image") or {}).get("sha256"),
        }
        images = [
            await work.store(
                index,
                image,
                config["output_format"],
                recipe | {"seed": _seed(config["seed"], index)},
            )
            for index, image in enumerate(pixels)
        ]
        return {"images": images}

    async def _part(
        self, work: Work, entry: ModelEntry, part: int, count: int, report: Any
    ) -> list[Pixels]:
        assert entry.hosting is not None
        config = work.task.config
        shown = [config["input_image"]] if "input_image" in config else []
        shown += config.get("references", [])
        endpoint = entry.hosting.endpoints[_asks_for(entry, len(shown))]
        price = entry.hosting.price
        call = Call(
            work,
            work.task.queue,
            endpoint,
            seconds=settings_of(work.resources.settings, work.task.queue).call_seconds,
            part=part,
            price=lambda outcome: _cost(
                price, len(outcome.files), config["width"] * config["height"]
            ),
        )

        async def order() -> ImageOrder:
            return ImageOrder(
                endpoint=endpoint,
                prompt=config["prompt"],
                negative_prompt=config["negative_prompt"],
                width=config["width"],
                height=config["height"],
                num_images=count,
                seed=_seed(config["seed"], part * count),
                steps=config["steps"],
                guidance_scale=config["guidance_scale"],
                strength=config["strength"],
                images=tuple([await picture(work, reference) for reference in shown]),
                loras=await _loras(work, config["loras"]),
            )

        outcome = await call.run(order, report)
        if len(outcome.files) != count:
            text = f"{len(outcome.files)} pictures instead of {count}"
            raise HostedMalformed(work.task.queue, text)
        return list(await asyncio.gather(*(_pixels(work, file) for file in outcome.files)))


async def _all(parts: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all, at once; the first error ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


class HostedProcessing:
    """Sends a picture to a provider's model for an operation."""

    async def run(self, work: Work) -> dict[str, Any]:
        """Process, fetch, embed the recipe, store; see `Handler.run`."""
        config, provider = work.task.config, work.task.queue
        operation = load_hosted().operations[provider][config["operation"]]  # type: ignore[index]
        source = await picture(work, config["image"])
        info = await asyncio.to_thread(inspect_image, source.data)
        size = info.width * info.height * config.get("scale", 1) ** 2
        call = Call(
            work,
            provider,
            operation.endpoint,
            seconds=settings_of(work.resources.settings, provider).call_seconds,
            price=lambda outcome: _cost(operation.price, len(outcome.files), size),
        )

        async def order() -> PictureOrder:
            return PictureOrder(
                endpoint=operation.endpoint, image=source, scale=config.get("scale")
            )

        outcome = await call.run(order, work.report)
        pixels = await _pixels(work, outcome.files[0])
        recipe = {
            "operation": config["operation"],
            "scale": config.get("scale"),
            "task_id": work.task.id,
            "input_image_sha256": config["image"]["sha256"],
            "provider": provider,
        }
        return {"images": [await work.store(0, pixels, config["output_format"], recipe)]}


class HostedTraining:
    """Has a LoRA trained; the file becomes ours, and the task's adapter like any other."""

    async def run(self, work: Work) -> dict[str, Any]:
        """Hand the pictures over, follow, store the weights; see `Handler.run`."""
        config, provider = work.task.config, work.task.queue
        hosting = work.resources.catalog[config["model"]].hosting
        assert hosting is not None
        records = Records(work.resources, work.task)
        await records.note(phase="start")
        steps = int(config["settings"]["steps"])
        call = Call(
            work,
            provider,
            hosting.endpoints["training"],
            seconds=work.resources.settings.training.attempt_seconds,
            price=lambda _: Decimal(str(hosting.price.usd_per_training_step)) * steps,
        )
        # The same for every attempt: the provider may still be fetching it for an earlier one.
        archive = f"{work.folder}/dataset.zip"

        async def order() -> TrainingOrder:
            examples = await captioned(work, await read_examples(work.resources, config))
            with tempfile.TemporaryFile() as file:
                await asyncio.to_thread(_pack, examples, file)
                await work.resources.store.put(archive, file)
            return TrainingOrder(
                endpoint=call.endpoint,
                dataset_url=await _url(work, archive),
                trigger_word=config["settings"]["trigger_word"],
                steps=steps,
                is_style=config["entity_type"] == "style",
            )

        # It tells nothing of its steps: there are no figures of them.
        await records.note(phase="train")
        outcome = await call.run(order, work.report)
        weights = await _download(
            work, outcome.files[0], work.resources.settings.models.max_adapter_bytes
        )
        output = await _deliver(work, weights, steps)
        await work.resources.store.delete(archive)
        return output


def _asks_for(entry: ModelEntry, pictures: int) -> str:
    """Which of its endpoints."""
    assert entry.hosting is not None
    if pictures == 0:
        return "text-to-image"
    if pictures > 1 and "references" in entry.hosting.endpoints:
        return "references"
    return next(mode for mode in ("instruction", "image-to-image") if mode in entry.modes)


async def _loras(work: Work, pins: Sequence[Mapping[str, Any]]) -> tuple[HostedLora, ...]:
    if not pins:
        return ()
    async with work.resources.database.read() as session:
        adapters = await AdapterRepository(
            session, OrganizationScope(work.task.organization_id)
        ).get_many({UUID(pin["id"]) for pin in pins})
    found = []
    for pin in pins:
        if (adapter := adapters.get(UUID(pin["id"]))) is None:
            raise AdapterGone(f"The LoRA {pin['name']!r} has been deleted")
        found.append(HostedLora(await _url(work, adapter.path), pin["weight"]))
    return tuple(found)


async def _url(work: Work, path: str) -> str:
    """Where the provider fetches an object of ours."""
    public_url = work.resources.settings.http.public_url
    if public_url is None and isinstance(work.resources.store, LocalStore):
        raise HostedInvalid(
            work.task.queue,
            "it has to fetch a file from here: set SARTIQ_HTTP_PUBLIC_URL, or store in S3",
        )
    return await work.resources.store.sign(path, expires_in=_URL_SECONDS, base_url=public_url or "")


async def _download(work: Work, file: RemoteFile, max_bytes: int | None = None) -> bytes:
    if file.data is not None:
        return file.data
    assert file.url is not None
    body = BytesIO()
    try:
        await work.resources.fetcher.download(
            file.url, body, max_bytes=max_bytes, timeout_seconds=_seconds(work)
        )
    except FetchFailed as error:
        raise HostedUnavailable(work.task.queue, f"its result: {error}") from error
    except InvalidInput as error:
        raise HostedMalformed(work.task.queue, f"its result: {error}") from error
    return body.getvalue()


def _seconds(work: Work) -> float:
    return settings_of(work.resources.settings, work.task.queue).request_seconds


async def _pixels(work: Work, file: RemoteFile) -> Pixels:
    data = await _download(work, file)
    try:
        return await asyncio.to_thread(decode_pixels, data, work.resources.settings.media)
    except InvalidInput as error:
        raise HostedMalformed(work.task.queue, f"its picture: {error}") from error


async def _deliver(work: Work, weights: bytes, steps: int) -> dict[str, Any]:
    """Store the weights, if they are a safetensors file; the task's output."""
    try:
        header = await asyncio.to_thread(read_header, BytesIO(weights))
    except (InvalidInput, UnsupportedMedia) as error:
        raise HostedTruncated(work.task.queue, f"its LoRA: {error}") from error
    digest = await asyncio.to_thread(lambda: hashlib.sha256(weights).hexdigest())
    stored = await work.resources.store.put(
        f"{work.loras_folder}/{work.task.attempt}-{FILE_NAME}", weights
    )
    end = {"step": steps, "loss": None, "similarity": None, "is_best": True}
    return {
        "images": [],
        "lora": {
            "path": stored.path,
            "size": stored.size,
            "sha256": digest,
            "metadata": {**header.metadata, "provider": work.task.queue},
        },
        "best": end,
        "last": end,
        "seconds": {},
    }


def _pack(examples: Sequence[TrainingExample], file: Any) -> None:
    """A ZIP of pictures, each with its caption in a text file of its name."""
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for number, example in enumerate(examples):
            suffix = inspect_image(example.image).format
            archive.writestr(f"{number:04d}.{suffix}", example.image)
            archive.writestr(f"{number:04d}.txt", example.caption)
    file.seek(0)


def _shares(count: int, most: int) -> list[int]:
    """So many images in calls of at most ``most``."""
    full, rest = divmod(count, most)
    return [most] * full + ([rest] if rest else [])


def _seed(first: int, index: int) -> int:
    return int((first + index) % (MAX_SEED + 1))


def _cost(price: Price, images: int, pixels: int) -> Decimal:
    """US dollars for so many images of so many pixels."""
    each = price.usd_per_image + price.usd_per_megapixel * pixels / 1_000_000
    return Decimal(str(round(each * images, 6)))


HOSTED: Mapping[str, Handler] = {
    "generation": HostedGeneration(),
    "processing": HostedProcessing(),
    "training": HostedTraining(),
    "llm": HostedText(),
}
