"""A work directory with everything in it, made once."""

import pytest

from tests.factories.pretraining import toy
from training.pretraining import alignment, autoencoder, denoiser, latents, reward, text
from training.pretraining.renders import draw_all
from training.pretraining.workspace import Workspace


@pytest.fixture(scope="package")
def trained(tmp_path_factory):
    """A work directory in which all stages ran without an interruption."""
    config, workspace = toy(), Workspace(tmp_path_factory.mktemp("pretraining"))
    draw_all(config, workspace)
    autoencoder.train(config, workspace)
    latents.encode_all(config, workspace)
    text.train_encoder(config, workspace)
    denoiser.train(config, workspace)
    reward.train(config, workspace)
    alignment.train(config, workspace)
    return config, workspace
