"""What goes into a model deployment and what comes out: typed requests, streams of typed events.

Free of torch, so that the task runner can import it. Pictures cross as ``uint8`` arrays, which Ray
moves through shared memory without a copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ray import ObjectRef

# (height, width, 3) RGB or (height, width, 4) RGBA, straight alpha, sRGB.
Pixels: TypeAlias = npt.NDArray[np.uint8]


# A safetensors file: its bytes, where it lies on this node, or its bytes in Ray's object store.
LoraData: TypeAlias = "bytes | Path | ObjectRef[bytes]"


# What a request follows from, for logs and traces: ``request_id`` of HTTP, ``organization``,
# ``traceparent`` (W3C), as far as they are known.
Origin: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LoraRef:
    """An adapter to apply, and how strongly.

    Attributes:
        name: for errors.
        digest: SHA-256 of the file, hexadecimal; two with one digest are one adapter.
        weight: that its update is multiplied with.
        data: the file; a replica looks at it only if it does not have the adapter.
    """

    name: str
    digest: str
    weight: float = 0.8
    data: LoraData = field(default=b"", repr=False, compare=False)

    @classmethod
    def from_file(cls, path: Path, weight: float = 0.8) -> Self:
        """The adapter of a safetensors file on this node, named after it."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path.stem, digest, weight, path)


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One task's images: ``len(seeds)`` pictures of one prompt.

    Attributes:
        request_id: names the request in logs and in errors; the task id in the platform.
        model: name of a catalog entry.
        prompt: what to show.
        negative_prompt: what to avoid; empty for nothing.
        width, height: of the result, in pixels; multiples of the model's ``multiple_of``.
        steps: denoising steps.
        guidance_scale: of classifier-free guidance on the text.
        image_guidance_scale: of guidance on the product picture (instruction models).
        strength: how far image-to-image departs from the picture, in (0, 1].
        seeds: one per image; equal seeds give equal pixels, whatever else runs beside them.
        image: the product or reference picture, (H, W, 3) of any size, or None.
        loras: adapters, applied together.
        preview_every: denoising steps between previews; 0 for none.
        origin: what it follows from.
    """

    request_id: str
    model: str
    prompt: str
    seeds: tuple[int, ...]
    width: int
    height: int
    steps: int
    guidance_scale: float
    image_guidance_scale: float = 1.5
    strength: float = 0.8
    negative_prompt: str = ""
    image: Pixels | None = None
    loras: tuple[LoraRef, ...] = ()
    preview_every: int = 0
    origin: Origin = field(default_factory=dict, repr=False, compare=False)

    @property
    def adapters(self) -> str:
        """Names the set of its adapters, in whatever order and strength; empty without any."""
        return "+".join(sorted(lora.digest for lora in self.loras))


@dataclass(frozen=True, slots=True)
class UpscaleRequest:
    """Enlarge one picture. ``scale`` is 2, 3 or 4; an alpha channel is enlarged as well."""

    request_id: str
    image: Pixels
    scale: int
    model: str | None = None
    origin: Origin = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RemoveBackgroundRequest:
    """Cut the foreground of one picture out."""

    request_id: str
    image: Pixels
    origin: Origin = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Started:
    """The request left the queue of its replica: work on it begins now."""


@dataclass(frozen=True, slots=True)
class Progress:
    """``fraction`` of the work done, in [0, 1]; ``step`` of ``steps`` where they are counted."""

    fraction: float
    step: int | None = None
    steps: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A cheap, small look at image ``index`` while it is being denoised."""

    index: int
    image: Pixels


@dataclass(frozen=True, slots=True)
class Result:
    """The end of every stream: the pictures, and what made them (for the recipe)."""

    images: tuple[Pixels, ...]
    # Facts of the run: model, revision, scheduler, versions, batch sizes, seconds by phase.
    info: dict[str, object] = field(default_factory=dict)


Event: TypeAlias = Started | Progress | Preview | Result
