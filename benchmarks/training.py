"""Steps per second of our training loop against diffusers' own recipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context
from benchmarks.harness import Result, Target, median

_PICTURES = 12
_RATIO = 1.0
_CACHED_RATIO = 1.3
_SETTINGS: Final = {"batch_size": 1, "learning_rate": 1e-4, "rank": 16, "snr_gamma": 5.0}
_PLAIN, _OWN, _CACHED = "diffusers' recipe", "ours", "ours, cached latents"


def run(context: Context) -> Result:
    """The three in turn, each in a process of its own."""
    steps = context.times(120, 6)
    rates: dict[str, list[float]] = {_PLAIN: [], _OWN: [], _CACHED: []}
    with tempfile.TemporaryDirectory(dir=context.settings.home) as folder:
        asked = _question(context, Path(folder), steps)
        for _ in range(context.times(5, 1)):
            for name, values in rates.items():
                context.say(f"training: {name}")
                module = "plain_training" if name == _PLAIN else "own_training"
                answer = _ask(module, asked | {"cache_latents": name == _CACHED})
                values.append(steps / answer["seconds"])
    return _result(rates, steps)


def _question(context: Context, folder: Path, steps: int) -> dict[str, Any]:
    drawn = _ask("own_training", {"draw": _PICTURES, "folder": str(folder)})
    entry = context.model
    return _SETTINGS | {
        "name": entry.name,
        "model": entry.weights.location,
        "folder": str(folder),
        "captions": drawn["captions"],
        "steps": steps,
    }


def _ask(module: str, question: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}"],
        input=json.dumps(question) + "\n",
        env={name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _result(rates: dict[str, list[float]], steps: int) -> Result:
    plain, own, cached = (median(values) for values in rates.values())

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.barh(list(rates), [plain, own, cached], color=plots.PLATFORM)
        axes.invert_yaxis()
        axes.set_xlabel("training steps per second")

    return Result(
        name="training",
        title=f"LoRA training: {own / plain:.2f} × diffusers' recipe, "
        f"{cached / plain:.2f} × with cached latents",
        method=(
            f"{_PICTURES} pictures of the model's own size, batch {_SETTINGS['batch_size']}, rank "
            f"{_SETTINGS['rank']}, {steps} steps in a process of their own, the three in turn, "
            "medians of the rounds. Loading, and with cached latents the encoding ahead of the "
            "steps, do not count. The recipe is in benchmarks/plain_training.py."
        ),
        targets=[
            Target("ours against diffusers' recipe", own / plain, _RATIO, "×", at_least=True),
            Target("with cached latents", cached / plain, _CACHED_RATIO, "×", at_least=True),
        ],
        data={"steps_per_second": rates},
        draw=draw,
    )
