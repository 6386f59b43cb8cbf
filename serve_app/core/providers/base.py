"""What a provider is asked for, what it answers, and the interface in between.

A provider knows no task, no queue and no database. It gets an order whose pictures are bytes and
whose large files are URLs, and gives files or text back. How its SDK fails is translated here into
the errors of :mod:`.errors`, so nobody else imports the SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

Capability = Literal[
    "text-to-image",
    "image-to-image",
    "references",
    "loras",
    "upscale",
    "remove-background",
    "training",
    "text",
]


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture that the provider may see."""

    data: bytes = field(repr=False)
    content_type: str


@dataclass(frozen=True, slots=True)
class HostedLora:
    """An adapter: where the provider fetches its safetensors file, and how strongly it counts.
    The URL is signed, so it is a secret."""

    path: str = field(repr=False)
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOrder:
    """Images of one prompt. ``images`` are the picture to start from, or several references."""

    endpoint: str
    prompt: str
    negative_prompt: str = ""
    width: int
    height: int
    num_images: int
    seed: int | None
    steps: int
    guidance_scale: float
    strength: float
    images: tuple[Picture, ...] = ()
    loras: tuple[HostedLora, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOrder:
    """An operation on one picture; ``scale`` is that of an upscaling."""

    endpoint: str
    image: Picture
    scale: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """A LoRA from a ZIP of pictures at a URL, with their captions beside them."""

    endpoint: str
    dataset_url: str = field(repr=False)
    trigger_word: str | None
    steps: int
    is_style: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOrder:
    """Text about text and pictures.

    ``instructions`` are ours and stand where only the operator speaks; ``parts`` are data. With a
    ``schema`` (JSON Schema) the answer is one JSON object of it.
    """

    endpoint: str
    instructions: str
    parts: tuple[str | Picture, ...]
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 2048


Order: TypeAlias = ImageOrder | PictureOrder | TrainingOrder | TextOrder


@dataclass(frozen=True, slots=True)
class Job:
    """Work that the provider has taken on, by its own id; it can be asked for by anyone later."""

    endpoint: str
    id: str


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the result: its bytes, or where they are for a while."""

    url: str | None = field(default=None, repr=False)
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave: files, or text.

    Attributes:
        usage: what the provider counted, such as tokens.
        cost_usd: of the call in US dollars, where the provider's counts tell it; else None.
        info: facts for the recipe of what was made.
    """

    files: tuple[RemoteFile, ...] = ()
    text: str | None = None
    seed: int | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    cost_usd: Decimal | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Running:
    """The provider is at it; ``fraction`` of the work is done where it tells, in [0, 1]."""

    fraction: float | None = None


class Provider(Protocol):
    """A hosted service. Its calls wait without a thread, and raise :class:`.errors.HostedError`.

    Attributes:
        name: also that of its queue and its settings.
        capabilities: what it can be asked for.
        images_per_call: that one order may ask for.
        has_jobs: `submit` answers a `Job`. If not, the connection is the job: it ends with it.
    """

    name: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]]
    has_jobs: ClassVar[bool]
    images_per_call: ClassVar[int]

    async def submit(self, order: Order) -> Job | Outcome:
        """Hand an order in, exactly once: what may have arrived is not sent again."""

    async def poll(self, job: Job) -> Running | Outcome:
        """How a job does; its outcome once it is done."""

    async def cancel(self, job: Job) -> None:
        """End a job. One that has ended already is none to worry about."""

    async def aclose(self) -> None:
        """Close connections."""
