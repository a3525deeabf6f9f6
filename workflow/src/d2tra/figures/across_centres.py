"""Odds ratios across centres: a square per centre, a diamond for the common and the random effect, on a log axis."""

from __future__ import annotations

from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from d2tra.figures.forest import LIMITS, TICKS
from d2tra.figures.intervals import draw_intervals, label_rows, write_beside
from d2tra.figures.style import Style

BODY_MM, HEAD_MM = 4.4, 24.0
HALF = 0.32  # of a line: half the height of a diamond


def draw(
    cells: pl.DataFrame, style: Style, odds_ratio: str, prediction: str, pooled: dict[str, str]
) -> Figure:
    """Returns the figure: per factor a line per centre with an estimate, then a diamond per level of `pooled` (→ colour).

    `odds_ratio` and `prediction` are the columns of the cells that hold them; the prediction interval is the thin line
    through its diamond. What is held back has no line; its row in the table says so.
    """
    shown = cells.filter(pl.col("column") == odds_ratio, pl.col("kind") == "estimate")
    expected = {
        (c["row"], c["level"]): c for c in cells.filter(pl.col("column") == prediction).iter_rows(named=True)
    }
    lines: list[tuple[str, dict[str, Any] | None]] = []
    for row in shown["row"].unique(maintain_order=True):
        lines.append((row, None))
        lines += [(cell["level"], cell) for cell in shown.filter(pl.col("row") == row).iter_rows(named=True)]
    figure = style.figure("page", HEAD_MM + BODY_MM * len(lines))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.axvline(1, color=style.colours["grey"], lw=style.line_width_pt, ls=(0, (3, 3)))
    for place, (level, line) in enumerate(lines):
        if line is None:
            continue
        one = pl.DataFrame([line], schema=cells.schema)
        if level in pooled:
            _draw_diamond(axes, line, place, style.colours[pooled[level]], expected.get((line["row"], level)))
        else:
            draw_intervals(axes, one, [place], style.colours["ink"], "s")
        write_beside(axes, one, [place], style)
    label_rows(axes, [label for label, _ in lines], [float(place) for place in range(len(lines))])
    for label, (_, line) in zip(axes.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if line is None else "normal")
    axes.set_xlim(*LIMITS)
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(
        "odds ratio (95 % interval; log scale)\nthin line through a diamond: 95 % prediction interval"
    )
    return figure


def _draw_diamond(
    axes: Axes, cell: dict[str, Any], place: float, colour: str, expected: dict[str, Any] | None
) -> None:
    if expected and expected["low"] is not None:
        axes.plot([expected["low"], expected["high"]], [place, place], color=colour, lw=0.9)
    corners_x = [cell["low"], cell["estimate"], cell["high"], cell["estimate"]]
    axes.fill(corners_x, [place, place - HALF, place, place + HALF], color=colour, lw=0)
