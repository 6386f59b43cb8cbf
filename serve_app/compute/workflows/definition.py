"""A workflow's definition, checked before anything of it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

import orjson
from pydantic import BaseModel, ValidationError

from serve_app.compute.workflows.mappings import (
    GRAMMAR,
    IMAGE_FIELDS,
    FromInput,
    FromStep,
    Source,
    parse,
)
from serve_app.compute.workflows.schemas import StepCreate
from serve_app.compute.workflows.steps import Desk, StepType, StepTypes, key_of
from serve_app.core.errors import Loc, UnprocessableField

MAX_STEPS: Final = 100
# Pictures that may flow into one step.
MAX_PICTURES: Final = 1000
_PICTURE: Final = IMAGE_FIELDS["url"]
# As in the tasks' own fields, so in the documents' examples.
_ALIASES: Final = {"image_url": "input_image_url"}


@dataclass(frozen=True, slots=True)
class Checked:
    """A step that is right; ``number`` is its place in the request."""

    number: int
    given: StepCreate
    type: StepType
    sources: Mapping[str, Source]
    mappings: Mapping[str, str]

    @property
    def loc(self) -> Loc:
        """Where it stands in the request."""
        return ("body", "steps", self.number)

    def refuse(self, reason: str, *where: str | int) -> UnprocessableField:
        """The error of a field of the step, which it names."""
        return UnprocessableField(f"step {self.given.name!r}: {reason}", (*self.loc, *where))


async def check(
    steps: Sequence[StepCreate], step_types: StepTypes, desk: Callable[[Loc], Desk]
) -> list[Checked]:
    """The steps in an order in which each comes after those that it depends on.

    Raises:
        UnprocessableField: the first thing that is wrong, with the name of its step.
    """
    if len(steps) > MAX_STEPS:
        name = steps[MAX_STEPS].name
        raise UnprocessableField(
            f"step {name!r}: at most {MAX_STEPS} steps", ("body", "steps", MAX_STEPS)
        )
    numbers: dict[str, int] = {}
    for number, step in enumerate(steps):
        if numbers.setdefault(step.name, number) != number:
            raise UnprocessableField(
                f"step {step.name!r}: another one has this name", ("body", "steps", number, "name")
            )
    checked = [_typed(number, step, step_types) for number, step in enumerate(steps)]
    ordered = _ordered(checked, numbers)
    await _Flow(ordered).check(desk)
    return ordered


def _typed(number: int, step: StepCreate, step_types: StepTypes) -> Checked:
    found = step_types.get(key_of(step.type, step.config))
    loc: Loc = ("body", "steps", number)
    if found is None:
        names = sorted({key.partition(":")[0] for key in step_types})
        operations = sorted(
            key.partition(":")[2] for key in step_types if key.startswith(f"{step.type}:")
        )
        if step.type in names:
            reason = f"unknown operation; use one of {', '.join(operations)}"
            raise UnprocessableField(f"step {step.name!r}: {reason}", (*loc, "config", "operation"))
        reason = f"unknown type {step.type!r}; use one of {', '.join(names)}"
        raise UnprocessableField(f"step {step.name!r}: {reason}", (*loc, "type"))
    mappings, sources = {}, {}
    for field, text in step.input_mappings.items():
        name = field
        if field not in {*found.model.model_fields, *found.pictures}:
            name = _ALIASES.get(field, field)
        source = parse(text)
        if source is None:
            raise UnprocessableField(
                f"step {step.name!r}: a mapping is {GRAMMAR}", (*loc, "input_mappings", field)
            )
        mappings[name], sources[name] = text, source
    return Checked(number, step, found, sources, mappings)


def _ordered(steps: Sequence[Checked], numbers: Mapping[str, int]) -> list[Checked]:
    """As the client has them, except that each comes after those that it depends on."""
    for step in steps:
        seen = set()
        for place, name in enumerate(step.given.depends_on):
            if name not in numbers:
                raise step.refuse(f"there is no step {name!r}", "depends_on", place)
            if name in seen:
                raise step.refuse(f"{name!r} is named twice", "depends_on", place)
            seen.add(name)
    try:
        TopologicalSorter({step.given.name: step.given.depends_on for step in steps}).prepare()
    except CycleError as error:
        names = error.args[1]
        first = steps[numbers[names[0]]]
        circle = " → ".join(reversed(names))
        raise first.refuse(f"steps depend on one another: {circle}", "depends_on") from None
    ordered: list[Checked] = []
    placed: set[str] = set()
    left = list(steps)
    while left:
        ready = next(step for step in left if placed.issuperset(step.given.depends_on))
        left.remove(ready)
        ordered.append(ready)
        placed.add(ready.given.name)
    return ordered


class _Flow:
    """What flows through the steps, as far as it is known beforehand."""

    def __init__(self, steps: Sequence[Checked]) -> None:
        self._steps = steps
        self._ancestors: dict[str, set[str]] = {}
        # Pictures that a step makes; None: that depends on what the workflow is started with.
        self._made: dict[str, int | None] = {}

    async def check(self, desk: Callable[[Loc], Desk]) -> None:
        for step in self._steps:
            given = step.given
            self._ancestors[given.name] = set(given.depends_on).union(
                *(self._ancestors[name] for name in given.depends_on)
            )
            for field, source in step.sources.items():
                self._check_mapping(step, field, source)
            pictures = self._flowing_in(step)
            self._check_pictures(step, pictures)
            config = validated(step, {})
            is_root = pictures == 0 and not given.depends_on
            has_picture = None if is_root else pictures != 0
            await naming(
                given.name,
                step.type.check(desk((*step.loc, "config")), config, has_picture=has_picture),
            )
            mapped = "num_outputs" in step.sources or pictures is None
            self._made[given.name] = None if mapped else step.type.count(config, pictures or 0)

    def _check_mapping(self, step: Checked, field: str, source: Source) -> None:
        where = ("input_mappings", field)
        takes = step.type.pictures
        known = {*step.type.model.model_fields, *takes} - {"operation"}
        if field not in known:
            raise step.refuse(f"there is no field {field!r} to map to", *where)
        if field in step.given.config:
            raise step.refuse(f"{field!r} is given in the config too", *where)
        if isinstance(source, FromInput):
            return
        if source.step not in self._ancestors[step.given.name]:
            names = {one.given.name for one in self._steps}
            reason = "does not come before it" if source.step in names else "does not exist"
            raise step.refuse(f"the step {source.step!r} {reason}: see depends_on", *where)
        if source.field not in IMAGE_FIELDS:
            raise step.refuse(f"an image has the fields {', '.join(IMAGE_FIELDS)}", *where)
        if (source.field == "url") != (field in takes):
            reason = "takes a url" if field in takes else "takes no url"
            raise step.refuse(f"{field!r} {reason}", *where)
        made = self._made[source.step]
        if made is not None and source.index >= made:
            raise step.refuse(f"the step {source.step!r} makes {made} images", *where)

    def _flowing_in(self, step: Checked) -> int | None:
        """Pictures that flow in; None: nobody knows how many."""
        flow = step.type.flow
        if flow is None:
            return 0
        if flow in step.sources or flow in step.given.config:
            return 1
        if not step.given.depends_on:
            return int(step.type.needs_picture)
        total = 0
        for name in step.given.depends_on:
            if (made := self._made[name]) is None:
                return None
            total += made
        return total

    def _check_pictures(self, step: Checked, pictures: int | None) -> None:
        if pictures == 0 and step.type.needs_picture:
            raise step.refuse("no picture flows into it", "depends_on")
        if pictures is not None and pictures > MAX_PICTURES:
            raise step.refuse(f"more than {MAX_PICTURES:,} pictures flow into it", "depends_on")


def validated(step: Checked, values: Mapping[str, Any]) -> Any:
    """A step's config by the model of its type, with values for what is mapped.

    What is not known yet is stood in for.

    Raises:
        UnprocessableField: it is not right.
    """
    try:
        return config_of(step.type, step.given.config, step.sources, values)
    except ValidationError as error:
        raise step.refuse(*reason_of(error, "config")) from error


def config_of(
    step_type: StepType,
    config: Mapping[str, Any],
    sources: Mapping[str, Source],
    values: Mapping[str, Any],
) -> Any:
    """A config by the model of its type.

    Args:
        step_type: whose.
        config: as the client gave it.
        sources: of what is mapped into it.
        values: of those that are known.

    Raises:
        pydantic.ValidationError: it is not right.
    """
    fields = step_type.model.model_fields
    full = dict(config)
    for field in step_type.pictures:
        if field in fields and (field in sources or fields[field].is_required()):
            full.setdefault(field, _PICTURE)
    for field, source in sources.items():
        if field in step_type.pictures:
            continue
        if field in values:
            full[field] = values[field]
        elif isinstance(source, FromStep):
            full[field] = IMAGE_FIELDS[source.field]
        elif fields[field].is_required():
            full[field] = "x"
    model: type[BaseModel] = step_type.model
    # As JSON: that is what the models of tasks are strict about.
    return model.model_validate_json(orjson.dumps(full))


def reason_of(error: ValidationError, *prefix: str | int) -> tuple[Any, ...]:
    """What a model found first: in words, and where."""
    first = error.errors(include_url=False)[0]
    loc = (*prefix, *first["loc"])
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"there is no field {field!r}; check its spelling", *loc
    return f"{field}: {first['msg']}" if field else first["msg"], *loc


async def naming(name: str, work: Any) -> Any:
    """The result of ``work``; an error of a field says the step's name."""
    try:
        return await work
    except UnprocessableField as error:
        raise UnprocessableField(f"step {name!r}: {error.detail}", error.loc, error.kind) from error
