"""Whether a request fits its model, before anything is computed. Free of torch."""

from __future__ import annotations

import numpy as np

from configs.catalog import ModelEntry
from deployments.contracts import GenerationRequest
from deployments.errors import InvalidInput


def check(request: GenerationRequest, entry: ModelEntry) -> None:
    """Refuse what the entry's limits do not allow.

    Raises:
        InvalidInput: the text names the value and the limit.
    """
    limits = entry.limits
    for name, value, largest in (
        ("width", request.width, limits.max_width),
        ("height", request.height, limits.max_height),
    ):
        if not limits.min_side <= value <= largest:
            raise InvalidInput(f"{name} {value} is not within {limits.min_side}..{largest}")
        if value % limits.multiple_of:
            raise InvalidInput(f"{name} {value} is not a multiple of {limits.multiple_of}")
    if not 1 <= request.steps <= limits.max_steps:
        raise InvalidInput(f"steps {request.steps} is not within 1..{limits.max_steps}")
    if not request.seeds:
        raise InvalidInput("a request needs at least one seed")
    if len(request.loras) > limits.max_loras:
        raise InvalidInput(f"{len(request.loras)} LoRAs; at most {limits.max_loras} at once")
    if len({lora.digest for lora in request.loras}) < len(request.loras):
        raise InvalidInput("a LoRA is named twice")
    scales = (request.guidance_scale, request.image_guidance_scale)
    if not all(np.isfinite([*scales, *(lora.weight for lora in request.loras)])):
        raise InvalidInput("guidance scales and weights of LoRAs are finite numbers")
    _check_mode(request, entry)


def _check_mode(request: GenerationRequest, entry: ModelEntry) -> None:
    if request.image is None:
        if "text-to-image" not in entry.modes:
            raise InvalidInput(f"model {entry.name!r} needs a picture")
        return
    shape, dtype = request.image.shape, request.image.dtype
    if dtype != np.uint8 or len(shape) != 3 or shape[2] not in {3, 4} or 0 in shape:
        raise InvalidInput(f"a picture is (H, W, 3) or (H, W, 4) bytes, not {shape} of {dtype}")
    if "instruction" in entry.modes:
        return
    if "image-to-image" not in entry.modes:
        raise InvalidInput(f"model {entry.name!r} takes no picture")
    if not 0 < request.strength <= 1:
        raise InvalidInput(f"strength {request.strength} is not within (0, 1]")
    if int(request.steps * request.strength) < 1:
        raise InvalidInput(
            f"{request.steps} steps at strength {request.strength} leave no step to do"
        )
