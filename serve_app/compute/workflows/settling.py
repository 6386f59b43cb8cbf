"""From a definition and what it is started with to plans: everything that was left open is settled
before the first task is queued."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from serve_app.compute.workflows.definition import Checked, config_of, naming, reason_of
from serve_app.compute.workflows.mappings import FromInput, FromStep
from serve_app.compute.workflows.steps import Desk
from serve_app.core.errors import Loc, UnprocessableField
from serve_app.core.intake import StoredImage

# The picture that steps without predecessors work on.
PICTURE = "image_url"


class Settling:
    """The start of one workflow.

    Args:
        steps: each after those that it depends on.
        values: what it is started with.
        desk: by where a step's config stands, what settles it.
    """

    def __init__(
        self, steps: Sequence[Checked], values: Mapping[str, Any], desk: Callable[[Loc], Desk]
    ) -> None:
        self._steps = steps
        self._values = values
        self._desk = desk
        self._taken: dict[str, dict[str, Any]] = {}

    async def run(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The plan of each step, and the input as it is stored, pictures as objects.

        Raises:
            UnprocessableField: something is missing, unknown, or of no use to a step.
        """
        used = set[str]()
        for step in self._steps:
            used |= {one.field for one in step.sources.values() if isinstance(one, FromInput)}
            used |= {PICTURE} if _takes_the_picture(step) else set()
        for name in self._values:
            if name not in used:
                raise UnprocessableField(f"no step takes {name!r}", ("body", "input", name))
        plans = [await self._plan(step) for step in self._steps]
        return plans, {**self._values, **self._taken}

    async def _plan(self, step: Checked) -> dict[str, Any]:
        desk = self._desk((*step.loc, "config"))
        given = {
            field: self._value(step, source)
            for field, source in step.sources.items()
            if isinstance(source, FromInput) and field not in step.type.pictures
        }
        pictures = await self._pictures(step, desk)
        try:
            config = config_of(step.type, step.given.config, step.sources, given)
        except ValidationError as error:
            raise self._refused(step, error) from error
        has_picture = (
            step.type.flow in pictures
            or isinstance(step.sources.get(step.type.flow or ""), FromStep)
            or self._flows_into(step)
        )
        settled = await naming(
            step.given.name, step.type.settle(desk, config, has_picture=has_picture)
        )
        return {"settled": settled, "given": given, "pictures": pictures}

    async def _pictures(self, step: Checked, desk: Desk) -> dict[str, dict[str, Any]]:
        """By field, the pictures that are known: of the config, or of the input."""
        pictures = {}
        for field in step.type.pictures:
            source, url = step.sources.get(field), step.given.config.get(field)
            if isinstance(source, FromInput):
                pictures[field] = await self._input_picture(step, source.field)
            elif url is not None:
                stored = await naming(step.given.name, desk.tasks.picture(url, field))
                pictures[field] = as_picture(stored)
        if _takes_the_picture(step):
            assert step.type.flow is not None
            if self._values.get(PICTURE) is not None or step.type.needs_picture:
                pictures[step.type.flow] = await self._input_picture(step, PICTURE)
        return pictures

    def _value(self, step: Checked, source: FromInput) -> Any:
        value = self._values.get(source.field)
        if value is None:
            raise self._wrong(step, source.field, f"it needs {source.field!r} of the input")
        return value

    def _flows_into(self, step: Checked) -> bool:
        """Whether pictures come out of a step before it."""
        if step.type.flow is None:
            return False
        before = [one for one in self._steps if one.given.name in step.given.depends_on]
        return any(
            self._flows_into(one) if one.type.waits else one.type.makes_pictures for one in before
        )

    async def _input_picture(self, step: Checked, name: str) -> dict[str, Any]:
        if name not in self._taken:
            url = self._value(step, FromInput(name))
            if not isinstance(url, str):
                raise self._wrong(step, name, "this must be the URL of a picture")
            desk = self._desk(("body", "input"))
            stored = await naming(step.given.name, desk.tasks.picture(url, name))
            self._taken[name] = as_picture(stored)
        return self._taken[name]

    @staticmethod
    def _wrong(step: Checked, name: str, reason: str) -> UnprocessableField:
        return UnprocessableField(f"step {step.given.name!r}: {reason}", ("body", "input", name))

    def _refused(self, step: Checked, error: ValidationError) -> UnprocessableField:
        """What is wrong with a config, at the input that it comes from if it does."""
        reason, *loc = reason_of(error)
        source = step.sources.get(str(loc[0])) if loc else None
        if isinstance(source, FromInput):
            return self._wrong(step, source.field, reason)
        return step.refuse(reason, "config", *loc)


def _takes_the_picture(step: Checked) -> bool:
    flow = step.type.flow
    own = flow in step.sources or flow in step.given.config
    return flow is not None and not own and not step.given.depends_on


def as_picture(stored: StoredImage) -> dict[str, Any]:
    """A picture that was taken in, as one stands in the output of a task."""
    return {
        "path": stored.path,
        "sha256": stored.info.sha256,
        "width": stored.info.width,
        "height": stored.info.height,
    }
