"""One picture that shows what went in and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont, ImageOps

Size = tuple[int, int]

_CELL: Size = (256, 384)
_GAP = 24
_MARGIN = 48
_HEADER = 100
_CAPTION = 30
_CHECK = 12

_PAPER = (247, 245, 241)
_INK = (32, 30, 28)
_MUTED = (122, 116, 108)
_LINE = (222, 217, 209)
_LIGHT, _DARK = (255, 255, 255), (226, 226, 226)


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture, of any size and mode, and the words under it."""

    picture: Image.Image
    caption: str


def compose(
    title: str,
    subtitle: str,
    product: Panel,
    generated: Sequence[Panel],
    processed: Sequence[Panel],
) -> Image.Image:
    """The product at the left, two rows high; beside it what was made, in columns of two.

    Args:
        title: in large letters.
        subtitle: in small ones under it.
        product: what all of it began with.
        generated: on-model pictures, column by column.
        processed: what was made of them; transparency shows a checkerboard.

    Returns:
        An RGB picture as wide as the panels need.
    """
    cells = _columns([*generated, *processed])
    width, height = _CELL
    tall = (2 * width + _GAP, 2 * height + _GAP + _CAPTION)
    right = _MARGIN + tall[0] + (max(x for x, _ in cells) + 1) * (width + _GAP)
    sheet = Image.new("RGB", (right + _MARGIN, _HEADER + tall[1] + _CAPTION + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 28), title, _INK, ImageFont.load_default(30))
    draw.text((_MARGIN, 66), subtitle, _MUTED, ImageFont.load_default(14))
    _place(sheet, product, (_MARGIN, _HEADER), tall)
    for panel, (column, row) in zip((*generated, *processed), cells, strict=True):
        x = _MARGIN + tall[0] + _GAP + column * (width + _GAP)
        y = _HEADER + row * (height + _CAPTION + _GAP)
        _place(sheet, panel, (x, y), _CELL)
    return sheet


def _columns(panels: Sequence[Panel]) -> list[tuple[int, int]]:
    """Column and row of each panel, two to a column."""
    return [divmod(number, 2) for number in range(len(panels))]


def _place(sheet: Image.Image, panel: Panel, at: tuple[int, int], size: Size) -> None:
    """Draw a panel with its frame and caption; the picture keeps its shape."""
    x, y = at
    width, height = size
    picture = ImageOps.contain(panel.picture.convert("RGBA"), size, Image.Resampling.LANCZOS)
    transparent = picture.getchannel("A").getextrema() != (255, 255)
    ground = _checkerboard(size) if transparent else Image.new("RGB", size, _LIGHT)
    inset = ((width - picture.width) // 2, (height - picture.height) // 2)
    ground.paste(picture, inset, picture)
    sheet.paste(ground, at)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((x, y, x + width - 1, y + height - 1), outline=_LINE)
    draw.text((x, y + height + 8), panel.caption, _MUTED, ImageFont.load_default(13))


def _checkerboard(size: Size) -> Image.Image:
    board = Image.new("RGB", size, _LIGHT)
    draw = ImageDraw.Draw(board)
    for y in range(0, size[1], _CHECK):
        for x in range((y // _CHECK % 2) * _CHECK, size[0], 2 * _CHECK):
            draw.rectangle((x, y, x + _CHECK - 1, y + _CHECK - 1), _DARK)
    return board


def grid(pictures: Sequence[Image.Image], *, columns: int, height: int = 192) -> Image.Image:
    """Pictures row by row, each ``height`` pixels high: an RGB picture."""
    cells = [ImageOps.contain(one.convert("RGB"), (4 * height, height)) for one in pictures]
    width = max(cell.width for cell in cells)
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), _PAPER)
    for index, cell in enumerate(cells):
        sheet.paste(cell, (index % columns * width, index // columns * height))
    return sheet
