"""Load a catalog entry's pipeline: weights, precision, scheduler, attention backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import diffusers
import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from configs.catalog import ModelEntry
from configs.settings import AttentionBackend
from deployments.errors import ModelUnavailable


def load_pipeline(
    pipeline_class: type[Any],
    entry: ModelEntry,
    device: torch.device,
    options: Mapping[str, object],
) -> Any:
    """``pipeline_class`` with the entry's weights on ``device``, in the entry's precision.

    Raises:
        ModelUnavailable: the weights are missing, incomplete, or of another family.
    """
    _quieten()
    try:
        pipeline = pipeline_class.from_pretrained(
            entry.weights.location,
            revision=entry.weights.revision,
            variant=entry.weights.variant,
            dtype=getattr(torch, entry.dtype),
            **options,
        )
        _override_scheduler(pipeline, entry)
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ModelUnavailable(f"model {entry.name!r} cannot be loaded: {error}") from error
    pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _quieten() -> None:
    """Loading bars and per-request notices do not belong in a replica's log."""
    for logging in (diffusers_logging, transformers_logging):
        logging.disable_progress_bar()
        logging.set_verbosity_error()


def _override_scheduler(pipeline: Any, entry: ModelEntry) -> None:
    if entry.scheduler is None and not entry.scheduler_options:
        return
    scheduler = getattr(diffusers, entry.scheduler) if entry.scheduler else type(pipeline.scheduler)
    pipeline.scheduler = scheduler.from_config(
        pipeline.scheduler.config, **dict(entry.scheduler_options)
    )


def sibling(pipeline_class: type[Any], pipeline: Any, **options: object) -> Any:
    """Another pipeline over the same components, with no second copy of the weights."""
    other = pipeline_class(**pipeline.components, **options)
    other.set_progress_bar_config(disable=True)
    return other


def use_attention(denoiser: Any, backend: AttentionBackend, device: torch.device) -> None:
    """Select the attention kernels; ``xformers`` exists on CUDA only, elsewhere SDPA stays.

    Raises:
        ModelUnavailable: ``xformers`` is asked for and not installed.
    """
    if backend == "sdpa" or device.type != "cuda":
        return
    try:
        if hasattr(denoiser, "set_attn_processor") and "UNet" in type(denoiser).__name__:
            denoiser.enable_xformers_memory_efficient_attention()
        else:
            denoiser.set_attention_backend("xformers")
    except (ImportError, RuntimeError, ValueError) as error:
        raise ModelUnavailable(f"attention backend xformers: {error}") from error
