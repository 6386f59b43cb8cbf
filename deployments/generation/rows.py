"""Which rows of a denoiser call are computed."""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import nn

from deployments.generation.prefix import SharedPrefix

# Arguments of a denoiser whose first dimension is not the batch.
_NOT_BATCHED = frozenset({"txt_ids", "img_ids"})

_Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class DenoiserRows:
    """Leaves out the rows that have no effect, or that others repeat; hooks on the denoiser do it.

    Attributes:
        minimum: fewer rows than this are filled up with copies.
        groups: how many equal groups the pipeline's rows consist of (guidance), and
        needed: how many of them, from the first, have an effect; the rest repeat the last of these.
    """

    def __init__(self, denoiser: nn.Module, *, minimum: int) -> None:
        self.minimum = minimum
        self.groups = 1
        self.needed = 1
        # Rows asked for by the call that runs in this thread.
        self._calls = threading.local()
        self._prefix = SharedPrefix(denoiser, minimum=minimum)
        denoiser.register_forward_pre_hook(self._before, with_kwargs=True)
        denoiser.register_forward_hook(self._after)

    def _before(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> _Arguments:
        del module
        asked = self._calls.asked = len(_sample(args, kwargs))
        kept = asked * self.needed // self.groups
        if kept < asked or kept < self.minimum:
            index = torch.arange(max(kept, self.minimum)) % kept
            args, kwargs = _select(args, kwargs, index, asked)
        # Rows that fill up belong to no group.
        self._prefix.look(_sample(args, kwargs), kwargs, self.needed if kept >= self.minimum else 1)
        return args, kwargs

    def _after(self, module: nn.Module, args: object, output: Any) -> Any:
        del module, args
        sample: torch.Tensor = output[0]
        asked = self._calls.asked
        kept = asked * self.needed // self.groups
        if len(sample) == asked and kept == asked:
            return None
        group = asked // self.groups
        parts = [sample[:kept], *[sample[kept - group : kept]] * (self.groups - self.needed)]
        return (torch.cat(parts), *output[1:])


def _sample(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor:
    sample: torch.Tensor = args[0] if args else kwargs["hidden_states"]
    return sample


def _select(
    args: tuple[Any, ...], kwargs: dict[str, Any], index: torch.Tensor, rows: int
) -> _Arguments:
    """The arguments of a call for some of its rows; what has none of them stays as it is."""

    def take(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: take(item) for key, item in value.items()}
        if isinstance(value, torch.Tensor) and value.dim() and len(value) == rows:
            return value[index.to(value.device)]
        return value

    return tuple(take(value) for value in args), {
        key: value if key in _NOT_BATCHED else take(value) for key, value in kwargs.items()
    }
