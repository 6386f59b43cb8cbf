"""Our training loop without Ray, in a process of its own: one question on stdin, one answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from training.contracts import Event, Finished, TrainingConfig, TrainingExample, TrainingRequest
from training.loop import train
from training.pretraining.renderer.compose import draw_on_model
from training.pretraining.renders import held_out_scene


def main() -> None:
    """Draw the pictures, or train and say how long the steps took."""
    asked = json.loads(sys.stdin.readline())
    answer = _draw(asked) if "draw" in asked else _train(asked)
    print(json.dumps(answer))


def _draw(asked: dict[str, Any]) -> dict[str, list[str]]:
    captions = []
    for index in range(asked["draw"]):
        scene = held_out_scene(1, index)
        draw_on_model(scene).save(Path(asked["folder"]) / f"{index:02}.png")
        captions.append(f"ohwx, a {scene.subject} wearing a {scene.colour} {scene.garment}")
    return {"captions": captions}


def _train(asked: dict[str, Any]) -> dict[str, float]:
    paths = sorted(Path(asked["folder"]).glob("*.png"))
    examples = tuple(
        TrainingExample(path.name, path.read_bytes(), caption)
        for path, caption in zip(paths, asked["captions"], strict=True)
    )
    config = TrainingConfig(
        steps=asked["steps"],
        batch_size=asked["batch_size"],
        learning_rate=asked["learning_rate"],
        rank=asked["rank"],
        alpha=float(asked["rank"]),
        snr_gamma=asked["snr_gamma"],
        cache_latents=asked["cache_latents"],
        checkpoint_every=asked["steps"],
    )
    request = TrainingRequest("benchmark", asked["name"], "benchmark", config, examples)
    events: list[Event] = []
    train(request, events.append, device="cpu")
    done = events[-1]
    assert isinstance(done, Finished)
    return {"seconds": done.seconds["steps"]}


if __name__ == "__main__":
    main()
