"""``python -m benchmarks [names…] [--quick]``, which is ``make bench``.

The exit status is 1 when a benchmark crashed. A target that is missed is said, in the table and in
the JSON, and is no failure of the run.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from benchmarks.context import PRODUCT, Context, open_context
from benchmarks.harness import Result, summary
from benchmarks.machine import Machine
from configs.settings import CHECKOUT

# In this order: the one that needs no platform first, memory last, when everything has worked.
BENCHMARKS = (
    "backlog",
    "hosted",
    "start",
    "task",
    "four_images",
    "throughput",
    "loras",
    "training",
    "subject",
    "reads",
    "limits",
    "fairness",
    "quotes",
    "studio",
    "streams",
    "workflows",
    "memory",
)
RESULTS = CHECKOUT / "benchmarks" / "results"
QUICK_RESULTS = CHECKOUT / "outputs" / "benchmarks-quick"

console = Console(highlight=False)


def main() -> int:
    """Run the benchmarks that are named, or all; the exit status."""
    arguments = _arguments()
    # What was started is ended by the way out, also when a supervisor of ours asks us to go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = Machine.look()
    if not machine.is_quiet:
        console.print(
            f"[yellow]The machine is busy ({machine.busy:.0%} of its processors, load "
            f"{machine.load[0]:.1f}): these will not be the platform's numbers.[/]"
        )
    folder = arguments.out or (QUICK_RESULTS if arguments.quick else RESULTS)
    with (
        console.status("") as status,
        open_context(
            model=arguments.model,
            quick=arguments.quick,
            product=arguments.product,
            say=status.update,
        ) as context,
    ):
        outcomes: dict[str, Result | Exception] = {}
        for name in arguments.names or BENCHMARKS:
            context.say(name)
            outcomes[name] = _run(name, context, machine, folder)
    console.print(summary(outcomes))
    console.print(f"Results: {folder}", soft_wrap=True)
    return int(any(isinstance(outcome, Exception) for outcome in outcomes.values()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions, into outputs/: does it all work?"
    )
    parser.add_argument("--model", help="a catalog entry of the family sd-instruct")
    parser.add_argument("--product", type=Path, default=PRODUCT, help="a product picture")
    parser.add_argument("--out", type=Path, help="folder for the results")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    return arguments


def _run(name: str, context: Context, machine: Machine, folder: Path) -> Result | Exception:
    module = importlib.import_module(f"benchmarks.{name}")
    try:
        result: Result = module.run(context)
        run = {"model": context.model.name, "quick": context.quick}
        result.write(folder, machine, run)
    except Exception as error:  # noqa: BLE001 - the other benchmarks shall run all the same
        console.print_exception()
        return error
    for target in result.targets:
        verdict = "[green]ok[/]" if target.ok else "[red]missed[/]"
        console.print(
            f"{name}: {escape(target.claim)}: {target.measured:.4g} {target.unit} {verdict}"
        )
    return result


if __name__ == "__main__":
    sys.exit(main())
