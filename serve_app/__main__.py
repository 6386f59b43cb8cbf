"""`sartiq`, and `python -m serve_app`."""

from __future__ import annotations

import signal
import sys

from pydantic import ValidationError

from configs.catalog import CatalogError
from configs.settings import SettingsError
from serve_app.cli.app import app
from serve_app.cli.console import CommandError, errors, show_error
from serve_app.client import ClientError

# What is wrong with the world, in words of ours; anything else is a fault of this program.
_EXPECTED = (CatalogError, ClientError, CommandError, OSError, SettingsError, TimeoutError)
_INTERRUPTED = 130
_TERMINATED = 143


def main() -> None:
    """Run one command. A failure is one sentence and exit code 1; Ctrl-C exits with 130."""
    debug = "--debug" in sys.argv
    # What a command has started is ended by its `finally` blocks: SIGTERM must run them too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last place that can say it in one sentence
        if debug:
            errors.print_exception()
        show_error(describe(error))
        sys.exit(1)


def describe(error: Exception) -> str:
    """One sentence about an error."""
    if isinstance(error, ValidationError):
        return "; ".join(_setting(item["loc"], item["msg"]) for item in error.errors())
    text = str(error) or type(error).__name__
    if isinstance(error, _EXPECTED) or type(error).__module__.startswith(("db.", "serve_app.")):
        return text
    return f"unexpected {type(error).__name__}: {text} (--debug shows where)"


def _setting(loc: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    name = "_".join(str(part) for part in loc).upper()
    if not name:
        return text
    return f"{name if name in _PLAIN else f'SARTIQ_{name}'}: {text}"


# Settings that operators know by a name without our prefix.
_PLAIN = frozenset(
    {
        "API_KEY",
        "DATABASE_URL",
        "FIRST_SUPERUSER_EMAIL",
        "FIRST_SUPERUSER_PASSWORD",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "STORAGE_URL",
    }
)


if __name__ == "__main__":
    main()
