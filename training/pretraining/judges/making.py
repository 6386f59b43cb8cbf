"""One judge from nothing to its file, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch

from training.pretraining.judges import learning, store
from training.pretraining.judges.base import Judge
from training.pretraining.judges.identity import IdentityJudge
from training.pretraining.judges.scene import SceneJudge

KINDS: Final[tuple[type[Judge], ...]] = (SceneJudge, IdentityJudge)
_HELD_OUT: Final = 1000


def make(kind: int, out: Path, renders: int, steps: int, seed: int) -> None:
    """Train a judge on one core, measure it on held-out renders, and store it.

    Args:
        kind: its place in `KINDS`.
        out: folder of its file.
        renders: that it learns from.
        steps: of the optimizer.
        seed: of scenes, batches and first weights.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    judge = KINDS[kind]()
    learnt_from = learning.samples(judge, "train", renders, seed)
    learning.train(judge, learnt_from, seed=seed, steps=steps)
    held_out = learning.samples(judge, "held-out", _HELD_OUT, seed)
    store.save(judge, learning.accuracy(judge, held_out), out)
