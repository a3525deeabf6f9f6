"""Who was selected, and why the others were not: the flow of patients (STROBE)."""

from __future__ import annotations

import textwrap
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from d2tra.figures.style import Style
from d2tra.tables.cells import format_cell

STEP_MM = 17


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: a box per step that is left over, a side box per step that excluded somebody or could have."""
    steps = tables["selection_flow"].partition_by("row", maintain_order=True)
    cells = [
        {cell["column"]: cell for cell in step.iter_rows(named=True)} | {"row": step["row"][0]}
        for step in steps
    ]
    excluding = cells[1:]
    figure = style.figure("page", STEP_MM * (len(excluding) + 2))
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0, 10)
    axes.set_ylim(len(excluding) + 1.15, -0.4)
    first, last = cells[0], cells[-1]
    _box(axes, 0, 0.0, f"{first['row']}\nn = {format_cell(first['Remaining'])}", style)
    for number, step in enumerate(excluding):
        place = number + 0.5
        _box(axes, 5.6, place, f"{step['row']}: {format_cell(step['Left out'])}", style, pale=True)
        axes.annotate("", (5.6, place), (2.2, place), arrowprops=_arrow(style))
    axes.annotate("", (2.2, len(excluding) - 0.05), (2.2, 0.27), arrowprops=_arrow(style))
    _box(axes, 0, len(excluding) + 0.2, f"In the cohort\nn = {format_cell(last['Remaining'])}", style)
    if "prevalence" in tables:
        outcome = tables["prevalence"].filter(pl.col("row") == tables["prevalence"]["row"].first())
        counts = {cell["column"]: format_cell(cell) for cell in outcome.iter_rows(named=True)}
        said = [f"{name.lower()}: {counts[name]}" for name in ("Met", "Not met", "Not assessable")]
        axes.text(2.2, len(excluding) + 0.85, "\n".join(said), ha="center", va="center")
    return figure


def _box(axes: Axes, x: float, y: float, text: str, style: Style, pale: bool = False) -> None:
    wrapped = "\n".join(textwrap.fill(line, 46) for line in text.split("\n"))
    face = "white" if pale else style.colours["faint"]
    box = {
        "boxstyle": "round,pad=0.4",
        "facecolor": face,
        "edgecolor": style.colours["grey"],
        "linewidth": 0.7,
    }
    if pale:
        axes.text(x, y, wrapped, ha="left", va="center", bbox=box)
    else:
        axes.text(2.2, y, wrapped, ha="center", va="center", bbox=box)


def _arrow(style: Style) -> dict[str, Any]:
    return {
        "arrowstyle": "-|>",
        "color": style.colours["grey"],
        "lw": style.line_width_pt,
        "shrinkA": 0,
        "shrinkB": 2,
    }
