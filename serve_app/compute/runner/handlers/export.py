"""Tasks of type ``export``: pictures in storage to one ZIP, with a manifest."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Mapping
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, ImageOps

from deployments.contracts import Pixels
from serve_app.compute.runner.handlers.base import Work
from serve_app.core.images import decode_pixels

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_TRANSPARENT = "transparent"


class ExportHandler:
    """Writes the archive to a file as it goes: what is in memory is one picture at a time."""

    async def run(self, work: Work) -> dict[str, Any]:
        """Convert, pack, store; see `Handler.run`."""
        config = work.task.config
        with tempfile.TemporaryDirectory(prefix="sartiq-export-") as folder:
            path = Path(folder) / "export.zip"
            work.timeline.enter("pack")
            rows = await self._write(work, path)
            work.timeline.enter("store")
            stored = await work.resources.store.put(
                f"{work.exports_folder}/{work.task.attempt}-{config['name']}",
                path,
                "application/zip",
            )
        file = {"path": stored.path, "size": stored.size, "content_type": stored.content_type}
        return {"images": [], "file": file | {"files": len(rows)}}

    async def _write(self, work: Work, path: Path) -> list[dict[str, Any]]:
        config = work.task.config
        entries = config["entries"]
        rows: list[dict[str, Any]] = []
        # Pictures are compressed already.
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for number, entry in enumerate(entries, 1):
                data = await work.resources.store.get(entry["path"])
                media = work.resources.settings.media
                pixels = await asyncio.to_thread(decode_pixels, data, media, keep_alpha=True)
                for layout in config["layouts"]:
                    row = await asyncio.to_thread(_add, archive, pixels, entry, layout, config)
                    rows.append(row)
                work.report(number / len(entries))
            # Those of a workflow belong to no shooting.
            about = {"shooting": config["shooting"]} if "shooting" in config else {}
            manifest = {**about, "files": rows}
            archive.writestr("manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False))
            archive.writestr("manifest.csv", _as_csv(rows))
        return rows


def _add(
    archive: zipfile.ZipFile,
    pixels: Pixels,
    entry: Mapping[str, Any],
    layout: Mapping[str, Any],
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """One picture in one layout; its line of the manifest."""
    picture = lay_out(Image.fromarray(pixels), layout, keeps_alpha=config["format"] != "jpeg")
    data = _encode(picture, config["format"], config["quality"])
    folder = f"{layout['name']}/" if layout.get("name") else ""
    name = folder + entry["filename"]
    archive.writestr(name, data)
    facts = {
        "file": name,
        "layout": layout.get("name") or "",
        "width": picture.width,
        "height": picture.height,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return {**facts, **entry["facts"]}


def lay_out(picture: Image.Image, layout: Mapping[str, Any], *, keeps_alpha: bool) -> Image.Image:
    """A picture as a layout wants it.

    Args:
        picture: RGB or RGBA.
        layout: ``width`` and ``height`` in pixels (absent: the picture's own), ``padding`` as a
            share of the shorter side, ``fit`` (``contain`` or ``cover``), ``background`` as
            ``#rrggbb`` or ``transparent``.
        keeps_alpha: whether the file can be transparent; white shows where it cannot.
    """
    width = layout.get("width") or picture.width
    height = layout.get("height") or picture.height
    margin = round(layout.get("padding", 0.0) * min(width, height))
    inner = (max(1, width - 2 * margin), max(1, height - 2 * margin))
    resize = ImageOps.fit if layout.get("fit") == "cover" else ImageOps.contain
    fitted = picture if inner == picture.size else resize(picture, inner, Image.Resampling.LANCZOS)
    background = layout.get("background") or "#ffffff"
    ground = (255, 255, 255, 0) if background == _TRANSPARENT else background
    canvas = Image.new("RGBA", (width, height), ground)
    corner = ((width - fitted.width) // 2, (height - fitted.height) // 2)
    canvas.alpha_composite(fitted.convert("RGBA"), corner)
    if keeps_alpha and background == _TRANSPARENT:
        return canvas
    flat = Image.new("RGB", canvas.size, "#ffffff")
    flat.paste(canvas.convert("RGB"), mask=canvas.getchannel("A"))
    return flat


def _encode(picture: Image.Image, file_format: str, quality: int) -> bytes:
    buffer = BytesIO()
    options: dict[str, Any] = {"icc_profile": _SRGB}
    if file_format == "jpeg":
        options |= {"quality": quality, "subsampling": "4:4:4", "optimize": True}
    elif file_format == "webp":
        options |= {"quality": quality, "method": 4}
    picture.save(buffer, file_format.upper(), **options)
    return buffer.getvalue()


def _as_csv(rows: list[dict[str, Any]]) -> str:
    text = StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _harmless(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula, as text."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@"}:
        return f"'{value}"
    return value
