"""Where a denoising is heading: the picture that a step expects, long before the last one."""

from __future__ import annotations

from typing import Any

import torch


def predicted(
    scheduler: Any, timestep: torch.Tensor, before: torch.Tensor, after: torch.Tensor
) -> torch.Tensor:
    """The latents of the picture that a step was aiming at.

    Latents are ``a * picture + s * noise``. A step keeps what it takes for picture and noise, and
    changes ``a`` and ``s``; so these latents on both of its sides give the picture away, whatever
    the network predicts. A solver of higher order aims at a mean of its last predictions. Where a
    step adds noise of its own, that is in the result as well.

    Args:
        scheduler: of diffusers, that has just taken the step.
        timestep: of the step.
        before, after: the latents on both sides of it; of any shape.
    """
    (a, s), (a_next, s_next) = _levels(scheduler, timestep)
    scale = s * a_next - s_next * a
    if scale <= 0:  # the first half of a step of two
        return after
    return (s * after.float() - s_next * before.float()) / scale


def _levels(scheduler: Any, timestep: torch.Tensor) -> tuple[tuple[float, float], ...]:
    """``(a, s)`` before the step and after it."""
    sigmas = getattr(scheduler, "sigmas", None)
    index = getattr(scheduler, "step_index", None)
    if sigmas is None or index is None:
        return _level_at(scheduler, int(timestep)), _level_at(scheduler, _next(scheduler, timestep))
    # It counts on at the end of a step.
    return _level_of(scheduler, sigmas[index - 1]), _level_of(scheduler, sigmas[index])


def _level_of(scheduler: Any, sigma: torch.Tensor) -> tuple[float, float]:
    if hasattr(scheduler, "_sigma_to_alpha_sigma_t"):
        a, s = scheduler._sigma_to_alpha_sigma_t(sigma)
        return float(a), float(s)
    if type(scheduler).__name__.startswith("FlowMatch"):
        return 1.0 - float(sigma), float(sigma)
    return 1.0, float(sigma)


def _level_at(scheduler: Any, timestep: int) -> tuple[float, float]:
    kept = scheduler.alphas_cumprod[timestep] if timestep >= 0 else scheduler.final_alpha_cumprod
    return float(kept) ** 0.5, (1.0 - float(kept)) ** 0.5


def _next(scheduler: Any, timestep: torch.Tensor) -> int:
    """As DDIM counts, and those that are made from it."""
    step: int = scheduler.config.num_train_timesteps // scheduler.num_inference_steps
    return int(timestep) - step
