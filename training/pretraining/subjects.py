"""Can the bundled model learn a person? Train a subject from renders of one, and judge the result.

``python -m training.pretraining.subjects`` draws twelve pictures of one identity in other clothes,
trains a LoRA on them as the platform does, makes pictures of prompts that no training picture shows
and asks classifiers that saw renders only who and what is in them.
"""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import torch
import typer
from diffusers import StableDiffusionInstructPix2PixPipeline
from PIL import Image
from rich.console import Console

from training.contracts import (
    Event,
    Finished,
    TrainingConfig,
    TrainingExample,
    TrainingRequest,
    Validation,
)
from training.loop import train
from training.pretraining.evaluate import blank, generate
from training.pretraining.identity import TRAITS, trained_identity_judge, traits_of, with_head
from training.pretraining.judges import judge_picture, trained_judge
from training.pretraining.renderer.attributes import COLOURS, GARMENTS, Scene
from training.pretraining.renderer.canvas import HEIGHT, WIDTH
from training.pretraining.renderer.compose import draw_on_model
from training.pretraining.renders import held_out_scene
from training.pretraining.workspace import Workspace, default_work_dir

_ROOT = Path(__file__).parents[2]
_MODEL = _ROOT / "configs/models/atelier-tiny"
_PICTURES: Final = 12
_PROMPTS: Final = 40
_SEED: Final = 2024
_TARGET: Final = 0.85
_TARGET_SECONDS: Final = 600.0
_GENDERED: Final = {"dress", "skirt"}


@dataclass(frozen=True, slots=True)
class Identity:
    """What stays the same in all pictures of a person."""

    subject: str = "woman"
    skin: str = "brown"
    hair_style: str = "curly"
    hair_colour: str = "red"

    def wearing(self, scene: Scene) -> Scene:
        """This person in a scene's clothes, pose and place."""
        return with_head(replace(scene, **asdict(self)))


def caption(scene: Scene, trigger: str) -> str:
    """What a picture shows besides the person, as a customer would write it."""
    return (
        f"{trigger}, a {scene.subject} wearing a {scene.colour} {scene.garment}, "
        f"{scene.framing}, {scene.background} background"
    )


def training_scenes(identity: Identity, count: int = _PICTURES) -> list[Scene]:
    """One picture for each garment, in turn."""
    garments = tuple(GARMENTS)
    scenes: list[Scene] = []
    index = 0
    while len(scenes) < count:
        scene = held_out_scene(_SEED, index)
        index += 1
        if scene.garment == garments[len(scenes) % len(garments)]:
            scenes.append(identity.wearing(scene))
    return scenes


def prompted_scenes(identity: Identity, count: int = _PROMPTS) -> list[Scene]:
    """Every garment about as often, in any colour and place."""
    rng = random.Random(_SEED)
    garments = [*GARMENTS] * (count // len(GARMENTS) + 1)
    scenes = []
    for index, garment in enumerate(garments[:count]):
        scene = held_out_scene(_SEED + 1, index)
        region_scene = replace(scene, garment=garment, colour=rng.choice(tuple(COLOURS)))
        framing = (
            "full body" if GARMENTS[garment] != "top" else rng.choice(["full body", "upper body"])
        )
        scenes.append(identity.wearing(replace(region_scene, framing=framing)))
    return scenes


def learn(
    scenes: Sequence[Scene], trigger: str, config: TrainingConfig
) -> tuple[Finished, float, list[Validation]]:
    """Train as the platform does; the result and the seconds it took."""
    examples = []
    for index, scene in enumerate(scenes):
        file = io.BytesIO()
        draw_on_model(scene).save(file, "PNG")
        examples.append(
            TrainingExample(f"{index:02}.png", file.getvalue(), caption(scene, trigger))
        )
    request = TrainingRequest("subject", "atelier-tiny", "subject", config, tuple(examples))
    events: list[Event] = []
    began = time.perf_counter()
    train(request, events.append)
    done = events[-1]
    assert isinstance(done, Finished)
    seconds = time.perf_counter() - began
    return done, seconds, [event for event in events if isinstance(event, Validation)]


def measure(
    pictures: Sequence[Image.Image], scenes: Sequence[Scene], judges: Any
) -> dict[str, float]:
    """Share of the pictures that show the whole identity, each trait, and the garment."""
    identity_judge, garment_judge = judges
    right = dict.fromkeys(("identity", *TRAITS, "garment"), 0)
    for picture, scene in zip(pictures, scenes, strict=True):
        seen = traits_of(identity_judge, picture)
        hits = {name: seen[name] == getattr(scene, name) for name in TRAITS}
        for name, hit in hits.items():
            right[name] += hit
        right["identity"] += all(hits.values())
        garment = judge_picture(garment_judge, picture).attributes["garment"]
        right["garment"] += garment == scene.garment
    return {name: count / len(pictures) for name, count in right.items()}


def _pipeline() -> StableDiffusionInstructPix2PixPipeline:
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        str(_MODEL), dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _sheet(rows: Sequence[Sequence[Image.Image]], path: Path) -> None:
    """Rows of pictures: to learn from, before, after."""
    columns = max(len(row) for row in rows)
    sheet = Image.new("RGB", (columns * WIDTH, len(rows) * HEIGHT), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            sheet.paste(picture, (x * WIDTH, y * HEIGHT))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def main(  # noqa: PLR0917 - typer turns each parameter into an option
    steps: Annotated[int, typer.Option(help="Optimizer steps.")] = 500,
    batch_size: Annotated[int, typer.Option(help="Pictures of a step.")] = 4,
    learning_rate: Annotated[float, typer.Option(help="Of AdamW.")] = 5e-4,
    rank: Annotated[int, typer.Option(help="Of the adapter.")] = 16,
    trigger: Annotated[str, typer.Option(help="The trigger word.")] = "ohwx",
    work_dir: Annotated[Path | None, typer.Option(help="Where the judges are cached.")] = None,
    results: Annotated[Path, typer.Option(help="Figures (JSON).")] = _ROOT
    / "benchmarks/results/subject.json",
    sheet: Annotated[Path, typer.Option(help="Pictures (PNG).")] = _ROOT
    / "docs/images/trained-subject.png",
) -> None:
    """Train one subject, and judge forty pictures of it."""
    workspace = Workspace((work_dir or default_work_dir()).resolve())
    identity_judge, identity_accuracy = trained_identity_judge(workspace, seed=7)
    garment_judge, garment_accuracy = trained_judge(workspace, seed=7)
    judges = (identity_judge, garment_judge)
    identity = Identity()
    learnt_from, asked = training_scenes(identity), prompted_scenes(identity)
    config = TrainingConfig(
        steps=steps, batch_size=batch_size, learning_rate=learning_rate, rank=rank, alpha=rank,
        trigger_word=trigger, checkpoint_every=100,
    )  # fmt: skip
    done, seconds, _ = learn(learnt_from, trigger, config)
    pipeline = _pipeline()
    prompts, products = [caption(scene, trigger) for scene in asked], [blank()] * len(asked)
    before = generate(pipeline, prompts, products, _SEED)
    weights = workspace.root / "subject.safetensors"
    weights.write_bytes(done.weights)
    pipeline.load_lora_weights(str(weights.parent), weight_name=weights.name)
    after = generate(pipeline, prompts, products, _SEED)
    result = {
        "identity": asdict(identity),
        "config": {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
        | {"rank": rank, "pictures": len(learnt_from), "prompts": len(asked)},
        "judge_accuracy_on_held_out_renders": identity_accuracy | garment_accuracy,
        "training_seconds": round(seconds, 1),
        "seconds": dict(done.seconds),
        "without": measure(before, asked, judges),
        "with": measure(after, asked, judges),
    }
    results.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    drawn = [draw_on_model(scene) for scene in learnt_from]
    _sheet([drawn, before[:_PICTURES], after[:_PICTURES]], sheet)
    Console().print_json(data=result)


if __name__ == "__main__":
    typer.run(main)
