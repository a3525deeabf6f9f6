"""A table of results as values: one row per cell. Rounding happens once, here, when a cell is formatted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import polars as pl

from d2tra.estimates import wilson_high, wilson_low

CELLS: dict[str, type[pl.DataType]] = {
    "row": pl.String,
    "level": pl.String,
    "column": pl.String,
    "kind": pl.String,
    "n": pl.Int64,
    "total": pl.Int64,
    "estimate": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "smallest": pl.Int64,
    "note": pl.String,
    "text": pl.String,
}
"""Columns of every table of results. `kind` says what a cell is and what its numbers mean:

count: `n`. proportion: `n` of `total`, `estimate` in percent with its Wilson 95 % limits. median_iqr: `estimate` with the
quartiles as limits, of `n` values. mean_sd: `estimate` with the SD in `low`, of `n` values. estimate: an
odds ratio or a difference with its 95 % limits. step: a step of a curve, `level` its time, `n` the events in it; figures
show it, printed tables do not. on_curve: an estimate read off the steps of its column that stand above it. number: `estimate`. p_value: `estimate`, 0 to 1. text: `text`.
`smallest` is the smallest positive count of patients that the cell's numbers give away (null: `n` itself).
`note` stands beside the cell; "suppressed" means that disclosure control emptied it.
"""

KINDS = (
    "count",
    "proportion",
    "median_iqr",
    "mean_sd",
    "estimate",
    "step",
    "on_curve",
    "number",
    "p_value",
    "text",
)
SUPPRESSED = "[suppressed]"
EMPTY = "–"
SEPARATED = "separated"  # a note; no odds ratio of separated data stands without the word
Cell = dict[str, Any]


def count_cell(row: str, column: str, n: int, level: str | None = None, **more: Any) -> Cell:
    """Returns a cell that counts patients."""
    return {"row": row, "level": level, "column": column, "kind": "count", "n": n, **more}


def proportion_cell(row: str, column: str, n: int, total: int, level: str | None = None, **more: Any) -> Cell:
    """Returns a cell "n of total"; percent and interval are filled in by `as_cells`."""
    return {
        "row": row,
        "level": level,
        "column": column,
        "kind": "proportion",
        "n": n,
        "total": total,
        "estimate": 100 * n / total if total else None,
        **more,
    }


def value_cell(
    kind: str,
    row: str,
    column: str,
    estimate: float | None,
    low: float | None = None,
    high: float | None = None,
    level: str | None = None,
    **more: Any,
) -> Cell:
    """Returns a cell of one number of the given kind, with its limits where the kind has them."""
    numbers = {"estimate": estimate, "low": low, "high": high}
    return {"row": row, "level": level, "column": column, "kind": kind, **numbers, **more}


def text_cell(row: str, column: str, text: str, level: str | None = None, **more: Any) -> Cell:
    """Returns a cell that holds words."""
    return {"row": row, "level": level, "column": column, "kind": "text", "text": text, **more}


def as_cells(cells: Iterable[Cell]) -> pl.DataFrame:
    """Returns the cells as one frame of schema CELLS in the order given, Wilson limits of proportions filled in."""
    frame = pl.DataFrame(list(cells), schema=CELLS)
    share = pl.col("kind") == "proportion"
    limits = {
        "low": wilson_low(pl.col("n"), pl.col("total")),
        "high": wilson_high(pl.col("n"), pl.col("total")),
    }
    return frame.with_columns(
        pl.when(share).then(100 * limit).otherwise(pl.col(name)).fill_nan(None).alias(name)
        for name, limit in limits.items()
    )


def formatted(cells: pl.DataFrame) -> pl.DataFrame:
    """Returns the table as a person reads it: row, level, and one text column per column of the cells.

    Rows and columns stand in the order in which the cells name them first; a place without a cell is "".
    """
    cells = cells.filter(pl.col("kind") != "step")
    columns = cells["column"].unique(maintain_order=True).to_list()
    shown = {(c["row"], c["level"], c["column"]): format_cell(c) for c in cells.iter_rows(named=True)}
    rows = cells.select("row", "level").unique(maintain_order=True).rows()
    texts = [
        [row, level, *(shown.get((row, level, column), "") for column in columns)] for row, level in rows
    ]
    return pl.DataFrame(texts, schema=dict.fromkeys(["row", "level", *columns], pl.String), orient="row")


def format_cell(cell: Cell) -> str:
    """Returns the text of one cell: "12/95 (12.6 %; 7.4–20.8)", "54.0 [45.0–63.0]", "3.53 (0.98–12.72)" …

    An empty cell is "–"; one that disclosure control emptied is "[suppressed]".
    """
    if cell["note"] == "suppressed":
        return SUPPRESSED
    kind, estimate = cell["kind"], cell["estimate"]
    if kind == "text":
        return cell["text"] or EMPTY
    if kind == "count":
        return EMPTY if cell["n"] is None else str(cell["n"])
    if kind == "proportion":
        return _format_proportion(cell)
    if estimate is None:
        return EMPTY
    if kind == "median_iqr":
        places = 0 if 1000 <= abs(estimate) < math.inf else 1  # a calendar year has none
        return f"{decimal(estimate, places)} [{interval(cell['low'], cell['high'], places)}]"
    if kind == "mean_sd":
        return f"{decimal(estimate, 1)} ({decimal(cell['low'], 1)})"
    if kind in ("estimate", "on_curve"):
        limits = interval(cell["low"], cell["high"], 2)
        separated = f" {SEPARATED}" if SEPARATED in (cell["note"] or "") else ""
        return decimal(estimate, 2) + (f" ({limits})" if limits != EMPTY else "") + separated
    if kind == "p_value":
        return "<0.001" if estimate < 0.001 else decimal(estimate, 3)
    return decimal(estimate, 0 if float(estimate).is_integer() else 2)


def _format_proportion(cell: Cell) -> str:
    n, total, percent = cell["n"], cell["total"], cell["estimate"]
    if n is None or total is None:
        return EMPTY
    if percent is None:
        return f"{n}/{total}"
    limits = interval(cell["low"], cell["high"], 1)
    return f"{n}/{total} ({decimal(percent, 1)} %{'' if limits == EMPTY else '; ' + limits})"


def decimal(value: float | None, places: int) -> str:
    """Returns the number with that many decimals, rounded half away from zero; "–" for null, "∞" for infinity."""
    if value is None or value != value:
        return EMPTY
    if abs(value) == float("inf"):
        return "∞" if value > 0 else "−∞"
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    return f"{rounded if rounded else abs(rounded)}".replace("-", "−")


def interval(low: float | None, high: float | None, places: int) -> str:
    """Returns "low–high", "low to high" where a limit is negative, "–" where both are null."""
    if low is None and high is None:
        return EMPTY
    between = " to " if min(low or 0, high or 0) < 0 else "–"
    return f"{decimal(low, places)}{between}{decimal(high, places)}"
