"""How many workers train together, and on what: ``configs/training/{cpu,gpu,debug}.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field

from configs.settings import CHECKOUT

_FOLDER = CHECKOUT / "configs" / "training"


class Scaling(BaseModel):
    """Workers of a run, as Ray Train's ``ScalingConfig`` takes them.

    Attributes:
        workers: processes that share each batch; no more of them start than a batch has rows.
        threads: of torch in each; 0: the node's processors, divided among as many workers.
        resources: that Ray reserves for each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int = Field(gt=0)
    threads: int = Field(0, ge=0)
    resources: Mapping[str, float]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a YAML file.

        Raises:
            ValueError: it is no such file.
        """
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    @classmethod
    def named(cls, name: str) -> Self:
        """One of those that ship: ``cpu``, ``gpu`` or ``debug``."""
        return cls.read(_FOLDER / f"{name}.yaml")

    def limited_to(self, rows: int) -> Self:
        """No more workers than rows of a batch: the others would have nothing to do."""
        return self.model_copy(update={"workers": min(self.workers, rows)})

    @property
    def on_gpu(self) -> bool:
        """Whether workers get a GPU."""
        return self.resources.get("GPU", 0) > 0
