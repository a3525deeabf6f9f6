"""What the DAS28 is made of: its components by group, and the points that each adds."""

from __future__ import annotations

import textwrap
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from d2tra.figures.intervals import draw_intervals, label_rows
from d2tra.figures.style import Style
from d2tra.tables.cells import decimal, format_cell
from d2tra.tables.das28_components import ADDED

ROW_MM, AROUND_MM = 9.0, 46
LABEL_WIDTH = 16  # characters of the name of a component in a line
WORTH_WRITING = 0.25  # points; a narrower part of a bar has no number in it
TERMS = {
    "tender joints": 0,
    "swollen joints": 1,
    "ESR": 2,
    "CRP": 2,
    "patient global": 3,
    "constant": 4,
}  # place in the series
ON_DARK = (0, 2)  # places of the series on which what is written is white


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: above, a panel per component with the median and quartiles of each group; below, a bar per score
    and group, made of the mean points of each term. A suppressed number says so."""
    cells = tables["das28_components"]
    medians = cells.filter(pl.col("kind") == "median_iqr")
    added = cells.filter(pl.col("kind") == "mean_sd")
    components = medians["row"].unique(maintain_order=True).to_list()
    groups = medians["column"].unique(maintain_order=True).to_list()
    bars = added.select("row", "column").unique(maintain_order=True).rows()
    rows = (max(len(groups), 1), max(len(bars), 1))
    figure = style.figure("page", AROUND_MM + ROW_MM * sum(rows))
    above, below = figure.subfigures(  # type: ignore[misc]
        2, 1, height_ratios=(AROUND_MM / 2 + ROW_MM * rows[0], AROUND_MM / 2 + ROW_MM * rows[1])
    )
    for number, component in enumerate(components):
        axes = above.add_subplot(1, len(components), number + 1)
        _draw_component(axes, component, medians.filter(pl.col("row") == component), groups, style)
        if number:
            axes.tick_params(axis="y", labelleft=False)
    _draw_points(below.add_subplot(), added, bars, style)
    return figure


def _draw_component(axes: Axes, name: str, cells: pl.DataFrame, groups: list[str], style: Style) -> None:
    places = [float(groups.index(group)) for group in cells["column"]]
    draw_intervals(axes, cells, places, style.colours["main"])
    for cell, place in zip(cells.iter_rows(named=True), places, strict=True):
        has_point = cell["estimate"] is not None
        axes.annotate(
            format_cell(cell),
            (0.5, place - 0.18 * has_point),
            xycoords=("axes fraction", "data"),
            ha="center",
            va="bottom" if has_point else "center",
            color=style.colours["ink" if has_point else "quiet"],
        )
    label_rows(axes, groups, [float(place) for place in range(len(groups))], 0.9)
    axes.set_xlim(left=0)
    axes.set_title(textwrap.fill(name, LABEL_WIDTH), loc="left")


def _draw_points(axes: Axes, cells: pl.DataFrame, bars: list[tuple[Any, ...]], style: Style) -> None:
    for place, (row, column) in enumerate(bars):
        left = 0.0
        for cell in cells.filter(pl.col("row") == row, pl.col("column") == column).iter_rows(named=True):
            if cell["estimate"] is None:
                axes.text(left, place, f" {format_cell(cell)}", va="center", color=style.colours["quiet"])
                break
            _draw_part(axes, cell, place, left, style)
            left += cell["estimate"]
        else:
            axes.text(left, place, f" {decimal(left, 1)}", va="center", weight="bold")
    names = [f"{row.removesuffix(ADDED)}: {column}" for row, column in bars]
    label_rows(axes, names, [float(place) for place in range(len(bars))], 0.5)
    axes.set_xlim(left=0)
    axes.margins(x=0.08)
    axes.set_xlabel("points of the score (mean of each term)")
    by_colour: dict[int, list[str]] = {}
    for term in cells["level"].unique(maintain_order=True):
        by_colour.setdefault(TERMS[term], []).append(term)
    for place, terms in sorted(by_colour.items()):
        axes.barh(0, 0, color=style.series[place], label=" or ".join(terms))
    if by_colour:
        axes.legend(
            frameon=False,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=len(by_colour),
            borderaxespad=0,
            handlelength=1,
        )


def _draw_part(axes: Axes, cell: dict[str, Any], place: int, left: float, style: Style) -> None:
    colour, points = TERMS[cell["level"]], cell["estimate"]
    axes.barh(place, points, 0.62, left, color=style.series[colour], edgecolor="white", lw=0.6)
    if points >= WORTH_WRITING:
        ink = "white" if colour in ON_DARK else style.colours["ink"]
        axes.text(left + points / 2, place, decimal(points, 1), ha="center", va="center", color=ink)
