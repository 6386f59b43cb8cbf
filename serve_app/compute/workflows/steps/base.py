"""What a type of step is: how its config is checked, what its tasks are, what comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias
from uuid import UUID

from pydantic import BaseModel

from db.repositories.queue import NewTask
from db.repositories.scope import OrganizationScope
from db.repositories.workflow_rows import StepTask
from db.session import WriteSession
from serve_app.compute.tasks.service import Submission
from serve_app.compute.training.service import Submission as TrainingSubmission
from serve_app.core.orders import ImageReference

# A picture as it stands in a task's output: path, sha256, and what else is known.
Picture: TypeAlias = Mapping[str, Any]
# What an order needs besides its task, in the transaction that queues it.
Enlist: TypeAlias = Callable[[WriteSession, OrganizationScope], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Order:
    """A task to queue, and rows that go with it."""

    task: NewTask
    enlist: Enlist | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """What is needed to settle a step: who asks, and where the step's config stands."""

    tasks: Submission
    trainings: TrainingSubmission
    user_id: UUID | None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a step works on: by field of its config the pictures in it, and the values that were
    mapped into other fields."""

    pictures: Mapping[str, Sequence[Picture]]
    values: Mapping[str, Any]

    def one(self, field: str) -> dict[str, str] | None:
        """The reference of the picture in a field, if there is one."""
        for picture in self.pictures.get(field, ()):
            return ImageReference.of(picture).as_dict()
        return None


class StepType(ABC):
    """One type of step; a new one is a subclass, and a line of the registry.

    Attributes:
        model: of the config: that of a task.
        pictures: fields of the config that take URLs of pictures.
        flow: the one of them into which the pictures of earlier steps flow, or that of the
            workflow's input; None: none do.
        needs_picture: there is nothing to do without one.
        makes_pictures: whether any come out.
        is_reusable: equal inputs make an equal result, which another workflow may take over.
        waits: it makes nothing, and waits for a person.
    """

    model: ClassVar[type[BaseModel]]
    pictures: ClassVar[tuple[str, ...]] = ()
    flow: ClassVar[str | None] = None
    needs_picture: ClassVar[bool] = False
    makes_pictures: ClassVar[bool] = True
    is_reusable: ClassVar[bool] = True
    waits: ClassVar[bool] = False

    async def check(self, desk: Desk, config: Any, *, has_picture: bool | None) -> None:
        """Refuse what can never work, without fetching anything.

        Raises:
            UnprocessableField: as it says.
        """
        del desk, config, has_picture

    async def settle(self, desk: Desk, config: Any, *, has_picture: bool | None) -> dict[str, Any]:
        """Everything that the config left open, as JSON, for :meth:`orders`; without pictures.

        Raises:
            UnprocessableField: as for :meth:`check`.
        """
        await self.check(desk, config, has_picture=has_picture)
        return config.model_dump(mode="json", exclude=set(self.pictures))  # type: ignore[no-any-return]

    def count(self, config: Any, pictures: int) -> int:
        """How many pictures come out when so many go in."""
        del config
        return pictures

    @abstractmethod
    def orders(self, plan: Mapping[str, Any], inputs: Inputs, priority: int) -> list[Order]:
        """The tasks of a step; none of one that waits for a person.

        Raises:
            InvalidInput, UnprocessableField: the inputs cannot be worked on.
        """

    def output(self, tasks: Sequence[StepTask]) -> dict[str, Any]:
        """What the step has made: ``images``, and what else its tasks have in their outputs."""
        outputs = [task.output or {} for task in tasks]
        return {"images": [image for output in outputs for image in output.get("images", ())]}
