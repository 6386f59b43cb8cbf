"""Stage 6: a classifier of latents, to tell the denoiser what its samples show.

It sees the latents of renders only, under noise that grows up to their own deviation: what noise
cannot hide is large and has a shape, so that samples cannot please it by a grain that nobody sees
(robust classifiers have gradients that people can read, Santurkar et al. 2019). Nothing that judges
the finished model has a part in it: the judges look at pictures, are trained on other renders, and
are built otherwise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from training.pretraining import latents as latents_stage
from training.pretraining import parallel
from training.pretraining.config import PretrainingConfig, RewardConfig
from training.pretraining.latents import Latents
from training.pretraining.optimization import Optimization
from training.pretraining.precision import bfloat16
from training.pretraining.progress import Steps
from training.pretraining.renderer.attributes import Scene
from training.pretraining.renderer.canvas import HEIGHT, WIDTH
from training.pretraining.renderer.prompts import shows_skin
from training.pretraining.renders import scene_at
from training.pretraining.text import ATTRIBUTES
from training.pretraining.workspace import Workspace, append_log, load_state, save_state

#: Attributes of the head, which half of the framings do not show.
_OF_THE_HEAD: Final = frozenset({"hair_style", "hair_colour", "age"})
_GROUPS: Final = 8


class _Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(_GROUPS, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(_GROUPS, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        residual: torch.Tensor = self.layers(features)
        return features + residual


class RewardModel(nn.Module):
    """Latents (n, channels, 24, 16) → logits of every attribute of the scene that they show."""

    def __init__(self, config: RewardConfig, latent_channels: int) -> None:
        super().__init__()
        fine, middle, deep = config.channels
        self.layers = nn.Sequential(
            nn.Conv2d(latent_channels, fine, 3, padding=1),
            _Block(fine),
            nn.Conv2d(fine, middle, 3, padding=1, stride=2),
            _Block(middle),
            _Block(middle),
            nn.Conv2d(middle, deep, 3, padding=1, stride=2),
            _Block(deep),
            nn.GroupNorm(_GROUPS, deep),
            nn.SiLU(),
        )
        cells = (HEIGHT // 32) * (WIDTH // 32)
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(deep * cells, 256), nn.SiLU())
        self.sizes = [len(names) for names in ATTRIBUTES.values()]
        self.logits = nn.Linear(256, sum(self.sizes))

    def losses(self, latents: torch.Tensor, scenes: list[Scene]) -> dict[str, torch.Tensor]:
        """Cross entropy of each attribute, (n,) each; 0 where the framing hides it."""
        logits = self.logits(self.hidden(self.layers(latents))).float().split(self.sizes, dim=1)
        losses = {}
        for part, (name, names) in zip(logits, ATTRIBUTES.items(), strict=True):
            expected = torch.tensor([names.index(getattr(scene, name)) for scene in scenes])
            visible = torch.tensor([float(shows(scene, name)) for scene in scenes])
            losses[name] = functional.cross_entropy(part, expected, reduction="none") * visible
        return losses


def shows(scene: Scene, attribute: str) -> bool:
    """Whether an attribute can be seen in the scene's picture."""
    if attribute in _OF_THE_HEAD:
        return scene.shows_head
    if attribute == "body":
        return scene.framing != "detail"
    return attribute != "skin" or shows_skin(scene)


def train(config: PretrainingConfig, workspace: Workspace) -> None:
    """Train the reward model in this process; nothing is done when it is there."""
    recipe = config.reward
    path = workspace.reward
    if path.exists():
        return
    data = latents_stage.load(config, workspace)
    torch.manual_seed(recipe.seed)
    model = RewardModel(recipe, config.autoencoder.latent_channels)
    optimization = Optimization([model], recipe.optimizer, recipe.steps)
    with Steps("reward model", 0, recipe.steps) as steps:
        for step in steps:
            latents, scenes = _draw(data, recipe, config.renders.seed, step)
            with bfloat16():
                losses = model.losses(latents, scenes)
            loss = torch.stack([values.mean() for values in losses.values()]).sum()
            optimization.step(loss, step)
            steps.show(loss=float(loss.detach()))
            if step % config.log_every == 0 and parallel.rank() == 0:
                record = {"stage": "reward", "step": step, "loss": float(loss.detach())}
                append_log(workspace.log, record)
    if parallel.rank() == 0:
        optimization.average.copy_to([model])
        save_state(path, {"model": model.state_dict()})


def _draw(
    data: Latents, config: RewardConfig, scene_seed: int, step: int
) -> tuple[torch.Tensor, list[Scene]]:
    """Latents under more or less noise, and what they show."""
    key = (config.seed, step, parallel.rank())
    generator = np.random.default_rng(key)
    indices = generator.integers(len(data.on_model), size=config.batch // parallel.size())
    clean = torch.from_numpy(data.on_model[indices]).float()
    amount = torch.from_numpy(generator.random((len(indices), 1, 1, 1), dtype=np.float32))
    noise = torch.from_numpy(generator.standard_normal(clean.shape, dtype=np.float32))
    scenes = [scene_at(scene_seed, int(index)) for index in indices]
    return clean + config.noise * amount * noise, scenes


def load(config: PretrainingConfig, workspace: Workspace) -> RewardModel:
    """The trained reward model, frozen."""
    state = load_state(workspace.reward)
    if state is None:
        raise FileNotFoundError(f"no reward model in {workspace.root}; run that stage first")
    model = RewardModel(config.reward, config.autoencoder.latent_channels)
    model.load_state_dict(state["model"])
    return model.eval().requires_grad_(False)
