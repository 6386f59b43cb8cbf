"""Steps that ask a language model about a picture. Its answer is the step's output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from db.repositories.workflow_rows import StepTask
from serve_app.compute.tasks.configs import (
    CaptionConfig,
    JudgeConfig,
    PromptConfig,
    QuestionConfig,
    VisibilityConfig,
)
from serve_app.compute.workflows.steps.base import Desk, Inputs, Order, StepType
from serve_app.core import orders
from serve_app.core.orders import ImageReference

_TOLD = ("text", "answer", "usage", "cost_usd")


class QuestionStep(StepType):
    """What the questions have in common: one task about one picture."""

    pictures: ClassVar[tuple[str, ...]] = ("image_url",)
    flow: ClassVar[str | None] = "image_url"
    needs_picture: ClassVar[bool] = True
    makes_pictures: ClassVar[bool] = False
    # A model may answer otherwise the next time.
    is_reusable: ClassVar[bool] = False

    async def check(self, desk: Desk, config: QuestionConfig, *, has_picture: bool | None) -> None:
        """See `StepType.check`."""
        del has_picture
        desk.tasks.settle_question(config)

    async def settle(
        self, desk: Desk, config: QuestionConfig, *, has_picture: bool | None
    ) -> dict[str, Any]:
        """See `StepType.settle`."""
        del has_picture
        return desk.tasks.settle_question(config)

    def count(self, config: QuestionConfig, pictures: int) -> int:
        """See `StepType.count`."""
        del config, pictures
        return 0

    def orders(self, plan: Mapping[str, Any], inputs: Inputs, priority: int) -> list[Order]:
        """See `StepType.orders`."""
        images = [
            ImageReference.of(reference)
            for field in ("product_image_url", "image_url")
            if (reference := inputs.one(field)) is not None
        ]
        return [Order(orders.question(plan, images, priority=priority))]

    def output(self, tasks: Sequence[StepTask]) -> dict[str, Any]:
        """See `StepType.output`."""
        (told, *_) = [task.output or {} for task in tasks] or [{}]
        return {"images": [], **{name: told[name] for name in _TOLD if name in told}}


class PromptStep(QuestionStep):
    """Any question."""

    model = PromptConfig
    needs_picture = False


class CaptionStep(QuestionStep):
    """What a picture shows."""

    model = CaptionConfig


class JudgeStep(QuestionStep):
    """How good a picture of a product is."""

    model = JudgeConfig
    pictures = ("image_url", "product_image_url")


class VisibilityStep(QuestionStep):
    """Whether a product would be visible."""

    model = VisibilityConfig
