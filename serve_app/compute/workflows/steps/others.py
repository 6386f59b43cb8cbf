"""Steps that make other things than pictures: an archive, a LoRA, a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field

from db.ids import prefixed_id
from db.models import EntityType
from db.repositories.queue import NewTask
from db.repositories.scope import OrganizationScope
from db.repositories.trainings import TrainingWriter
from db.repositories.workflow_rows import StepTask
from db.session import WriteSession
from serve_app.compute.tasks.configs import Config, OutputFormat
from serve_app.compute.training.schemas import TrainingCreate
from serve_app.compute.workflows.steps.base import Desk, Inputs, Order, StepType
from serve_app.core.errors import InvalidInput
from serve_app.core.orders import MAX_ATTEMPTS
from serve_app.core.training.orders import QUEUE

_SUFFIXES: Final[Mapping[str, str]] = {"jpeg": "jpg", "png": "png", "webp": "webp"}
# Of an archive.
_MOST_ENTRIES: Final = 5000


class ExportConfig(Config):
    """All pictures in one ZIP, with a manifest."""

    filename: str = Field(
        "export.zip",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.zip$",
        description="Of the archive.",
    )
    format: OutputFormat = Field("png", description="Of its pictures.")
    quality: int = Field(92, ge=50, le=100, description="Of JPEG and WebP.")


class ApprovalConfig(Config):
    """Wait until a person has looked."""

    message: str | None = Field(None, max_length=2000, description="What to look at.")


class TrainingStepConfig(TrainingCreate):
    """A training, as `POST /training/` takes it."""

    priority: Literal[0] = Field(0, exclude=True, description="The workflow has one.")


class ExportStep(StepType):
    """Packs what flows in; pictures are named by their number."""

    model = ExportConfig
    makes_pictures = False
    pictures = ("images",)
    flow = "images"
    needs_picture = True

    def count(self, config: ExportConfig, pictures: int) -> int:
        """See `StepType.count`."""
        del config, pictures
        return 0

    def orders(self, plan: Mapping[str, Any], inputs: Inputs, priority: int) -> list[Order]:
        """See `StepType.orders`."""
        pictures = inputs.pictures["images"]
        if len(pictures) > _MOST_ENTRIES:
            raise InvalidInput(f"at most {_MOST_ENTRIES:,} pictures go into one archive")
        entries = [
            {
                "path": picture["path"],
                "filename": f"image-{number:03d}.{_SUFFIXES[plan['format']]}",
                "facts": {"seed": picture.get("seed"), "source_sha256": picture["sha256"]},
            }
            for number, picture in enumerate(pictures, 1)
        ]
        config = {
            "name": plan["filename"],
            "format": plan["format"],
            "quality": plan["quality"],
            "layouts": [{"name": "", "background": "transparent"}],
            "entries": entries,
        }
        return [
            Order(
                NewTask(
                    type="export",
                    queue="export",
                    config=config,
                    priority=priority,
                    max_attempts=MAX_ATTEMPTS,
                )
            )
        ]

    def output(self, tasks: Sequence[StepTask]) -> dict[str, Any]:
        """See `StepType.output`."""
        (task,) = tasks
        assert task.output is not None
        return {"images": [], "file": task.output["file"]}


class TrainingStep(StepType):
    """Trains a LoRA. Its result is a name of the organization, so it is never taken over."""

    model = TrainingStepConfig
    makes_pictures = False
    is_reusable = False

    async def check(
        self, desk: Desk, config: TrainingStepConfig, *, has_picture: bool | None
    ) -> None:
        """See `StepType.check`."""
        del has_picture
        desk.trainings.check(config)

    async def settle(
        self, desk: Desk, config: TrainingStepConfig, *, has_picture: bool | None
    ) -> dict[str, Any]:
        """See `StepType.settle`."""
        del has_picture
        order = await desk.trainings.order(config, desk.user_id)
        about = order.about() | {
            "entity_type": order.entity_type.value,
            "requested_by": None if desk.user_id is None else str(desk.user_id),
        }
        return {"config": dict(order.task().config), "about": about, "queue": order.lane}

    def count(self, config: TrainingStepConfig, pictures: int) -> int:
        """See `StepType.count`."""
        del config, pictures
        return 0

    def orders(self, plan: Mapping[str, Any], inputs: Inputs, priority: int) -> list[Order]:
        """See `StepType.orders`."""
        del inputs
        task = NewTask(
            id=prefixed_id("train"),
            type="training",
            # Workflows of before there were others have none.
            queue=plan.get("queue", QUEUE),
            config=plan["config"],
            priority=priority,
            max_attempts=MAX_ATTEMPTS,
        )
        about = dict(plan["about"])
        about["entity_type"] = EntityType(about["entity_type"])
        if about["requested_by"] is not None:
            about["requested_by"] = UUID(about["requested_by"])

        async def enlist(session: WriteSession, scope: OrganizationScope) -> None:
            await TrainingWriter(session, scope).describe(task.id, **about)

        return [Order(task, enlist)]

    def output(self, tasks: Sequence[StepTask]) -> dict[str, Any]:
        """See `StepType.output`."""
        (task,) = tasks
        assert task.output is not None
        file = {name: task.output["lora"][name] for name in ("path", "size", "sha256")}
        return {"images": [], "training_id": task.task_id, "lora": file}


class ApprovalStep(StepType):
    """Pauses the workflow; what flows in flows on when somebody resumes it."""

    model = ApprovalConfig
    pictures = ("images",)
    flow = "images"
    is_reusable = False
    waits = True

    def orders(self, plan: Mapping[str, Any], inputs: Inputs, priority: int) -> list[Order]:
        """See `StepType.orders`."""
        del plan, inputs, priority
        return []
