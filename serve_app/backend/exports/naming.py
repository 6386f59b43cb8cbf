"""Names of delivered files, from a template such as ``{sku}_{view}_{framing}.{ext}``."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from string import Formatter

from db.models import Brand, Shooting
from db.repositories.exports import Deliverable

FIELDS = (
    "sku",
    "product",
    "look",
    "subject",
    "shot_type",
    "framing",
    "view",
    "brand",
    "shooting",
    "index",
    "ext",
)
_EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp"}
# What no file system or shell minds.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 120


class BadTemplate(ValueError):
    """The template cannot name files; the text says why."""


def check_template(template: str) -> None:
    """Raise unless every field is known and the extension comes last.

    Raises:
        BadTemplate: as it says.
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise BadTemplate(f"the template is not well formed: {error}") from error
    for _, field, spec, conversion in parts:
        if field is not None and (field not in FIELDS or spec or conversion):
            raise BadTemplate(f"there is no field {{{field}}}; use {', '.join(FIELDS)}")
    if not template.endswith(".{ext}"):
        raise BadTemplate("the template must end with .{ext}")


class Names:
    """Names for the files of one archive, each of them once."""

    def __init__(self, template: str, shooting: Shooting, brand: Brand, file_format: str) -> None:
        self._stem = template.removesuffix(".{ext}")
        self._common = {"brand": brand.name, "shooting": shooting.name}
        self._extension = _EXTENSIONS[file_format]
        self._used: Counter[str] = Counter()

    def of(self, one: Deliverable, index: int) -> str:
        """The name of an image; ``index`` counts from 1."""
        values: Mapping[str, object] = self._common | {
            "sku": one.product.sku,
            "product": one.product.name,
            "look": one.look.name or f"look-{one.look.id.hex[-6:]}",
            "subject": one.subject.name,
            "shot_type": one.shot_type.name,
            "framing": one.shot_type.framing.value,
            "view": one.shot_type.view.value,
            "index": f"{index:03d}",
            "ext": self._extension,
        }
        parts = {name: _safe(str(value)) for name, value in values.items()}
        stem = _safe(self._stem.format(**parts))[:_LONGEST] or f"image-{index:03d}"
        # Archives are unpacked on disks that do not tell upper case from lower case.
        self._used[stem.lower()] += 1
        count = self._used[stem.lower()]
        number = "" if count == 1 else f"-{count}"
        return f"{stem}{number}.{self._extension}"


def _safe(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _UNSAFE.sub("-", plain).strip("-.")
