"""Secrets of a development installation: made once, kept in ``SARTIQ_HOME`` for its owner alone."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

_FILE = "secrets.json"


@dataclass(frozen=True, slots=True)
class DevelopmentSecrets:
    """The values that are generated when the environment names none."""

    api_key: str
    first_superuser_password: str
    secret_key: str

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the secrets, as they are called in the settings."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def generate(cls) -> Self:
        """Fresh secrets of 256 bits (the password: 96 bits, since a person types it)."""
        return cls(
            api_key=f"sk_dev_{secrets.token_urlsafe(32)}",
            first_superuser_password=secrets.token_urlsafe(12),
            secret_key=secrets.token_urlsafe(32),
        )

    @classmethod
    def load_or_create(cls, home: Path) -> Self:
        """Read ``home/secrets.json``, or create it with mode 0600.

        Two processes that start at once agree: the file is linked into place whole, and only one
        link succeeds.
        """
        path = home / _FILE
        if not path.exists():
            home.mkdir(parents=True, exist_ok=True)
            draft = home / f".{_FILE}.{os.getpid()}.{secrets.token_hex(4)}"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(asdict(cls.generate()), file, indent=2)
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return cls(**json.loads(path.read_text()))
