"""The recipe of the bundled model at a size that tests can afford."""

from pathlib import Path
from typing import Final

from training.pretraining.config import PretrainingConfig

CONFIGS: Final = Path(__file__).parents[2] / "configs" / "training"


def toy() -> PretrainingConfig:
    """Every stage in a second or two, in one process."""
    smoke = PretrainingConfig.read(CONFIGS / "pretraining-smoke.yaml").model_dump()
    smoke["workers"] = 1
    smoke["save_every"] = 2
    smoke["log_every"] = 1
    smoke["renders"]["count"] = 12
    smoke["autoencoder"]["steps"] = 4
    smoke["text"]["corpus"] = 50
    smoke["denoiser"] |= {"steps": 4, "triples": 10}
    smoke["reward"]["steps"] = 100
    smoke["alignment"]["steps"] = 4
    return PretrainingConfig.model_validate(smoke)
