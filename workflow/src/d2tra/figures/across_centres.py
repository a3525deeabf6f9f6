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
    """Returns the figure: per factor a line per centre, then a diamond per level named in `pooled` (level → colour); the
    prediction interval is the thin line through its diamond.

    `odds_ratio` and `prediction` are the columns of the cells that hold them.
    """
    shown = cells.filter(pl.col("column") == odds_ratio)
    expected = {
        (c["row"], c["level"]): c for c in cells.filter(pl.col("column") == prediction).iter_rows(named=True)
    }
    lines: list[tuple[str, dict[str, Any] | None]] = []
    for row in shown["row"].unique(maintain_order=True):
        lines.append((row, None))
        lines += [(line["level"], line) for line in shown.filter(pl.col("row") == row).iter_rows(named=True)]
    figure = style.figure("page", HEAD_MM + BODY_MM * max(len(lines), 1))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.axvline(1, color=style.colours["grey"], lw=style.line_width_pt, ls=(0, (3, 3)))
    for place, (_, held) in enumerate(lines):
        if held is None:
            continue
        cell, one = held, pl.DataFrame([held], schema=cells.schema)
        colour = style.colours.get(pooled.get(cell["level"], ""), "")
        if colour and cell["estimate"] is not None:
            _draw_diamond(axes, cell, place, colour, expected.get((cell["row"], cell["level"])))
        else:
            draw_intervals(axes, one, [place], style.colours["ink"], "s")
        write_beside(axes, one, [place], style)
    label_rows(axes, [label for label, _ in lines], [float(place) for place in range(len(lines))])
    for label, (_, held) in zip(axes.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if held is None else "normal")
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
