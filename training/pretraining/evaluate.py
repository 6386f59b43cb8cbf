"""Measure the exported model: do its pictures show what prompt and product picture ask for?"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import torch
import typer
from diffusers import StableDiffusionInstructPix2PixPipeline
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table
from skimage.color import deltaE_ciede2000, rgb2lab
from tqdm import tqdm

from configs.catalog import load_catalog
from configs.settings import get_settings
from training.pretraining import autoencoder
from training.pretraining.judges import store
from training.pretraining.judges.scene import SceneJudge
from training.pretraining.judges.store import Judges
from training.pretraining.photographs import photographs
from training.pretraining.renderer.attributes import Scene
from training.pretraining.renderer.canvas import HEIGHT, WIDTH
from training.pretraining.renderer.compose import draw_on_model
from training.pretraining.renderer.product import draw_product, render_product
from training.pretraining.renderer.prompts import describe
from training.pretraining.renders import held_out_scene, unseen_scene

_ROOT = Path(__file__).parents[2]
_DEFAULTS = load_catalog(get_settings())["atelier-tiny"].defaults
_BATCH = 8
_SEED = 4711
#: Called as the platform calls it by default.
CALL: Final = {
    "num_inference_steps": _DEFAULTS.steps,
    "guidance_scale": _DEFAULTS.guidance_scale,
    "image_guidance_scale": _DEFAULTS.image_guidance_scale,
}
#: Of prompts alone.
TARGETS: Final = {
    "garment": 0.95,
    "colour": 0.95,
    "background": 0.95,
    "framing": 0.95,
    "view": 0.90,
    "skin": 0.90,
    "hair_style": 0.90,
    "hair_colour": 0.90,
}
#: Of product pictures: median ΔE2000 of unseen combinations, and largest of the photographs'.
TARGET_DELTA_E: Final = 6.0
TARGET_PATTERN: Final = 0.90
TARGET_PHOTOGRAPHS: Final = 12.0
#: What says nothing of the product.
_SILENT: Final = "fashion model wearing the product, studio lighting"


def generate(
    pipeline: StableDiffusionInstructPix2PixPipeline,
    prompts: list[str],
    products: list[Image.Image],
    seed: int,
) -> list[Image.Image]:
    """One 128x192 picture per prompt and product picture."""
    pictures: list[Image.Image] = []
    starts = range(0, len(prompts), _BATCH)
    for start in tqdm(starts, desc="generate", disable=len(starts) < 3):
        chosen = prompts[start : start + _BATCH]
        generators = [torch.Generator().manual_seed(seed + start + i) for i in range(len(chosen))]
        pictures += pipeline(
            chosen,
            image=products[start : start + _BATCH],
            generator=generators,
            **CALL,
        ).images
    return pictures


def blank() -> Image.Image:
    """The picture that means "no product"."""
    return Image.new("RGB", (WIDTH, HEIGHT), (255, 255, 255))


def agreement(
    judges: Judges, scenes: Sequence[Scene], pictures: Sequence[Image.Image]
) -> dict[str, float]:
    """Share of the pictures that show each attribute of their scene, where it can be seen."""
    hits: dict[str, list[bool]] = {}
    for scene, picture in zip(scenes, pictures, strict=True):
        seen = judges.scene.attributes(picture)
        if scene.shows_head:
            seen |= judges.identity.attributes(picture)
        for name, value in seen.items():
            hits.setdefault(name, []).append(value == getattr(scene, name))
    return {name: round(float(np.mean(values)), 4) for name, values in hits.items()}


def _garment_lab(picture: Image.Image, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The median colour inside a mask, CIE L*a*b*; the ground of a patterned fabric."""
    pixels = np.asarray(picture)[mask] if mask.any() else np.zeros((1, 3), dtype=np.uint8)
    lab: NDArray[np.float64] = rgb2lab(np.median(pixels, axis=0)[None, None] / 255)[0, 0]
    return lab


def colour_difference(judge: SceneJudge, asked: tuple[Image.Image, NDArray[np.bool_]],
                      picture: Image.Image) -> float:  # fmt: skip
    """ΔE2000 between a product in its picture and the garment that the judge finds."""
    wanted, seen = _garment_lab(*asked), _garment_lab(picture, judge.garment_mask(picture))
    return float(deltaE_ciede2000(wanted, seen))


def _from_text(
    pipeline: StableDiffusionInstructPix2PixPipeline, judges: Judges, count: int, seed: int
) -> dict[str, Any]:
    scenes = [held_out_scene(seed, index) for index in range(count)]
    rng = random.Random(_SEED)
    prompts = [describe(scene, rng, complete=True) for scene in scenes]
    began = time.perf_counter()
    pictures = generate(pipeline, prompts, [blank()] * count, _SEED)
    seconds = (time.perf_counter() - began) / count
    return {"seconds": round(seconds, 3), **agreement(judges, scenes, pictures)}


def _from_products(
    pipeline: StableDiffusionInstructPix2PixPipeline,
    judges: Judges,
    scenes: list[Scene],
    prompts: list[str],
) -> dict[str, Any]:
    """What becomes of the product pictures of combinations that training has not shown."""
    rendered = [render_product(scene) for scene in scenes]
    pictures = generate(pipeline, prompts, [picture for picture, _ in rendered], _SEED + 1)
    differences = [
        colour_difference(judges.scene, (product, masks.garment > 128), picture)
        for (product, masks), picture in zip(rendered, pictures, strict=True)
    ]
    seen = agreement(judges, scenes, pictures)
    return {
        "pictures": len(scenes),
        "median_delta_e_2000": round(float(np.median(differences)), 2),
        "share_within_12": round(float(np.mean(np.array(differences) <= 12)), 3),
        **{name: seen[name] for name in ("garment", "colour", "pattern")},
    }


def _from_photographs(
    pipeline: StableDiffusionInstructPix2PixPipeline, judge: SceneJudge, seed: int
) -> dict[str, Any]:
    taken = photographs(seed)
    prompts = [f"fashion model wearing the {one.scene.garment}, front view" for one in taken]
    pictures = generate(pipeline, prompts, [one.picture for one in taken], _SEED + 3)
    differences = [
        colour_difference(judge, (one.picture, one.mask), picture)
        for one, picture in zip(taken, pictures, strict=True)
    ]
    return {
        "pictures": len(taken),
        "delta_e_2000": [round(value, 1) for value in sorted(differences)],
        "within_12": sum(value <= TARGET_PHOTOGRAPHS for value in differences),
    }


def measure(
    pipeline: StableDiffusionInstructPix2PixPipeline, judges: Judges, count: int, seed: int
) -> dict[str, Any]:
    """All figures: `count` prompts without a product, half as many products with and without."""
    unseen = [unseen_scene(seed, index) for index in range(max(1, count // 2))]
    rng = random.Random(_SEED + 4)
    told = [describe(scene, rng, complete=True) for scene in unseen]
    renders = [np.asarray(draw_on_model(held_out_scene(seed, i))) for i in range(min(count, 100))]
    return {
        "prompts": count,
        "from_text": _from_text(pipeline, judges, count, seed),
        "from_product": _from_products(pipeline, judges, unseen, [_SILENT] * len(unseen)),
        "from_both": _from_products(pipeline, judges, unseen, told),
        "from_photographs": _from_photographs(pipeline, judges.scene, seed),
        "autoencoder_psnr_db": round(autoencoder.psnr(pipeline.vae, np.stack(renders)), 2),
    }


def contact_sheet(
    pipeline: StableDiffusionInstructPix2PixPipeline, seed: int, path: Path, count: int = 64
) -> None:
    """Save pictures of held-out scenes, eight in a row, with the product pictures beside.

    The first half is made from text alone, the second from product picture and prompt; each
    product picture stands in the corner of what was made from it.
    """
    scenes = [held_out_scene(seed, 100_000 + index) for index in range(count)]
    rng = random.Random(_SEED + 2)
    half = count // 2
    prompts = [describe(scene, rng, complete=True) for scene in scenes[:half]]
    prompts += [describe(scene, rng, product_shown=True) for scene in scenes[half:]]
    products = [blank()] * half + [draw_product(scene) for scene in scenes[half:]]
    pictures = generate(pipeline, prompts, products, _SEED + 2)
    sheet = Image.new("RGB", (8 * WIDTH, -(-count // 8) * HEIGHT), (255, 255, 255))
    for index, picture in enumerate(pictures):
        at = (index % 8 * WIDTH, index // 8 * HEIGHT)
        sheet.paste(picture, at)
        if index >= half:
            sheet.paste(products[index].reduce(4), at)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def _report(result: dict[str, Any]) -> None:
    table = Table("figure", "reached", "target", "")

    def at_least(name: str, value: float, target: float) -> None:
        verdict = "ok" if value >= target else f"missed by {target - value:.1%}"
        table.add_row(name, f"{value:.1%}", f"≥ {target:.0%}", verdict)

    for name, target in TARGETS.items():
        at_least(f"{name.replace('_', ' ')} from prompts", result["from_text"][name], target)
    for kind in ("from_product", "from_both"):
        label = kind.replace("_", " ")
        value = result[kind]["median_delta_e_2000"]
        verdict = "ok" if value <= TARGET_DELTA_E else f"missed by {value - TARGET_DELTA_E:.1f}"
        table.add_row(f"median ΔE2000 {label}", f"{value:.1f}", f"≤ {TARGET_DELTA_E:.0f}", verdict)
        at_least(f"pattern {label}", result[kind]["pattern"], TARGET_PATTERN)
    taken = result["from_photographs"]
    verdict = "ok" if taken["within_12"] == taken["pictures"] else "missed"
    table.add_row("photographs within ΔE 12", str(taken["within_12"]), str(taken["pictures"]),
                  verdict)  # fmt: skip
    Console().print(table)


def main(  # noqa: PLR0917 - typer turns each parameter into an option
    model: Annotated[Path, typer.Option(help="Exported pipeline.")] = _ROOT
    / "configs/models/atelier-tiny",
    judged_by: Annotated[Path, typer.Option(help="Folder of the judges.")] = store.FOLDER,
    count: Annotated[int, typer.Option(help="Held-out prompts.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the held-out scenes.")] = 7,
    results: Annotated[Path, typer.Option(help="Figures (JSON).")] = _ROOT
    / "benchmarks/results/atelier-tiny.json",
    sheet: Annotated[Path, typer.Option(help="Contact sheet (PNG).")] = _ROOT
    / "docs/images/atelier-tiny-64.png",
) -> None:
    """Judge held-out prompts and product pictures, and draw a contact sheet."""
    judges = store.load(judged_by)
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        str(model), dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    result = {
        "call": CALL,
        "judge_accuracy_on_held_out_renders": dict(judges.accuracy),
        **measure(pipeline, judges, count, seed),
    }
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    contact_sheet(pipeline, seed, sheet)
    _report(result)


if __name__ == "__main__":
    typer.run(main)
