"""Steps that make pictures, or change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from configs.catalog import get_catalog
from serve_app.compute.tasks.configs import (
    CompositeConfig,
    ConvertConfig,
    GenerationConfig,
    RemoveBackgroundConfig,
    UpscaleConfig,
)
from serve_app.compute.workflows.steps.base import Desk, Inputs, Order, StepType
from serve_app.core import orders
from serve_app.core.errors import UnprocessableField
from serve_app.core.orders import MAX_SEED, ImageReference


class GenerationStep(StepType):
    """Images of a prompt; of each picture that flows in, a task of its own."""

    model = GenerationConfig
    pictures = ("input_image_url",)
    flow = "input_image_url"

    async def check(
        self, desk: Desk, config: GenerationConfig, *, has_picture: bool | None
    ) -> None:
        """See `StepType.check`."""
        await desk.tasks.settle_generation(config, has_image=has_picture)

    async def settle(
        self, desk: Desk, config: GenerationConfig, *, has_picture: bool | None
    ) -> dict[str, Any]:
        """See `StepType.settle`."""
        settled = await desk.tasks.settle_generation(config, has_image=has_picture)
        references = [
            await desk.tasks.picture(url, "reference_image_urls")
            for url in config.reference_image_urls
        ]
        return settled | {
            "references": [
                ImageReference(one.path, one.info.sha256).as_dict() for one in references
            ]
        }

    def count(self, config: GenerationConfig, pictures: int) -> int:
        """See `StepType.count`."""
        return config.num_outputs * max(1, pictures)

    def orders(self, plan: Mapping[str, Any], inputs: Inputs, priority: int) -> list[Order]:
        """See `StepType.orders`."""
        settled = {name: value for name, value in plan.items() if name != "references"}
        references = [ImageReference.of(one) for one in plan["references"]]
        if inputs.values:
            entry = get_catalog().resolve(plan["model"])
            settled = orders.settle_generation(entry, settled | dict(inputs.values), _refuse)
        made = []
        for index, picture in enumerate(inputs.pictures.get(self.flow, ()) or (None,)):
            # No two pictures of a step are made from the same seed.
            seed = (settled["seed"] + index * settled["num_outputs"]) % (MAX_SEED + 1)
            image = None if picture is None else ImageReference.of(picture)
            task = orders.generation(
                settled | {"seed": seed}, image, references=references, priority=priority
            )
            made.append(Order(task))
        return made


class ProcessingStep(StepType):
    """An operation on every picture that flows in, each a task of its own."""

    pictures: ClassVar[tuple[str, ...]] = ("image_url",)
    flow = "image_url"
    needs_picture = True

    def orders(self, plan: Mapping[str, Any], inputs: Inputs, priority: int) -> list[Order]:
        """See `StepType.orders`."""
        common = {**plan, **inputs.values, **self.besides(inputs)}
        return [
            Order(
                orders.processing(
                    common | {"image": ImageReference.of(picture).as_dict()}, priority=priority
                )
            )
            for picture in inputs.pictures["image_url"]
        ]

    async def check(self, desk: Desk, config: Any, *, has_picture: bool | None) -> None:
        """See `StepType.check`."""
        del has_picture
        desk.tasks.check_provider(config)

    def besides(self, inputs: Inputs) -> dict[str, Any]:
        """What each of the tasks needs besides its picture."""
        del inputs
        return {}


class UpscaleStep(ProcessingStep):
    """Enlarge."""

    model = UpscaleConfig


class RemoveBackgroundStep(ProcessingStep):
    """Cut the foreground out."""

    model = RemoveBackgroundConfig


class ConvertStep(ProcessingStep):
    """Another format or size."""

    model = ConvertConfig


class CompositeStep(ProcessingStep):
    """Before another background."""

    model = CompositeConfig
    pictures = ("image_url", "background_url")

    def besides(self, inputs: Inputs) -> dict[str, Any]:
        """See `ProcessingStep.besides`."""
        background = inputs.one("background_url")
        return {} if background is None else {"background_image": background}


def _refuse(field: str, reason: str) -> UnprocessableField:
    return UnprocessableField(f"{field}: {reason}", ("config", field))
