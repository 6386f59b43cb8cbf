"""From a request for work to a queued task, and from a task to what the API answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.catalog import ModelEntry
from db.models import Task
from db.repositories.queue import NewTask
from db.repositories.scope import OrganizationScope
from serve_app.compute.tasks.configs import (
    CompositeConfig,
    ConvertConfig,
    GenerationConfig,
    PromptConfig,
    QuestionConfig,
    RemoveBackgroundConfig,
    UpscaleConfig,
)
from serve_app.compute.tasks.schemas import GenerationRead, OutputImage, TaskOutput, TaskRead
from serve_app.core import orders
from serve_app.core.adapters import pin
from serve_app.core.dependencies import Sign
from serve_app.core.errors import InvalidInput, UnprocessableField
from serve_app.core.estimates import Estimate
from serve_app.core.estimates.reading import EtaRead
from serve_app.core.intake import Intake, StoredImage
from serve_app.core.resources import Resources

ProcessingConfig = UpscaleConfig | RemoveBackgroundConfig | CompositeConfig | ConvertConfig
Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """Checks one request and settles everything that it left open.

    ``loc`` is where the config stands in the request's body, for the errors.
    """

    resources: Resources
    intake: Intake
    scope: OrganizationScope
    loc: Loc = ("body",)

    async def generation(self, config: GenerationConfig, priority: int) -> NewTask:
        """The task of a generation: defaults filled in, seed drawn, picture stored.

        Raises:
            UnprocessableField: a value is beyond the model's limits, a LoRA does not exist or is
                not the model's, or the picture is unusable.
        """
        has_image = config.input_image_url is not None
        settled = await self.settle_generation(config, has_image=has_image)
        image = None
        if config.input_image_url is not None:
            image = await self.picture(config.input_image_url, "input_image_url")
        references = [
            orders.ImageReference(found.path, found.info.sha256)
            for found in [
                await self.picture(url, "reference_image_urls")
                for url in config.reference_image_urls
            ]
        ]
        return orders.generation(
            settled, _reference(image), references=references, priority=priority
        )

    async def settle_generation(
        self, config: GenerationConfig, *, has_image: bool | None
    ) -> dict[str, Any]:
        """The config of a generation's task, without its picture; ``has_image`` is None while
        nobody knows whether there will be one.

        Raises:
            UnprocessableField: as for :meth:`generation`.
        """
        entry = orders.choose_model(self.resources, config.model, self._refuse)
        wanted = config.model_dump(exclude={"model", "input_image_url", "reference_image_urls"})
        wanted["loras"] = await self._loras(entry, wanted["loras"])
        settled = orders.settle_generation(entry, wanted, self._refuse)
        if has_image is not None:
            orders.check_mode(entry, self._refuse, has_image=has_image)
        orders.check_references(entry, len(config.reference_image_urls), self._refuse)
        return settled

    async def processing(self, config: ProcessingConfig, priority: int) -> NewTask:
        """The task of a processing operation, with its pictures stored.

        Raises:
            UnprocessableField: a picture is unusable, or the result would be too large.
        """
        self.check_provider(config)
        source = await self.picture(config.image_url, "image_url")
        if isinstance(config, UpscaleConfig):
            self._check_result_size(source, config.scale)
        settled = config.model_dump(exclude={"image_url", "background_url"})
        if settled.get("provider") is None:
            settled.pop("provider", None)
        settled["image"] = orders.ImageReference(source.path, source.info.sha256).as_dict()
        if isinstance(config, CompositeConfig) and config.background_url is not None:
            ground = await self.picture(config.background_url, "background_url")
            settled["background_image"] = orders.ImageReference(
                ground.path, ground.info.sha256
            ).as_dict()
        return orders.processing(settled, priority=priority)

    def check_provider(self, config: ProcessingConfig) -> None:
        """Raise if the operation is to be done by somebody whom this installation cannot ask.

        Raises:
            UnprocessableField: as it says.
        """
        provider = getattr(config, "provider", None)
        if provider is not None and provider not in self.resources.providers:
            raise self._refuse("provider", "this installation has no key for it")

    async def question(self, config: QuestionConfig, priority: int) -> NewTask:
        """The task of a question, with its pictures stored.

        Raises:
            UnprocessableField: there is no such model, or a picture is unusable.
        """
        settled = self.settle_question(config)
        images = [
            orders.ImageReference(found.path, found.info.sha256)
            for field in ("product_image_url", "image_url")
            if (url := getattr(config, field, None)) is not None
            for found in [await self.picture(url, field)]
        ]
        return orders.question(settled, images, priority=priority)

    def settle_question(self, config: QuestionConfig) -> dict[str, Any]:
        """The config of a question's task, without its pictures.

        Raises:
            UnprocessableField: there is no such model.
        """
        asked = config.model_dump(by_alias=True, exclude={"image_url", "product_image_url"})
        own = {"model", "operation", "kind", "max_tokens", "schema"}
        # The question itself of a prompt; of the others, data.
        if isinstance(config, PromptConfig):
            own.add("prompt")
        data = {name: asked.pop(name) for name in set(asked) - own}
        return orders.settle_question(self.resources, asked | {"data": data}, self._refuse)

    def _check_result_size(self, source: StoredImage, scale: int) -> None:
        limit = self.resources.settings.media.max_output_pixels
        if source.info.width * source.info.height * scale**2 > limit:
            raise self._refuse("scale", f"the result would have more than {limit:,} pixels")

    async def _loras(
        self, entry: ModelEntry, wanted: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        if not wanted:
            return []
        async with self.resources.database.read() as session:
            return await pin(session, self.scope, entry, wanted, self._refuse)

    async def picture(self, url: str, field: str) -> StoredImage:
        """The stored picture of a URL in a field.

        Raises:
            UnprocessableField: it cannot be fetched, or is none that can be worked with.
        """
        try:
            return await self.intake.take_url(url)
        except InvalidInput as error:
            raise error.at(*self.loc, field) from error

    def _refuse(self, field: str, reason: str) -> UnprocessableField:
        return UnprocessableField(f"{field}: {reason}", (*self.loc, field))


def _reference(source: StoredImage | None) -> orders.ImageReference | None:
    if source is None:
        return None
    return orders.ImageReference(source.path, source.info.sha256)


async def read_task(task: Task, sign: Sign, estimate: Estimate | None = None) -> TaskRead:
    """What the API answers about a task; the estimate is of one that waits."""
    return TaskRead.model_validate(await _fields(task, sign, estimate))


async def read_generation(
    task: Task, sign: Sign, estimate: Estimate | None = None
) -> GenerationRead:
    """A generation with its config and the reasons of attempts that failed."""
    config = dict(task.config)
    if image := config.pop("input_image", None):
        config["input_image_url"] = await sign(image["path"])
    if references := config.pop("references", None):
        config["reference_image_urls"] = [await sign(one["path"]) for one in references]
    fields = await _fields(task, sign, estimate) | {"config": config, "failures": task.failures}
    return GenerationRead.model_validate(fields)


async def _fields(task: Task, sign: Sign, estimate: Estimate | None) -> dict[str, Any]:
    names = set(TaskRead.model_fields) - {"output", "queue_position", "eta"}
    output = None
    if task.output is not None:
        images = [
            OutputImage(url=await sign(image["path"]), **_without_path(image))
            for image in task.output["images"]
        ]
        output = TaskOutput(images=images, **_told(task.output))
    return {name: getattr(task, name) for name in names} | {
        "output": output,
        "queue_position": estimate.position if estimate else None,
        "eta": EtaRead.of(estimate),
    }


def _told(output: dict[str, Any]) -> dict[str, Any]:
    """What an output has beside pictures."""
    fields = set(TaskOutput.model_fields) - {"images"}
    return {name: output[name] for name in fields if name in output}


def _without_path(image: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in image.items() if key != "path"}
