"""What both trainings share: the optimizer, its schedule, and the average of the weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from training.pretraining.config import OptimizerConfig
from training.pretraining.parallel import average_gradients


def learning_rate(config: OptimizerConfig, step: int, steps: int, first_step: int = 0) -> float:
    """The rate of a step: linear warm-up from `first_step`, constant, linear decay to zero."""
    decay_steps = max(1.0, config.decay * steps)
    warm = (step - first_step + 1) / config.warmup
    return config.learning_rate * min(1.0, warm, (steps - step) / decay_steps)


class Average:
    """An exponential moving average of parameters, warmed up so that early steps fade."""

    def __init__(self, modules: Iterable[nn.Module], keep: float) -> None:
        self._keep = keep
        self._modules = tuple(modules)
        self.values = [p.detach().clone() for p in self._parameters()]

    def _parameters(self) -> list[nn.Parameter]:
        return [p for module in self._modules for p in module.parameters()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights after `step` into the average."""
        keep = min(self._keep, (step + 1) / (step + 10))
        torch._foreach_lerp_(self.values, [p.detach() for p in self._parameters()], 1 - keep)

    @torch.no_grad()
    def copy_to(self, modules: Iterable[nn.Module]) -> None:
        """Overwrite the parameters of modules of the same architecture with the average."""
        parameters = [p for module in modules for p in module.parameters()]
        for parameter, value in zip(parameters, self.values, strict=True):
            parameter.copy_(value)

    def state_dict(self) -> list[torch.Tensor]:
        """The averaged tensors."""
        return self.values

    def load_state_dict(self, values: list[torch.Tensor]) -> None:
        """Take over averaged tensors."""
        self.values = [value.clone() for value in values]


class Optimization:
    """AdamW over some modules, following a config; its whole state can be saved.

    Args:
        modules: whose parameters are trained.
        config: rate, decay, clipping, average.
        steps: of the whole training.
        first_step: the step before which this optimizer has seen nothing.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module],
        config: OptimizerConfig,
        steps: int,
        first_step: int = 0,
    ) -> None:
        modules = tuple(modules)
        self._first_step = first_step
        self._config, self._steps, self._modules = config, steps, modules
        self._parameters = [p for module in modules for p in module.parameters()]
        matrices = [p for p in self._parameters if p.ndim > 1]
        vectors = [p for p in self._parameters if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": config.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self._adam = torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)
        self.average = Average(modules, config.ema)

    def step(self, loss: torch.Tensor, step: int) -> float:
        """Follow the gradient of `loss`; returns the gradient's norm before clipping."""
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self._parameters)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._config.clip)
        for group in self._adam.param_groups:
            group["lr"] = learning_rate(self._config, step, self._steps, self._first_step)
        self._adam.step()
        self.average.update(step)
        return float(norm)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "first_step": self._first_step,
            "modules": [module.state_dict() for module in self._modules],
            "adam": self._adam.state_dict(),
            "average": self.average.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        for module, values in zip(self._modules, state["modules"], strict=True):
            module.load_state_dict(values)
        self._first_step = int(state["first_step"])
        self._adam.load_state_dict(state["adam"])
        self.average.load_state_dict(state["average"])
