"""Measure the exported model: do its pictures show what prompt and product picture ask for?"""

from __future__ import annotations

import json
import random
import time
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
from training.pretraining.judges import CLASSES, Judge, judge_picture, trained_judge
from training.pretraining.renderer.attributes import Scene
from training.pretraining.renderer.canvas import HEIGHT, WIDTH
from training.pretraining.renderer.compose import draw_on_model, draw_product, render_product
from training.pretraining.renderer.prompts import describe
from training.pretraining.renders import held_out_scene
from training.pretraining.workspace import Workspace, default_work_dir

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
TARGETS = {"garment": 0.75, "colour": 0.75, "background": 0.90}
TARGET_DELTA_E = 15.0


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


def _agreement(judge: Judge, scenes: list[Scene], pictures: list[Image.Image]) -> dict[str, float]:
    right = dict.fromkeys(CLASSES, 0)
    for scene, picture in zip(scenes, pictures, strict=True):
        seen = judge_picture(judge, picture).attributes
        for name in CLASSES:
            right[name] += seen[name] == getattr(scene, name)
    return {name: count / len(scenes) for name, count in right.items()}


def _garment_lab(picture: Image.Image, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The median colour inside a mask, CIE L*a*b*; the ground of a patterned fabric."""
    pixels = np.asarray(picture)[mask] if mask.any() else np.zeros((1, 3), dtype=np.uint8)
    lab: NDArray[np.float64] = rgb2lab(np.median(pixels, axis=0)[None, None] / 255)[0, 0]
    return lab


def _colour_differences(
    judge: Judge, scenes: list[Scene], pictures: list[Image.Image]
) -> list[float]:
    """ΔE2000 between the garment of each product picture and of its generated picture."""
    differences = []
    for scene, picture in zip(scenes, pictures, strict=True):
        product, mask = render_product(scene)
        asked = _garment_lab(product, np.asarray(mask) > 128)
        seen = _garment_lab(picture, judge_picture(judge, picture).mask)
        differences.append(float(deltaE_ciede2000(asked, seen)))
    return differences


def _measure(
    pipeline: StableDiffusionInstructPix2PixPipeline, judge: Judge, count: int, seed: int
) -> dict[str, Any]:
    scenes = [held_out_scene(seed, index) for index in range(count)]
    rng = random.Random(_SEED)
    prompts = [describe(scene, rng, complete=True) for scene in scenes]
    began = time.perf_counter()
    from_text = generate(pipeline, prompts, [blank()] * count, _SEED)
    seconds = (time.perf_counter() - began) / count
    half = scenes[: max(1, count // 2)]
    products = [draw_product(scene) for scene in half]
    silent = ["fashion model wearing the product, studio lighting"] * len(half)
    from_product = generate(pipeline, silent, products, _SEED + 1)
    differences = _colour_differences(judge, half, from_product)
    seen = _agreement(judge, half, from_product)
    renders = [draw_on_model(scene) for scene in half]
    return {
        "prompts": count,
        "from_text": _agreement(judge, scenes, from_text),
        "from_product": {
            "pictures": len(half),
            "garment": seen["garment"],
            "colour": seen["colour"],
            "median_delta_e_2000": round(float(np.median(differences)), 2),
            "share_within_15": float(np.mean([value <= TARGET_DELTA_E for value in differences])),
        },
        "autoencoder_psnr_db": round(
            autoencoder.psnr(pipeline.vae, np.stack([np.asarray(r) for r in renders])), 2
        ),
        "seconds_per_picture": round(seconds, 3),
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
    for name, target in TARGETS.items():
        value = result["from_text"][name]
        verdict = "ok" if value >= target else f"missed by {target - value:.1%}"
        table.add_row(f"{name} from prompts", f"{value:.1%}", f"≥ {target:.0%}", verdict)
    value = result["from_product"]["median_delta_e_2000"]
    verdict = "ok" if value <= TARGET_DELTA_E else f"missed by {value - TARGET_DELTA_E:.1f}"
    table.add_row("median ΔE2000 from product", f"{value:.1f}", f"≤ {TARGET_DELTA_E:.0f}", verdict)
    Console().print(table)


def main(  # noqa: PLR0917 - typer turns each parameter into an option
    model: Annotated[Path, typer.Option(help="Exported pipeline.")] = _ROOT
    / "configs/models/atelier-tiny",
    work_dir: Annotated[Path | None, typer.Option(help="Where the judge is cached.")] = None,
    count: Annotated[int, typer.Option(help="Held-out prompts.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the held-out scenes.")] = 7,
    results: Annotated[Path, typer.Option(help="Figures (JSON).")] = _ROOT
    / "benchmarks/results/atelier-tiny.json",
    sheet: Annotated[Path, typer.Option(help="Contact sheet (PNG).")] = _ROOT
    / "docs/images/atelier-tiny-64.png",
) -> None:
    """Judge held-out prompts and product pictures, and draw a contact sheet."""
    workspace = Workspace((work_dir or default_work_dir()).resolve())
    judge, accuracy = trained_judge(workspace, seed=seed)
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        str(model), dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    result = {
        "call": CALL,
        "judge_accuracy_on_held_out_renders": accuracy,
        **_measure(pipeline, judge, count, seed),
    }
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    contact_sheet(pipeline, seed, sheet)
    _report(result)


if __name__ == "__main__":
    typer.run(main)
