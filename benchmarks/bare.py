"""The other side of the ratios: diffusers alone, one call after the other, in a process of its own.

Nothing of ours runs there but the loop around the call: no server, no queue, no batching, no cache.
The product picture is decoded and resized before the clock starts; the platform has to do both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image, ImageOps

from configs.catalog import ModelEntry, load_catalog
from configs.settings import Settings

_JPEG = {"format": "JPEG", "quality": 94, "subsampling": "4:4:4"}


class BarePipeline:
    """``StableDiffusionInstructPix2PixPipeline`` in a child process; use as a context manager.

    Args:
        entry: the model to load.
        threads: of torch; 0 lets it choose, as the platform's setting does.
    """

    def __init__(self, entry: ModelEntry, threads: int) -> None:
        if entry.family != "sd-instruct":
            raise ValueError(f"the bare side knows the family sd-instruct, not {entry.family!r}")
        self._entry = entry
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bare"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ray gives its workers one of these; the child must start as any program does.
            env={name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"},
            text=True,
        )
        self.facts: dict[str, Any] = self._ask({"model": entry.name, "threads": threads})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Closes its stdin, which ends it, and waits.
        self._child.__exit__(kind, error, traceback)

    def generate(self, product: Path, prompt: str, seed: int) -> float:
        """Make one picture with the model's defaults; the seconds it took, encoding included."""
        answer = self._ask({"product": str(product), "prompt": prompt, "seed": seed})
        return float(answer["seconds"])

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(question) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"the bare pipeline ended with status {self._child.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _serve() -> None:
    """The child: the first line of stdin names the model, every further one asks for a picture."""
    import torch  # noqa: PLC0415  the parent must stay without it

    first = json.loads(sys.stdin.readline())
    if first["threads"]:
        torch.set_num_threads(first["threads"])
    entry = load_catalog(Settings())[first["model"]]
    pipeline = _load(entry)
    _answer({"threads": torch.get_num_threads(), "pipeline": type(pipeline).__name__})
    for line in sys.stdin:
        asked = json.loads(line)
        _answer({"seconds": _generate(pipeline, entry, asked)})


def _load(entry: ModelEntry) -> Any:
    import diffusers  # noqa: PLC0415
    import torch  # noqa: PLC0415

    pipeline = diffusers.StableDiffusionInstructPix2PixPipeline.from_pretrained(
        entry.weights.location,
        dtype=getattr(torch, entry.dtype),
        safety_checker=None,
        requires_safety_checker=False,
    )
    if entry.scheduler is not None:
        scheduler = getattr(diffusers, entry.scheduler)
        pipeline.scheduler = scheduler.from_config(
            pipeline.scheduler.config, **dict(entry.scheduler_options)
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _generate(pipeline: Any, entry: ModelEntry, asked: dict[str, Any]) -> float:
    import torch  # noqa: PLC0415

    defaults = entry.defaults
    with Image.open(asked["product"]) as opened:
        size = (defaults.width, defaults.height)
        product = ImageOps.pad(opened.convert("RGB"), size, color="white")
    started = time.perf_counter()
    picture = pipeline(
        asked["prompt"],
        image=product,
        num_inference_steps=defaults.steps,
        guidance_scale=defaults.guidance_scale,
        image_guidance_scale=defaults.image_guidance_scale,
        generator=torch.Generator().manual_seed(asked["seed"]),
    ).images[0]
    picture.save(BytesIO(), **_JPEG)
    return time.perf_counter() - started


def _answer(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve()
