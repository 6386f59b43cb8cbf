"""The optimizer of one run: AdamW, a rate for every step, clipping, loss scaling."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from training import team
from training.contracts import TrainingConfig

_CLIP = 1.0
_FINAL_SHARE = 0.1


def learning_rate(config: TrainingConfig, step: int) -> float:
    """The rate of a step, from 0: linear warm-up, then a cosine down to a tenth."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    span = max(1, config.steps - config.warmup_steps)
    cosine = (1 + math.cos(math.pi * (step - config.warmup_steps) / span)) / 2
    return config.learning_rate * (_FINAL_SHARE + (1 - _FINAL_SHARE) * cosine)


class Optimizer:
    """Follows the gradients that micro-batches and workers have added up.

    Args:
        parameters: by name; all of one device.
        config: of the run.
        scaled: multiply losses so that gradients of half precision do not vanish.
    """

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], config: TrainingConfig, *, scaled: bool
    ) -> None:
        self._config = config
        self._named = dict(parameters)
        self._parameters = list(parameters.values())
        self._adam = torch.optim.AdamW(
            self._parameters,
            lr=config.learning_rate,
            betas=(0.9, 0.999),
            weight_decay=1e-2,
            fused=True,
        )
        self._scaler = torch.amp.GradScaler(enabled=scaled)

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradient of a micro-batch's loss."""
        self._scaler.scale(loss).backward()

    def step(self, step: int, losses: Iterable[torch.Tensor]) -> float:
        """Move the parameters of the whole team alike; the rate of the step.

        ``losses`` are figures that are added up over the team in the same message.
        """
        for parameter in self._parameters:
            # A worker without a row of its own in a small batch has no gradient.
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        team.add_up([*gradients, *losses])
        self._scaler.unscale_(self._adam)
        torch.nn.utils.clip_grad_norm_(self._parameters, _CLIP)
        rate = learning_rate(self._config, step)
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._scaler.step(self._adam)
        self._scaler.update()
        self._adam.zero_grad(set_to_none=True)
        return rate

    def moments(self) -> dict[str, torch.Tensor]:
        """Adam's state of every parameter, on the CPU."""
        return {
            f"{key}.{name}": value.detach().to("cpu", copy=True)
            for name, parameter in self._named.items()
            for key, value in self._adam.state[parameter].items()
        }

    def scale(self) -> dict[str, Any]:
        """State of the loss scaling; empty without."""
        state: dict[str, Any] = self._scaler.state_dict()
        return state

    def load(self, moments: Mapping[str, torch.Tensor], scale: Mapping[str, Any]) -> None:
        """Go on where `moments` and `scale` were taken."""
        states = {
            index: {key: moments[f"{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")}
            for index, name in enumerate(self._named)
        }
        groups = self._adam.state_dict()["param_groups"]
        self._adam.load_state_dict({"state": states, "param_groups": groups})
        if scale:
            self._scaler.load_state_dict(dict(scale))
