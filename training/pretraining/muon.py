"""Muon (Jordan et al., 2024), in float32 where the CPU is no good at bfloat16.

`torch.optim.Muon` does the same in bfloat16 always; without instructions for that a step takes
longer than everything else that is done in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

import torch
from torch import nn

from training.pretraining.precision import has_bfloat16

# Coefficients and number of the iterations, and the momentum, are Jordan's.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ITERATIONS: Final = 5
_MOMENTUM: Final = 0.95
_EPSILON: Final = 1e-7


class Muon(torch.optim.Optimizer):
    """Moves every matrix along its orthogonalized Nesterov momentum.

    Args:
        matrices: parameters (rows, columns).
        lr: the length of a step; matrices with more rows than columns take longer ones.
        weight_decay: share of its own, times the rate, that a matrix loses in every step.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        # In a group, there may be none.
        super().__init__([{"params": list(matrices)}], {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients; matrices without one stay where they are."""
        assert closure is None, "a loss is never computed twice"
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._move(matrix, self.state[matrix], group["lr"], group["weight_decay"])

    @staticmethod
    def _move(matrix: nn.Parameter, state: dict[str, Any], rate: float, decay: float) -> None:
        gradient = matrix.grad
        assert gradient is not None
        if not state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        momentum = state["momentum_buffer"].lerp_(gradient, 1 - _MOMENTUM)
        direction = orthogonalized(gradient.lerp(momentum, _MOMENTUM))
        matrix.mul_(1 - rate * decay)
        longer = math.sqrt(max(1.0, matrix.shape[0] / matrix.shape[1]))
        matrix.add_(direction.to(matrix.dtype), alpha=-rate * longer)


def orthogonalized(matrix: torch.Tensor) -> torch.Tensor:
    """A matrix with the same singular vectors, and singular values of about one.

    By Newton-Schulz iterations of fifth order, which leave them between 0.5 and 1.5.
    """
    values = matrix.to(torch.bfloat16) if has_bfloat16() else matrix
    if is_tall := matrix.shape[0] > matrix.shape[1]:
        values = values.T
    values = values / values.norm().clamp(min=_EPSILON)
    for _ in range(_ITERATIONS):
        gram = values @ values.T
        values = torch.addmm(
            values, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), values, beta=_A
        )
    return values.T if is_tall else values
