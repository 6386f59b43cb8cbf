"""Tasks of type ``processing``: one picture in, one picture out."""

from __future__ import annotations

from typing import Any

from deployments.contracts import RemoveBackgroundRequest, UpscaleRequest
from serve_app.compute.runner.handlers.base import Work


class ProcessingHandler:
    """Sends a picture to the deployment of its operation."""

    async def run(self, work: Work) -> dict[str, Any]:
        """Process, embed the recipe, store; see `Handler.run`."""
        config = work.task.config
        pixels = await work.load(config["image"])
        request: UpscaleRequest | RemoveBackgroundRequest
        if config["operation"] == "upscale":
            request = UpscaleRequest(work.task.id, pixels, config["scale"])
        else:
            request = RemoveBackgroundRequest(work.task.id, pixels)
        result = await work.infer(request)
        recipe = {
            "operation": config["operation"],
            "scale": config.get("scale"),
            "task_id": work.task.id,
            "input_image_sha256": config["image"]["sha256"],
            "made_with": result.info,
        }
        (image,) = result.images
        return {"images": [await work.store(0, image, config["output_format"], recipe)]}
