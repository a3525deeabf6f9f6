"""Small text tables for tests: `frame` turns what a clinician can read into a polars frame."""

from __future__ import annotations

import datetime as dt
import re

import polars as pl


def frame(text: str, **dtypes: pl.DataType | type) -> pl.DataFrame:
    """Returns the frame that a table drawn with | shows; empty cells are null, types are read off the cells.

    A column of whole numbers is Int64, of numbers Float64, of ISO dates Date, of true/false Boolean, else String
    (all-empty: Null unless named in `dtypes`). A rule line of dashes is passed over.
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    lines = [line for line in lines if line and not re.fullmatch(r"[-|+ ]+", line)]
    rows = [[cell.strip() or None for cell in line.split("|")] for line in lines]
    header, cells = [str(name) for name in rows[0]], rows[1:]
    for number, row in enumerate(cells, start=1):
        assert len(row) == len(header), f"table row {number} has {len(row)} cells, the header {len(header)}"
    columns = {name: _typed([row[i] for row in cells]) for i, name in enumerate(header)}
    return pl.DataFrame(
        {name: pl.Series(name, values, dtype=dtypes.get(name)) for name, values in columns.items()}
    )


def _typed(cells: list[str | None]) -> list[object]:
    filled = [cell for cell in cells if cell is not None]
    for pattern, kind in (
        (r"[+-]?\d+", int),
        (r"[+-]?\d+(\.\d+)?", float),
        (r"\d{4}-\d{2}-\d{2}", dt.date.fromisoformat),
        (r"true|false", lambda cell: cell == "true"),
    ):
        if filled and all(re.fullmatch(pattern, cell) for cell in filled):
            return [None if cell is None else kind(cell) for cell in cells]
    return list(cells)
