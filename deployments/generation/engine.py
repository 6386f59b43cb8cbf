"""The generation engine: requests into one pipeline call, events out of it. Knows no Serve."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any, TypeAlias

import torch

from configs.catalog import ModelEntry
from configs.settings import AttentionBackend
from deployments.contracts import GenerationRequest, Pixels, Preview, Progress, Result
from deployments.errors import (
    DeploymentError,
    InferenceFailed,
    ModelUnavailable,
    OutOfMemory,
)
from deployments.families.base import Family, PromptEmbeds
from deployments.generation.admission import check
from deployments.generation.batching import adapters_key, compatibility
from deployments.generation.clean import predicted
from deployments.generation.contracts import NO_PAUSE, Emit, Pause, ShouldStop
from deployments.generation.invariance import CachedEncoder, make_rows_independent
from deployments.generation.lanes import Lanes, Meeting
from deployments.generation.loras import LoraAdapters
from deployments.generation.pictures import as_condition, as_pixels
from deployments.generation.previews import LatentProjection
from deployments.generation.rows import DenoiserRows
from deployments.registry import FAMILIES

# What `predicted` takes.
_Aim: TypeAlias = tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor]


class _Stopped(Exception):
    """Nobody wants the pictures of this call any more."""


@dataclass
class _Call:
    """One pipeline call: who gets which of its images, and how far it is."""

    requests: Sequence[GenerationRequest]
    emit: Emit
    should_stop: ShouldStop
    pause: Pause
    # Request of each image of the call.
    owners: list[int] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    paused: float = 0.0

    def __post_init__(self) -> None:
        self.owners = [i for i, r in enumerate(self.requests) for _ in r.seeds]

    def live(self) -> list[int]:
        """Requests that still want events.

        Raises:
            _Stopped: none does.
        """
        live = [i for i in range(len(self.requests)) if not self.should_stop(i)]
        if not live:
            raise _Stopped
        return live

    def images_of(self, index: int) -> list[int]:
        return [image for image, owner in enumerate(self.owners) if owner == index]


class GenerationEngine:
    """One loaded model.

    Args:
        entry: what to load.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for the GPU if there is one.
        attention: kernels on CUDA; a CPU always uses SDPA.
        prompt_cache: encoded prompts to remember.

    Raises:
        ModelUnavailable: the weights are missing, or this machine cannot run them.
    """

    def __init__(
        self,
        entry: ModelEntry,
        *,
        device: str = "auto",
        attention: AttentionBackend = "sdpa",
        prompt_cache: int = 256,
    ) -> None:
        self.entry = entry
        self.device = choose_device(entry, device)
        self.family: Family = FAMILIES.resolve(entry.family).load(
            entry, device=self.device, attention=attention
        )
        on_cpu = self.device.type == "cpu"
        denoiser, vae = self.family.denoiser, self.family.vae
        denoiser.to(memory_format=torch.channels_last)
        vae.to(memory_format=torch.channels_last)
        self._projection = LatentProjection.fit(vae)
        self._lanes = Lanes(enabled=on_cpu)
        CachedEncoder(vae)
        self._rows = DenoiserRows(denoiser, minimum=2 if on_cpu else 1)
        if on_cpu:
            make_rows_independent(denoiser)
        self._adapters = LoraAdapters(self.family.text_pipeline)
        self._prompts: OrderedDict[object, PromptEmbeds] = OrderedDict()
        self._prompt_cache = prompt_cache

    def run(
        self,
        requests: Sequence[GenerationRequest],
        emit: Emit,
        should_stop: ShouldStop,
        pause: Pause = NO_PAUSE,
    ) -> None:
        """Make the pictures of compatible requests in one pipeline call.

        ``emit(i, event)`` gets request i's ``Progress`` after every denoising step, its ``Preview``
        pictures, and last its ``Result``. After ``should_stop(i)`` it gets nothing more; once that
        holds for all, the call ends within one denoising step. What ``pause`` has to do is done
        between two steps, another call of this engine included.

        Raises:
            InvalidInput: a value, a picture or a LoRA does not fit the model.
            OutOfMemory: of the device.
            InferenceFailed: the model raised; the text is its own.
        """
        call = _Call(requests, emit, should_stop, pause)
        try:
            self._run(call)
        except _Stopped:
            return
        except DeploymentError:
            raise
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemory(str(error)) from error
        except MemoryError as error:
            raise OutOfMemory(str(error)) from error
        except Exception as error:  # a pipeline may raise anything; it crosses as data
            raise _as_deployment_error(error) from error

    def _run(self, call: _Call) -> None:
        head = call.requests[0]
        for request in call.requests:
            check(request, self.entry)
            assert compatibility(request) == compatibility(head), "requests of one batch differ"
        call.live()
        started = time.perf_counter()
        self._adapters.apply(head.loras)
        call.seconds["adapters"] = time.perf_counter() - started
        with torch.inference_mode():
            started = time.perf_counter()
            arguments = self._arguments(call)
            call.seconds["encode"] = time.perf_counter() - started
            started = time.perf_counter()
            latents = self._denoise(call, arguments)
            call.seconds["denoise"] = time.perf_counter() - started - call.paused
            self._finish(call, latents)

    def _arguments(self, call: _Call) -> dict[str, Any]:
        """Everything of the pipeline call but its callback."""
        head = call.requests[0]
        prompts = [self._embeds(request, negative=False) for request in call.requests]
        if self.family.is_guided(head):
            negative = [self._embeds(request, negative=True) for request in call.requests]
            prompts = [p | n for p, n in zip(prompts, negative, strict=True)]
        arguments: dict[str, Any] = {
            key: torch.cat([prompts[owner][key] for owner in call.owners]) for key in prompts[0]
        }
        seeds = [seed for request in call.requests for seed in request.seeds]
        arguments["generator"] = [
            torch.Generator(self.device).manual_seed(seed % 2**63) for seed in seeds
        ]
        if self.family.needs_picture(head):
            size = (head.width, head.height)
            pictures = [as_condition(r.image, *size, self.family.fit) for r in call.requests]
            arguments["image"] = torch.cat([pictures[owner] for owner in call.owners])
            self._encode_ahead(head, pictures)
        return arguments | self.family.arguments(head)

    def _encode_ahead(self, head: GenerationRequest, pictures: list[torch.Tensor]) -> None:
        """Encode with all threads, as for a lone picture; the lanes find the result remembered."""
        vae = self.family.vae
        for picture in pictures:
            scaled = self.family.pipeline_for(head).image_processor.preprocess(picture)
            vae.encode(scaled.to(vae.device, vae.dtype))

    def _embeds(self, request: GenerationRequest, *, negative: bool) -> PromptEmbeds:
        text = request.negative_prompt if negative else request.prompt
        key = (text, negative, adapters_key(request.loras))
        if key not in self._prompts:
            self._prompts[key] = self.family.encode_prompt(text, negative=negative)
            if len(self._prompts) > self._prompt_cache:
                self._prompts.popitem(last=False)
        self._prompts.move_to_end(key)
        return self._prompts[key]

    def _denoise(self, call: _Call, arguments: dict[str, Any]) -> torch.Tensor:
        head = call.requests[0]
        self._choose_rows(head)

        def part(images: range, meeting: Meeting) -> dict[str, Any]:
            own = {
                key: _rows_of(value, images, len(call.owners)) for key, value in arguments.items()
            }
            return own | self._watched(call, images, meeting)

        def pause() -> None:
            started = time.perf_counter()
            call.pause.work()
            # Another call may have left the model as it needed it.
            self._adapters.apply(head.loras)
            self._choose_rows(head)
            call.paused += time.perf_counter() - started

        images = self._lanes.divide(len(call.owners), self._rows.needed)
        parts = [partial(part, each) for each in images]
        pipeline = self.family.pipeline_for(head)
        return self._lanes.run(pipeline, parts, Pause(call.pause.is_wanted, pause))

    def _choose_rows(self, request: GenerationRequest) -> None:
        self._rows.groups = self.family.pipeline_rows_per_image(request)
        self._rows.needed = self.family.rows_per_image(request)

    def _watched(self, call: _Call, images: range, meeting: Meeting) -> dict[str, Any]:
        """Arguments that have a pipeline call report on its images after every step, and stand
        still for what comes between."""
        before: torch.Tensor | None = None

        def after_step(
            pipeline: Any, step: int, timestep: torch.Tensor, tensors: dict[str, Any]
        ) -> dict[str, Any]:
            nonlocal before
            call.steps = int(pipeline.num_timesteps)
            after: torch.Tensor = tensors["latents"]
            aim = None if before is None else (pipeline.scheduler, timestep, before, after)
            self._report(call, images, step + 1, aim)
            before = after
            if step + 1 < call.steps:
                meeting.come()
            return {}

        return {
            "callback_on_step_end": after_step,
            "callback_on_step_end_tensor_inputs": ["latents"],
        }

    def _report(self, call: _Call, images: range, step: int, aim: _Aim | None) -> None:
        """Progress, and previews if the ``aim`` of the step is known: not that of the first."""
        unpacked: torch.Tensor | None = None
        for index in call.live():
            own = call.images_of(index)
            # A request whose images are in two lanes hears of its first one's steps.
            if own[0] in images:
                call.emit(index, Progress(step / call.steps, step, call.steps))
            every = call.requests[index].preview_every
            if not every or step % every or step == call.steps or aim is None:
                continue
            if unpacked is None:
                unpacked = self.family.unpack_latents(predicted(*aim), call.requests[0])
            for position, image in enumerate(own):
                if image in images:
                    latent = unpacked[images.index(image)]
                    call.emit(index, Preview(position, self._projection(latent)))

    def _finish(self, call: _Call, latents: torch.Tensor) -> None:
        started = time.perf_counter()
        wanted = {image for index in call.live() for image in call.images_of(index)}
        latents = self.family.unpack_latents(latents, call.requests[0])
        pictures = {image: self._decode(latents[image : image + 1]) for image in sorted(wanted)}
        call.seconds["decode"] = time.perf_counter() - started
        for index in call.live():
            images = tuple(pictures[image] for image in call.images_of(index))
            call.emit(index, Result(images, self._info(call)))

    def _decode(self, latent: torch.Tensor) -> Pixels:
        """One picture at a time: the same bits in any batch, and a bounded peak of memory."""
        vae = self.family.vae
        if vae.config.force_upcast and vae.dtype == torch.float16:
            vae.to(torch.float32)
        decoded: torch.Tensor = vae.decode(latent.to(vae.dtype), return_dict=False)[0]
        return as_pixels(decoded)[0]

    def _info(self, call: _Call) -> dict[str, object]:
        return {
            "model": self.entry.name,
            "revision": self.entry.weights.revision,
            "family": self.entry.family,
            "scheduler": type(self.family.text_pipeline.scheduler).__name__,
            "dtype": self.entry.dtype,
            "device": self.device.type,
            "diffusers": version("diffusers"),
            "torch": torch.__version__,
            "steps": call.steps,
            "batch_sizes": [len(call.owners)],
            "seconds": {phase: round(spent, 4) for phase, spent in call.seconds.items()},
        }


def choose_device(entry: ModelEntry, device: str) -> torch.device:
    """The device that runs ``entry``.

    Raises:
        ModelUnavailable: the entry, or ``device``, asks for a GPU that is not there.
    """
    has_gpu = torch.cuda.is_available()
    chosen = ("cuda" if has_gpu else "cpu") if device == "auto" else device
    if chosen == "cuda" and not has_gpu:
        raise ModelUnavailable("device 'cuda' is set, but torch sees no GPU")
    if entry.requires_gpu and chosen == "cpu":
        raise ModelUnavailable(f"model {entry.name!r} needs a GPU")
    return torch.device(chosen)


def _rows_of(value: Any, images: range, count: int) -> Any:
    """Some images' part of an argument that has one row, or item, for each of ``count``."""
    if isinstance(value, torch.Tensor | list) and len(value) == count:
        return value[images.start : images.stop]
    return value


def _as_deployment_error(error: Exception) -> DeploymentError:
    # The CPU allocator has no exception class of its own.
    if isinstance(error, RuntimeError) and "can't allocate memory" in str(error):
        return OutOfMemory(str(error))
    return InferenceFailed(f"{type(error).__name__}: {error}")
