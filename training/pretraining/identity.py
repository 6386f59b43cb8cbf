"""Who is in a picture: a classifier of body, skin and hair, trained on renders only."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from tqdm import trange

from training.pretraining.autoencoder import to_tensor
from training.pretraining.judges import JUDGE_OPTIMIZER, mirrored, worn
from training.pretraining.optimization import Optimization
from training.pretraining.renderer.attributes import (
    AGES,
    BODY_TYPES,
    FRAMINGS,
    HAIR_COLOURS,
    HAIR_STYLES,
    SKIN_TONES,
    SUBJECTS,
    WITH_HEAD,
    Scene,
    sample_scene,
)
from training.pretraining.renderer.compose import draw_on_model
from training.pretraining.renders import Pictures
from training.pretraining.workspace import Workspace, load_state, save_state

#: Attribute → its values; the order is that of the classifier's outputs.
TRAITS: Final[dict[str, tuple[str, ...]]] = {
    "subject": SUBJECTS,
    "age": AGES,
    "body": BODY_TYPES,
    "skin": tuple(SKIN_TONES),
    "hair_style": HAIR_STYLES,
    "hair_colour": tuple(HAIR_COLOURS),
}
_HELD_OUT: Final = 400


def with_head(scene: Scene) -> Scene:
    """The scene in a framing that shows the head."""
    if scene.shows_head:
        return scene
    framings = [one for one in FRAMINGS[scene.region] if one in WITH_HEAD]
    return replace(scene, framing=framings[scene.jitter_seed % len(framings)])


def _stage(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, stride=2),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class IdentityJudge(nn.Module):
    """Looks where attention finds a head, and at the whole figure and where its parts are."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(_stage(12, 48), _stage(48, 96))
        self.deep = _stage(96, 128)
        self.attention = nn.Conv2d(128, len(TRAITS), 1)
        # A build is told by how far apart the contours are: this keeps the positions.
        self.layout = nn.Conv2d(96, 24, 1)
        self.placed = nn.Sequential(nn.Linear(24 * 24 * 16, 160), nn.ReLU())
        features = 4 * 128 + 160
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(features, 96), nn.ReLU(), nn.Linear(96, len(values)))
                for name, values in TRAITS.items()
            }
        )

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """Pictures (n, 3, 192, 128) in -1..1 → logits by trait."""
        middle = self.body(functional.pixel_unshuffle(pictures, 2))
        deep = self.deep(middle)
        whole = torch.cat([deep.mean((2, 3)), deep.amax((2, 3))], 1)
        placed = self.placed(torch.relu(self.layout(middle)).flatten(1))
        attention = self.attention(deep).flatten(2).softmax(2)
        flat = deep.flatten(2)
        logits = {}
        for index, (name, head) in enumerate(self.heads.items()):
            weight = attention[:, index : index + 1]
            mean = (flat * weight).sum(2)
            deviation = ((flat - mean[..., None]).square() * weight).sum(2)
            logits[name] = head(torch.cat([mean, deviation, whole, placed], 1))
        return logits


def _scenes(stream: str, count: int, seed: int) -> list[Scene]:
    return [
        with_head(sample_scene(random.Random(f"{seed}:{stream}:{index}"))) for index in range(count)
    ]


def _classes(scenes: list[Scene]) -> torch.Tensor:
    return torch.tensor(
        [
            [values.index(getattr(scene, name)) for name, values in TRAITS.items()]
            for scene in scenes
        ]
    )


def _drawn(scenes: list[Scene]) -> Pictures:
    return np.stack([np.asarray(draw_on_model(scene)) for scene in scenes])


def trained_identity_judge(
    workspace: Workspace, *, seed: int, count: int = 24_000, steps: int = 5000, batch: int = 32
) -> tuple[IdentityJudge, dict[str, float]]:
    """Train a judge or take it from the cache; returns it with its held-out accuracies."""
    path = workspace.root / "identity-judge.pt"
    state = load_state(path)
    judge = IdentityJudge()
    if state is not None:
        judge.load_state_dict(state["judge"])
        return judge.eval(), state["accuracy"]
    torch.manual_seed(seed)
    judge = IdentityJudge()
    scenes = _scenes("identity", count, seed)
    pictures, classes = _drawn(scenes), _classes(scenes)
    generator = torch.Generator().manual_seed(seed)
    optimization = Optimization([judge], JUDGE_OPTIMIZER, steps)
    for step in trange(steps, desc="identity judge", mininterval=5):
        chosen = torch.randint(count, (batch,), generator=generator)
        (shown,) = mirrored(generator, to_tensor(pictures[chosen.numpy()]))
        with torch.autocast("cpu", torch.bfloat16):
            logits = judge(worn(shown, generator))
        loss = torch.zeros(())
        for column, name in enumerate(TRAITS):
            expected = classes[chosen, column]
            loss = loss + functional.cross_entropy(logits[name].float(), expected)
        optimization.step(loss, step)
    judge.eval()
    held_out = _scenes("identity held-out", _HELD_OUT, seed)
    accuracy = _accuracy(judge, _drawn(held_out), _classes(held_out))
    save_state(path, {"judge": judge.state_dict(), "accuracy": accuracy})
    return judge, accuracy


@torch.no_grad()
def _accuracy(judge: IdentityJudge, pictures: Pictures, classes: torch.Tensor) -> dict[str, float]:
    right = dict.fromkeys(TRAITS, 0)
    for start in range(0, len(pictures), 50):
        logits = judge(to_tensor(pictures[start : start + 50]))
        for column, name in enumerate(TRAITS):
            expected = classes[start : start + 50, column]
            right[name] += int((logits[name].argmax(1) == expected).sum())
    return {name: count / len(pictures) for name, count in right.items()}


@torch.no_grad()
def traits_of(judge: IdentityJudge, picture: Image.Image) -> dict[str, str]:
    """Body, skin and hair of the person in an RGB picture of 128x192."""
    logits = judge(to_tensor(np.asarray(picture)[None]))
    return {name: values[int(logits[name][0].argmax())] for name, values in TRAITS.items()}
