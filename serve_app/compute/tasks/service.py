"""From a request for work to a queued task, and from a task to what the API answers."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from configs.catalog import Limits, ModelEntry
from db.models import Task
from db.repositories.queue import NewTask
from serve_app.compute.tasks.configs import (
    MAX_SEED,
    GenerationConfig,
    RemoveBackgroundConfig,
    UpscaleConfig,
)
from serve_app.compute.tasks.schemas import GenerationRead, OutputImage, TaskOutput, TaskRead
from serve_app.core.dependencies import Sign
from serve_app.core.errors import InvalidInput, UnprocessableField
from serve_app.core.intake import Intake, StoredImage
from serve_app.core.resources import Resources

# Runners lost in mid-task, and failures of every other kind, in all.
MAX_ATTEMPTS = 8

ProcessingConfig = UpscaleConfig | RemoveBackgroundConfig
Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """Checks one request and settles everything that it left open.

    ``loc`` is where the config stands in the request's body, for the errors.
    """

    resources: Resources
    intake: Intake
    loc: Loc = ("body",)

    async def generation(self, config: GenerationConfig, priority: int) -> NewTask:
        """The task of a generation: defaults filled in, seed drawn, picture stored.

        Raises:
            UnprocessableField: a value is beyond the model's limits, or the picture is unusable.
        """
        entry = self._model(config.model)
        defaults = entry.defaults
        settled: dict[str, Any] = {
            "model": entry.name,
            "prompt": config.prompt,
            "negative_prompt": _or(config.negative_prompt, defaults.negative_prompt),
            "num_outputs": config.num_outputs,
            "steps": _or(config.steps, defaults.steps),
            "guidance_scale": _or(config.guidance_scale, defaults.guidance_scale),
            "image_guidance_scale": _or(config.image_guidance_scale, defaults.image_guidance_scale),
            "strength": _or(config.strength, defaults.strength),
            "width": _or(config.width, defaults.width),
            "height": _or(config.height, defaults.height),
            "seed": _or(config.seed, secrets.randbelow(MAX_SEED + 1)),
            "output_format": config.output_format,
            "loras": [lora.model_dump() for lora in config.loras],
        }
        self._check_limits(entry.limits, settled)
        self._check_mode(entry, has_image=config.input_image_url is not None)
        if config.input_image_url is not None:
            source = await self._picture(config.input_image_url, "input_image_url")
            settled |= _reference("input_image", source)
        return NewTask(
            type="generation",
            queue="generation",
            config=settled,
            priority=priority,
            max_attempts=MAX_ATTEMPTS,
            cost=float(config.num_outputs),
        )

    async def processing(self, config: ProcessingConfig, priority: int) -> NewTask:
        """The task of a processing operation, with its picture stored.

        Raises:
            UnprocessableField: the picture is unusable, or the result would be too large.
        """
        source = await self._picture(config.image_url, "image_url")
        if isinstance(config, UpscaleConfig):
            self._check_result_size(source, config.scale)
        return NewTask(
            type="processing",
            queue={"upscale": "upscaling", "remove-background": "background_removal"}[
                config.operation
            ],
            config=config.model_dump(exclude={"image_url"}) | _reference("image", source),
            priority=priority,
            max_attempts=MAX_ATTEMPTS,
        )

    def _model(self, name: str | None) -> ModelEntry:
        catalog = self.resources.catalog
        known = {entry.name for entry in catalog.available(gpu=self.resources.gpu)}
        try:
            entry = catalog.resolve(name)
        except KeyError:
            raise self._refuse("model", f"unknown model; known are {sorted(known)}") from None
        if entry.name not in known:
            raise self._refuse("model", f"{entry.name} needs a GPU, and there is none here")
        return entry

    def _check_limits(self, limits: Limits, settled: dict[str, Any]) -> None:
        prompt_limit = limits.max_prompt_characters
        for field in ("prompt", "negative_prompt"):
            if len(settled[field]) > prompt_limit:
                raise self._refuse(field, f"at most {prompt_limit} characters for this model")
        for field, maximum in (("num_outputs", limits.max_outputs), ("steps", limits.max_steps)):
            if settled[field] > maximum:
                raise self._refuse(field, f"at most {maximum} for this model")
        for field, maximum in (("width", limits.max_width), ("height", limits.max_height)):
            side = settled[field]
            if not limits.min_side <= side <= maximum or side % limits.multiple_of:
                raise self._refuse(
                    field,
                    f"must be a multiple of {limits.multiple_of} from {limits.min_side} "
                    f"to {maximum} for this model",
                )
        if len(settled["loras"]) > limits.max_loras:
            raise self._refuse("loras", f"at most {limits.max_loras} for this model")
        if settled["loras"]:
            raise self._refuse("loras", f"there is no LoRA named {settled['loras'][0]['name']!r}")

    def _check_mode(self, entry: ModelEntry, *, has_image: bool) -> None:
        wanted = {"image-to-image", "instruction"} if has_image else {"text-to-image"}
        if wanted.isdisjoint(entry.modes):
            what = "takes no picture" if has_image else "needs a picture"
            raise self._refuse("input_image_url", f"the model {entry.name} {what}")

    def _check_result_size(self, source: StoredImage, scale: int) -> None:
        limit = self.resources.settings.media.max_output_pixels
        if source.info.width * source.info.height * scale**2 > limit:
            raise self._refuse("scale", f"the result would have more than {limit:,} pixels")

    async def _picture(self, url: str, field: str) -> StoredImage:
        try:
            return await self.intake.take_url(url)
        except InvalidInput as error:
            raise error.at(*self.loc, field) from error

    def _refuse(self, field: str, reason: str) -> UnprocessableField:
        return UnprocessableField(f"{field}: {reason}", (*self.loc, field))


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _reference(field: str, source: StoredImage) -> dict[str, Any]:
    return {field: {"path": source.path, "sha256": source.info.sha256}}


async def read_task(task: Task, sign: Sign) -> TaskRead:
    """What the API answers about a task."""
    return TaskRead.model_validate(await _fields(task, sign))


async def read_generation(task: Task, sign: Sign) -> GenerationRead:
    """A generation with its config and the reasons of attempts that failed."""
    config = dict(task.config)
    if image := config.pop("input_image", None):
        config["input_image_url"] = await sign(image["path"])
    fields = await _fields(task, sign) | {"config": config, "failures": task.failures}
    return GenerationRead.model_validate(fields)


async def _fields(task: Task, sign: Sign) -> dict[str, Any]:
    names = set(TaskRead.model_fields) - {"output"}
    output = None
    if task.output is not None:
        images = [
            OutputImage(url=await sign(image["path"]), **_without_path(image))
            for image in task.output["images"]
        ]
        output = TaskOutput(images=images)
    return {name: getattr(task, name) for name in names} | {"output": output}


def _without_path(image: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in image.items() if key != "path"}
