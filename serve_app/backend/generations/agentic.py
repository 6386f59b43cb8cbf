"""Agentic generation: judge what came out, adjust, try again, and keep the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serve_app.core.orders import MAX_SEED

# A mean score under this is worth an adjustment.
_LOW = 0.7
# What speaks of the product, and of the picture otherwise; each evaluator knows some of them.
_PRODUCT = ("garment_color", "product_match")
_PICTURE = ("subject_in_frame", "sharpness", "realism", "composition")
_MOST_GUIDANCE, _MOST_IMAGE_GUIDANCE = 12.0, 3.0


def adjusted(config: Mapping[str, Any], scores: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """The config of the next attempt: seeds that were not used yet, and more guidance.

    Args:
        config: of the last attempt.
        scores: of its images.

    Returns:
        More guidance by the product picture where the product was missed; more by the prompt where
        there was no proper person in the frame.
    """
    seed = (config["seed"] + config["num_outputs"]) % (MAX_SEED + 1)
    changed = {**config, "seed": seed}
    if _worst(scores, _PRODUCT) < _LOW:
        more = config["image_guidance_scale"] + 0.5
        changed["image_guidance_scale"] = min(more, _MOST_IMAGE_GUIDANCE)
    if _worst(scores, _PICTURE) < _LOW:
        changed["guidance_scale"] = min(config["guidance_scale"] + 1.0, _MOST_GUIDANCE)
    return changed


def best(candidates: Sequence[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
    """The ``count`` images with the highest confidence, the best first; of equals the earlier."""
    ranked = sorted(candidates, key=lambda image: -image["scores"]["confidence"])
    return [dict(image) for image in ranked[:count]]


def _worst(scores: Sequence[Mapping[str, float]], names: Sequence[str]) -> float:
    """The lowest of the means of those scores that there are; 1 if there are none."""
    known = [name for name in names if all(name in one for one in scores)]
    return min((sum(one[name] for one in scores) / len(scores) for name in known), default=1.0)
