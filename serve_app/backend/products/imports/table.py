"""A CSV file of products to rows of cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from serve_app.core.errors import UnprocessableField

COLUMNS = (
    "name",
    "sku",
    "family",
    "category",
    "gender",
    "color",
    "materials",
    "description",
    "caption",
    "brand",
    "image_url",
)
MAX_ROWS = 1_000
MAX_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """A row as a spreadsheet numbers it, and its cells by column; empty ones are left out."""

    number: int
    cells: Mapping[str, str]


def read_table(data: bytes) -> list[Row]:
    """The rows of a CSV file in UTF-8, with commas or semicolons, and a header.

    Raises:
        UnprocessableField: it is none, has other columns than ``COLUMNS``, or too many rows.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        _refuse("The file is not in UTF-8; save it as “CSV UTF-8”")
    try:
        lines = [
            *csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        ]
    except csv.Error as error:
        _refuse(f"The file is no CSV: {error}")
    header = _header(lines[0] if lines else [])
    # Blank lines count in a spreadsheet, but are no products.
    rows = [
        Row(number, _cells(number, header, line))
        for number, line in enumerate(lines[1:], 2)
        if any(map(str.strip, line))
    ]
    if len(rows) > MAX_ROWS:
        _refuse(f"The file has {len(rows):,} products; split it into files of {MAX_ROWS:,}")
    if not rows:
        _refuse("The file has no products below its header")
    return rows


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return ";" if first.count(";") > first.count(",") else ","


def _header(line: list[str]) -> list[str]:
    names = [name.strip().lower() for name in line]
    if unknown := [name for name in names if name not in COLUMNS]:
        _refuse(f"There is no column {unknown[0][:100]!r}; use {', '.join(COLUMNS)}")
    if len(set(names)) < len(names):
        _refuse("Two columns have the same name")
    if "sku" not in names:
        _refuse("The column sku is missing")
    return names


def _cells(number: int, header: list[str], line: list[str]) -> dict[str, str]:
    if any(map(str.strip, line[len(header) :])):
        _refuse(f"Row {number} has more cells than the header; put quotes around its texts")
    cells = zip(header, map(str.strip, line), strict=False)
    return {name: value for name, value in cells if value}


def _refuse(detail: str) -> NoReturn:
    raise UnprocessableField(detail, ("body", "file"))
