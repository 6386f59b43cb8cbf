"""Names and captions that a training of the studio gets when nobody gives it others."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from uuid import UUID

# Letters that words seldom have two of in a row.
_RARE = "bcdfghjkmnpqrstvwxz"
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def trigger_word(name: str, owner_id: UUID) -> str:
    """A word that no prompt has by chance: the beginning of a name, and letters that follow from
    the id, so that it is the same in every training: ``mirxkqvz``."""
    letters = [letter for letter in _plain(name) if letter.isalpha()]
    number = int.from_bytes(hashlib.sha256(owner_id.bytes).digest()[:8], "big")
    rare = "".join(_RARE[number // len(_RARE) ** place % len(_RARE)] for place in range(5))
    return "".join(letters[:3]) + rare


def adapter_name(name: str, owner_id: UUID) -> str:
    """For the adapters of something called ``name``; the next training of it makes the next
    version."""
    slug = _NOT_SLUG.sub("-", _plain(name)).strip("-")[:60]
    return "-".join(filter(None, (slug, owner_id.hex[-6:])))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
