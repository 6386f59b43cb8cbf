"""Tasks of type ``generation``."""

from __future__ import annotations

import asyncio
from typing import Any

from deployments.contracts import GenerationRequest
from serve_app.compute.runner.adapters import AdapterFiles
from serve_app.compute.runner.handlers.base import Work
from serve_app.core.orders import MAX_SEED

_RECIPE_FIELDS = (
    "model",
    "prompt",
    "negative_prompt",
    "width",
    "height",
    "steps",
    "guidance_scale",
    "image_guidance_scale",
    "strength",
    "loras",
)


class GenerationHandler:
    """Asks the Generation deployment for all images of a task at once."""

    def __init__(self) -> None:
        self._adapters = AdapterFiles()

    async def run(self, work: Work) -> dict[str, Any]:
        """Generate, embed the recipe, store; see `Handler.run`."""
        config = work.task.config
        reference = config.get("input_image")
        request = GenerationRequest(
            request_id=work.task.id,
            model=config["model"],
            prompt=config["prompt"],
            negative_prompt=config["negative_prompt"],
            seeds=_seeds(config["seed"], config["num_outputs"]),
            width=config["width"],
            height=config["height"],
            steps=config["steps"],
            guidance_scale=config["guidance_scale"],
            image_guidance_scale=config["image_guidance_scale"],
            strength=config["strength"],
            image=await work.load(reference) if reference else None,
            preview_every=_preview_every(config["steps"], work.resources.settings.queue.previews),
            loras=await self._adapters.references(
                work.resources, work.task.organization_id, config["loras"]
            ),
        )
        result = await work.infer(request, adapters=request.adapters)
        recipe = {field: config[field] for field in _RECIPE_FIELDS} | {
            "task_id": work.task.id,
            "input_image_sha256": reference["sha256"] if reference else None,
            "made_with": result.info,
        }
        images = await asyncio.gather(
            *(
                work.store(index, pixels, config["output_format"], recipe | {"seed": seed})
                for index, (pixels, seed) in enumerate(
                    zip(result.images, request.seeds, strict=True)
                )
            )
        )
        return {"images": list(images)}


def _preview_every(steps: int, previews: int) -> int:
    """Steps between previews, so that there are at most so many."""
    return 0 if previews == 0 else -(-steps // (previews + 1))


def _seeds(first: int, count: int) -> tuple[int, ...]:
    """Consecutive seeds, around the end of their range if need be."""
    return tuple((first + index) % (MAX_SEED + 1) for index in range(count))
