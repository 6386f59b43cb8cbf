"""Can the bundled model learn a person? Train a subject from renders of one, and judge the result.

Twelve pictures of one identity in other clothes are drawn, a LoRA is trained on them as the
platform does, pictures are made of prompts that no training picture shows, and classifiers that saw
renders only say who and what is in them. ``make bench ARGS=subject`` measures it,
``python -m training.pretraining.subjects`` tries other settings.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import torch
import typer
from diffusers import StableDiffusionInstructPix2PixPipeline
from PIL import Image
from rich.console import Console

from configs.catalog import load_catalog
from configs.settings import get_settings
from training.contracts import (
    Event,
    Finished,
    TrainingConfig,
    TrainingExample,
    TrainingRequest,
)
from training.loop import train
from training.pretraining.evaluate import blank, generate
from training.pretraining.judges import store
from training.pretraining.judges.identity import with_head
from training.pretraining.judges.store import Judges
from training.pretraining.renderer import words
from training.pretraining.renderer.attributes import COLOURS, FRAMINGS, GARMENTS, Scene
from training.pretraining.renderer.canvas import HEIGHT, WIDTH
from training.pretraining.renderer.compose import draw_on_model
from training.pretraining.renders import held_out_scene

_ROOT = Path(__file__).parents[2]
_MODEL = _ROOT / "configs/models/atelier-tiny"
_SEED: Final = 2024
PICTURES: Final = 12
PROMPTS: Final = 40
TRIGGER: Final = "ohwx"
_DEFAULTS: Final = load_catalog(get_settings())["atelier-tiny"].training
STEPS: Final = _DEFAULTS.steps
#: What makes somebody the same person in other clothes; sex and age are judged besides.
IDENTITY: Final = ("skin", "hair_style", "hair_colour", "body")
#: The rest of what a training of the bundled model does by default.
RECIPE: Final[dict[str, Any]] = {
    **_DEFAULTS.model_dump(exclude={"steps"}),
    "alpha": float(_DEFAULTS.rank),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What stays the same in all pictures of a person."""

    subject: str = "woman"
    age: str = "adult"
    body: str = "average"
    glasses: bool = False
    skin: str = "brown"
    hair_style: str = "curly"
    hair_colour: str = "red"

    def wearing(self, scene: Scene) -> Scene:
        """This person in a scene's clothes, pose and place."""
        return with_head(replace(scene, **asdict(self)))


def caption(scene: Scene, trigger: str) -> str:
    """What a picture shows besides the person, in the words that the model knows.

    A pattern that is not named would be learnt as a part of the person, and a trigger word at the
    beginning takes weight from the garment.
    """
    pattern = "" if scene.pattern == "plain" else f"{scene.pattern} "
    article = "" if scene.garment in words.PLURALS else "a "
    shot = f"{words.FRAMINGS[scene.framing][0]}, {words.VIEWS[scene.view][0]}"
    return (
        f"{scene.subject} wearing {article}{scene.colour} {pattern}{scene.garment}, {shot}, "
        f"{scene.background} background, {trigger}"
    )


def training_scenes(identity: Identity, count: int = PICTURES) -> list[Scene]:
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


def prompted_scenes(identity: Identity, count: int = PROMPTS) -> list[Scene]:
    """Every garment about as often, in any colour and place, where it can be seen."""
    rng = random.Random(_SEED)
    garments = [*GARMENTS] * (count // len(GARMENTS) + 1)
    scenes = []
    for index, garment in enumerate(garments[:count]):
        scene = held_out_scene(_SEED + 1, index)
        colour = rng.choice(tuple(COLOURS))
        scene = replace(scene, garment=garment, colour=colour)
        if scene.framing not in FRAMINGS[scene.region]:
            scene = replace(scene, framing="full body")
        scenes.append(identity.wearing(scene))
    return scenes


def learn(scenes: Sequence[Scene], trigger: str, config: TrainingConfig) -> tuple[Finished, float]:
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
    return done, time.perf_counter() - began


def measure(
    pictures: Sequence[Image.Image], scenes: Sequence[Scene], judges: Judges
) -> dict[str, float]:
    """Shares of the pictures that show the identity, skin and hair, each trait, and the garment."""
    traits = judges.identity.classes
    right = dict.fromkeys(("identity", "skin_and_hair", *traits, "garment"), 0)
    for picture, scene in zip(pictures, scenes, strict=True):
        seen = judges.identity.attributes(picture)
        hits = {name: seen[name] == getattr(scene, name) for name in traits}
        for name, hit in hits.items():
            right[name] += hit
        right["identity"] += all(hits[name] for name in IDENTITY)
        right["skin_and_hair"] += all(hits[name] for name in IDENTITY if name != "body")
        right["garment"] += judges.scene.attributes(picture)["garment"] == scene.garment
    return {name: count / len(pictures) for name, count in right.items()}


def _pipeline() -> StableDiffusionInstructPix2PixPipeline:
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        str(_MODEL), dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a training.

    Attributes:
        seconds: that it took, and of those each phase.
        without, having: shares of the pictures, made without and with the LoRA, that show the
            whole identity, each of its traits, and the garment of the prompt.
        drawn: the same of renders of the prompts, where only the classifiers can be wrong.
        judges: accuracies of the classifiers on held-out renders.
        rows: the pictures to learn from, some made without the LoRA, the same made with it.
    """

    seconds: float
    phases: Mapping[str, float]
    without: Mapping[str, float]
    having: Mapping[str, float]
    drawn: Mapping[str, float]
    judges: Mapping[str, float]
    rows: Sequence[Sequence[Image.Image]]


def judge_subject(judges: Judges, config: TrainingConfig) -> Verdict:
    """Train one subject, and judge forty pictures of it."""
    identity = Identity()
    learnt_from, asked = training_scenes(identity), prompted_scenes(identity)
    trigger = config.trigger_word or TRIGGER
    done, seconds = learn(learnt_from, trigger, config)
    pipeline = _pipeline()
    prompts, products = [caption(scene, trigger) for scene in asked], [blank()] * len(asked)
    before = generate(pipeline, prompts, products, _SEED)
    with TemporaryDirectory() as folder:
        (Path(folder) / "subject.safetensors").write_bytes(done.weights)
        pipeline.load_lora_weights(folder, weight_name="subject.safetensors")
    after = generate(pipeline, prompts, products, _SEED)
    return Verdict(
        seconds=seconds,
        phases=dict(done.seconds),
        without=measure(before, asked, judges),
        having=measure(after, asked, judges),
        drawn=measure([draw_on_model(scene) for scene in asked], asked, judges),
        judges=judges.accuracy,
        rows=([draw_on_model(one) for one in learnt_from], before[:PICTURES], after[:PICTURES]),
    )


def sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Pictures of the model's size, row by row."""
    drawn = Image.new("RGB", (max(map(len, rows)) * WIDTH, len(rows) * HEIGHT), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            drawn.paste(picture, (x * WIDTH, y * HEIGHT))
    return drawn


def main(
    steps: Annotated[int, typer.Option(help="Optimizer steps.")] = STEPS,
    batch_size: Annotated[int, typer.Option(help="Pictures of a step.")] = RECIPE["batch_size"],
    learning_rate: Annotated[float, typer.Option(help="Of AdamW.")] = RECIPE["learning_rate"],
    rank: Annotated[int, typer.Option(help="Of the adapter.")] = RECIPE["rank"],
    out: Annotated[Path, typer.Option(help="Pictures (PNG).")] = Path("outputs/subject.png"),
) -> None:
    """Train one subject, and judge forty pictures of it."""
    asked = {"batch_size": batch_size, "learning_rate": learning_rate, "rank": rank, "alpha": rank}
    config = TrainingConfig(
        **(RECIPE | asked), steps=steps, trigger_word=TRIGGER, checkpoint_every=100
    )
    verdict = judge_subject(store.load(), config)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet(verdict.rows).save(out, optimize=True)
    figures = asdict(verdict)
    del figures["rows"]
    Console().print_json(data=figures)


if __name__ == "__main__":
    typer.run(main)
