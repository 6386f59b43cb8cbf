"""Work orders: what a model is asked for, checked against its limits, as a task of the queue.

Both APIs make tasks: the Compute API of what its clients ask for, the Backend of what a shot needs.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from configs.catalog import Limits, ModelEntry
from configs.hosted import load_hosted
from db.repositories.queue import NewTask
from serve_app.core.errors import UnprocessableField
from serve_app.core.resources import Resources

MAX_SEED: Final = 2**32 - 1
# Runners lost in mid-task, and failures of every other kind, in all.
MAX_ATTEMPTS: Final = 16

# Makes the error of a field: its name, and what is wrong with it.
Refuse = Callable[[str, str], UnprocessableField]

# What needs no model: the runner does it.
IMAGING: Final = "imaging"
# By operation on a picture, the queue of the deployment that does it.
_QUEUES: Final = {
    "upscale": "upscaling",
    "remove-background": "background_removal",
    "replace-background": "background_removal",
    "evaluate": "background_removal",
    "composite": IMAGING,
    "convert": IMAGING,
}


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A picture in storage that a task works on."""

    path: str
    sha256: str

    def as_dict(self) -> dict[str, str]:
        """As it stands in a task's config."""
        return {"path": self.path, "sha256": self.sha256}

    @classmethod
    def of(cls, image: Mapping[str, Any]) -> Self:
        """From a task's config, or from an image of a task's output."""
        return cls(image["path"], image["sha256"])


def choose_model(resources: Resources, name: str | None, refuse: Refuse) -> ModelEntry:
    """The catalog entry that a request names; the installation's own for None.

    Raises:
        UnprocessableField: there is no such model, or it cannot run here.
    """
    catalog = resources.catalog
    known = {entry.name for entry in resources.models}
    try:
        entry = catalog.resolve(name)
    except KeyError:
        raise refuse("model", f"unknown model; known are {sorted(known)}") from None
    if entry.name not in known:
        raise refuse("model", f"{entry.name} {_lacks(entry)}")
    return entry


def _lacks(entry: ModelEntry) -> str:
    if entry.provider is not None:
        return f"is hosted by {entry.provider}, which this installation has no key for"
    return "needs a GPU, and there is none here"


def settle_generation(
    entry: ModelEntry, wanted: Mapping[str, Any], refuse: Refuse
) -> dict[str, Any]:
    """The config of a generation task: what is absent is the model's default, a seed is drawn.

    Args:
        entry: the model.
        wanted: ``prompt``, ``num_outputs``, and any other field of a generation; ``loras`` as
            :func:`serve_app.core.adapters.pin` gives them.
        refuse: makes the errors.

    Raises:
        UnprocessableField: a value is beyond the model's limits.
    """
    defaults = entry.defaults
    seed = wanted.get("seed")
    settled: dict[str, Any] = {
        "model": entry.name,
        "prompt": wanted["prompt"],
        "num_outputs": wanted["num_outputs"],
        "seed": secrets.randbelow(MAX_SEED + 1) if seed is None else seed,
        "output_format": wanted.get("output_format", "jpeg"),
        "loras": wanted.get("loras", []),
    }
    if entry.provider is not None:
        settled["provider"] = entry.provider
    for field in (
        "negative_prompt",
        "steps",
        "guidance_scale",
        "image_guidance_scale",
        "strength",
        "width",
        "height",
    ):
        value = wanted.get(field)
        settled[field] = getattr(defaults, field) if value is None else value
    _check_limits(entry.limits, settled, refuse)
    return settled


def _check_limits(limits: Limits, settled: Mapping[str, Any], refuse: Refuse) -> None:
    longest = limits.max_prompt_characters
    for field in ("prompt", "negative_prompt"):
        if len(settled[field]) > longest:
            raise refuse(field, f"at most {longest} characters for this model")
    for field, maximum in (("num_outputs", limits.max_outputs), ("steps", limits.max_steps)):
        if settled[field] > maximum:
            raise refuse(field, f"at most {maximum} for this model")
    for field, maximum in (("width", limits.max_width), ("height", limits.max_height)):
        side = settled[field]
        if not limits.min_side <= side <= maximum or side % limits.multiple_of:
            raise refuse(
                field,
                f"must be a multiple of {limits.multiple_of} from {limits.min_side} "
                f"to {maximum} for this model",
            )
    if len(settled["loras"]) > limits.max_loras:
        raise refuse("loras", f"at most {limits.max_loras} for this model")


def check_mode(entry: ModelEntry, refuse: Refuse, *, has_image: bool) -> None:
    """Raise if the model does not make pictures this way.

    Raises:
        UnprocessableField: as it says.
    """
    wanted = {"image-to-image", "instruction"} if has_image else {"text-to-image"}
    if wanted.isdisjoint(entry.modes):
        what = "takes no picture" if has_image else "needs a picture"
        raise refuse("input_image_url", f"the model {entry.name} {what}")


def check_references(entry: ModelEntry, count: int, refuse: Refuse) -> None:
    """Raise if the model does not take so many pictures at once.

    Raises:
        UnprocessableField: as it says.
    """
    hosting = entry.hosting
    most = hosting.max_references if hosting and "references" in hosting.endpoints else 0
    if count > most:
        what = f"takes at most {most} references" if most else "takes no references"
        raise refuse("reference_image_urls", f"the model {entry.name} {what}")


def generation(
    config: Mapping[str, Any],
    image: ImageReference | None = None,
    *,
    references: Sequence[ImageReference] = (),
    priority: int = 0,
) -> NewTask:
    """The task of a config that is settled, with the product picture if there is one, and further
    references of a hosted model."""
    picture: dict[str, Any] = {} if image is None else {"input_image": image.as_dict()}
    if references:
        picture["references"] = [reference.as_dict() for reference in references]
    return NewTask(
        type="generation",
        queue=config.get("provider", "generation"),
        config={**config, **picture},
        priority=priority,
        max_attempts=MAX_ATTEMPTS,
        cost=float(config["num_outputs"]),
    )


def processing(config: Mapping[str, Any], *, priority: int = 0) -> NewTask:
    """The task of an operation on pictures; ``config["operation"]`` names it, ``provider`` who does
    it if not we ourselves."""
    return NewTask(
        type="processing",
        queue=config.get("provider") or _QUEUES[config["operation"]],
        config=config,
        priority=priority,
        max_attempts=MAX_ATTEMPTS,
    )


def upscale(
    image: ImageReference, *, width: int, height: int, source: tuple[int, int], output_format: str
) -> NewTask:
    """Enlarge a picture of ``source`` (width, height) by the least scale that covers ``width`` x
    ``height``, and crop it to exactly that."""
    needed = max(width / source[0], height / source[1])
    scale = next((scale for scale in (2, 3, 4) if scale >= needed), 4)
    return processing(
        {
            "operation": "upscale",
            "image": image.as_dict(),
            "scale": scale,
            "fit": {"width": width, "height": height},
            "output_format": output_format,
        }
    )


def replace_background(
    image: ImageReference, background: Mapping[str, Any], *, output_format: str
) -> NewTask:
    """Put a colour or a picture behind the person: ``{"color": "#rrggbb"}`` or ``{"image": …}``."""
    return processing(
        {
            "operation": "replace-background",
            "image": image.as_dict(),
            "background": dict(background),
            "output_format": output_format,
        }
    )


def evaluate(images: Sequence[ImageReference], product: ImageReference | None) -> NewTask:
    """Judge pictures of a product; see :mod:`serve_app.core.evaluation`."""
    return processing(
        {
            "operation": "evaluate",
            "images": [image.as_dict() for image in images],
            "product": None if product is None else product.as_dict(),
        }
    )


def judge(
    settled: Mapping[str, Any],
    images: Sequence[ImageReference],
    product: ImageReference | None,
    prompt: str,
) -> NewTask:
    """As :func:`evaluate`, by the language model of a question that is settled."""
    asked = {
        **settled,
        "operation": "evaluate",
        "product": None if product is None else product.as_dict(),
        "data": {"prompt": prompt},
    }
    return question(asked, images)


def settle_question(
    resources: Resources, config: Mapping[str, Any], refuse: Refuse
) -> dict[str, Any]:
    """The config of a question to a language model; see :mod:`serve_app.core.llm.questions`.

    Its ``model`` is a name of ``configs/hosted.yaml``, or absent for the preferred one.

    Raises:
        UnprocessableField: there is no such model, or no key for any.
    """
    known = load_hosted().available_texts(resources.providers.names)
    name = config.get("model") or next(iter(known), None)
    if name is None:
        raise refuse("model", "this installation has no key of a provider of language models")
    if name not in known:
        raise refuse("model", f"unknown model; known are {sorted(known)}")
    return {**config, "model": name, "provider": known[name].provider}


def question(
    settled: Mapping[str, Any], images: Sequence[ImageReference] = (), *, priority: int = 0
) -> NewTask:
    """The task of a question that is settled, about these pictures."""
    shown = {"images": [image.as_dict() for image in images]} if images else {}
    return NewTask(
        type="llm",
        queue=settled["provider"],
        config={**settled, **shown},
        priority=priority,
        max_attempts=MAX_ATTEMPTS,
    )
