"""What all trainings share: the optimizer, its schedule, and the average of the weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.pretraining.config import OptimizerConfig
from training.pretraining.muon import Muon
from training.pretraining.parallel import average_gradients, owners, rank, share
from training.pretraining.workspace import load_state, save_state

#: Layers where pixels, latents or tokens come in or go out are no matrices to Muon.
_OUTER = frozenset({"conv_in", "conv_out", "embeddings"})


def schedule(config: OptimizerConfig, step: int, steps: int, first_step: int = 0) -> float:
    """The share of its rate at a step: linear warm-up, constant, linear decay to zero."""
    decay_steps = max(1.0, config.decay * steps)
    warm = (step - first_step + 1) / config.warmup
    return min(1.0, warm, (steps - step) / decay_steps)


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
    """Muon and AdamW over some modules, following a config; its whole state can be saved.

    Muon (Jordan et al. 2024) orthogonalizes the momentum of every inner matrix, a convolution's
    kernels being one of shape (out, in x height x width). With equal time the autoencoder is
    6 dB ahead of AdamW after two minutes. Each process does that for its share of the matrices.

    Args:
        modules: whose parameters are trained.
        config: rates, decay, clipping, average.
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
        named = [pair for module in modules for pair in module.named_parameters()]
        self._parameters = [parameter for _, parameter in named]
        by_muon = named if config.matrix_rate else []
        self._matrices = [parameter for name, parameter in by_muon if _is_inner(name, parameter)]
        # Muon takes matrices only; these share their memory with the parameters.
        self._flat = [nn.Parameter(one.data.view(len(one), -1)) for one in self._matrices]
        self._owners = owners([one.numel() * min(one.shape) for one in self._flat])
        mine = [one for one, owner in zip(self._flat, self._owners, strict=True) if owner == rank()]
        inner = {id(one) for one in self._matrices}
        others = [parameter for parameter in self._parameters if id(parameter) not in inner]
        self._muon = Muon(mine, lr=config.matrix_rate, weight_decay=config.weight_decay)
        self._adam = torch.optim.AdamW(
            others, lr=config.learning_rate, betas=config.betas, weight_decay=0.0
        )
        self.average = Average(modules, config.ema)

    def step(self, loss: torch.Tensor, step: int) -> float:
        """Follow the gradient of `loss`; returns the gradient's norm before clipping."""
        self._adam.zero_grad(set_to_none=True)
        for matrix in self._matrices:
            matrix.grad = None
        loss.backward()
        average_gradients(self._parameters)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._config.clip)
        for flat, matrix in zip(self._flat, self._matrices, strict=True):
            flat.grad = None if matrix.grad is None else matrix.grad.reshape(flat.shape)
        part = schedule(self._config, step, self._steps, self._first_step)
        optimizers: tuple[tuple[Any, float], ...] = (
            (self._muon, self._config.matrix_rate),
            (self._adam, self._config.learning_rate),
        )
        for optimizer, rate in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * part
            optimizer.step()
        share([one.data for one in self._flat], self._owners)
        self.average.update(step)
        return float(norm)

    def save(self, path: Path, step: int, **beside: Optimization) -> None:
        """Write the whole state, of which `step` is the next; to be called in every process.

        What is trained `beside` goes into the same file, so that both are of the same step.
        """
        state = {"step": step, **self.state_dict()}
        state |= {name: other.state_dict() for name, other in beside.items()}
        if rank() == 0:
            save_state(path, state)

    def resume(self, path: Path, **beside: Optimization) -> int:
        """Go on where `path` was saved, or begin where there is none; returns the next step.

        Also those that were saved `beside`.

        Raises:
            ValueError: what was saved is the state of another recipe.
        """
        state = load_state(path)
        if state is None:
            return 0
        try:
            self.load_state_dict(state)
            for name, other in beside.items():
                other.load_state_dict(state[name])
        except (KeyError, ValueError, RuntimeError) as error:
            raise ValueError(f"{path} is the state of another recipe: {error}") from error
        return int(state["step"])

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on; to be called in every process."""
        states = [self._muon.state.get(one, {}) for one in self._flat]
        momenta = [
            state["momentum_buffer"] if state else torch.zeros_like(one)
            for one, state in zip(self._flat, states, strict=True)
        ]
        share(momenta, self._owners)
        return {
            "first_step": self._first_step,
            "modules": [module.state_dict() for module in self._modules],
            "momenta": momenta,
            "adam": self._adam.state_dict(),
            "average": self.average.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        for module, values in zip(self._modules, state["modules"], strict=True):
            module.load_state_dict(values)
        self._first_step = int(state["first_step"])
        for flat, owner, momentum in zip(self._flat, self._owners, state["momenta"], strict=True):
            if owner == rank():
                self._muon.state[flat]["momentum_buffer"] = momentum.clone()
        self._adam.load_state_dict(state["adam"])
        self.average.load_state_dict(state["average"])


def _is_inner(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim > 1 and _OUTER.isdisjoint(name.split("."))
