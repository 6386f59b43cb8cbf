"""Can the bundled model learn a person, and how long does it take?"""

from __future__ import annotations

from typing import Final

from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.context import Context
from benchmarks.harness import Result, Target
from configs.settings import CHECKOUT
from training.contracts import TrainingConfig
from training.pretraining.judges import store
from training.pretraining.subjects import (
    PICTURES,
    PROMPTS,
    RECIPE,
    STEPS,
    TRIGGER,
    Verdict,
    judge_subject,
    sheet,
)

_MINUTES = 10.0
_PERCENT = 85.0
_SHEET: Final = CHECKOUT / "docs" / "images" / "trained-subject.png"


def run(context: Context) -> Result:
    """Train as the platform does, then judge pictures of other clothes and places."""
    context.say("subject: training")
    config = TrainingConfig(
        steps=context.times(STEPS, 8), trigger_word=TRIGGER, checkpoint_every=100, **RECIPE
    )
    verdict = judge_subject(store.load(), config)
    if not context.quick:
        sheet(verdict.rows).save(_SHEET, optimize=True)
    return _result(verdict, config)


def _result(verdict: Verdict, config: TrainingConfig) -> Result:
    minutes = verdict.seconds / 60
    identity, garment = verdict.having["identity"], verdict.having["garment"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        names = list(verdict.having)
        places = range(len(names))
        for offset, shares, label, colour in (
            (-0.27, verdict.without, "without the LoRA", plots.OTHER),
            (0.0, verdict.having, "with it", plots.PLATFORM),
            (0.27, verdict.drawn, "renders", plots.DRAWN),
        ):
            axes.barh(
                [place + offset for place in places],
                [100 * shares[name] for name in names],
                height=0.27,
                label=label,
                color=colour,
            )
        axes.set_yticks(list(places), [name.replace("_", " ") for name in names])
        axes.invert_yaxis()
        axes.set_xlabel("% of the pictures")
        axes.set_xlim(0, 135)  # Room for the legend.
        plots.limit(axes, _PERCENT, "target", vertical=True)
        plots.tidy(axes)

    return Result(
        name="subject",
        title=f"One person, learnt in {minutes:.1f} minutes: {identity:.0%} show her, "
        f"{garment:.0%} the garment",
        method=(
            f"A LoRA from {PICTURES} renders of one identity in other clothes, {config.steps} "
            f"steps of {config.batch_size}, rank {config.rank}, as the model's defaults have it. "
            f"Then {PROMPTS} pictures of prompts with its trigger word, judged by classifiers "
            "that saw renders only. The identity counts if skin, hair style, hair colour and body "
            "are all right."
        ),
        targets=[
            Target("time to train", minutes, _MINUTES, "min"),
            Target("pictures of the person", 100 * identity, _PERCENT, "%", at_least=True),
            Target("of the garment asked for", 100 * garment, _PERCENT, "%", at_least=True),
        ],
        data={
            "training_seconds": verdict.seconds,
            "phases_seconds": dict(verdict.phases),
            "without": dict(verdict.without),
            "with": dict(verdict.having),
            "drawn": dict(verdict.drawn),
            "judges_on_held_out_renders": dict(verdict.judges),
        },
        draw=draw,
    )
