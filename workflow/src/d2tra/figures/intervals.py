"""Points with 95 % intervals, one line per row: the common body of several figures."""

from __future__ import annotations

from textwrap import fill

import polars as pl
from matplotlib.axes import Axes

from d2tra.figures.style import Style
from d2tra.tables.cells import SUPPRESSED, format_cell

HIDDEN = "×"  # of a field too narrow for the word, which stands beside it in the legend


def draw_intervals(
    axes: Axes, cells: pl.DataFrame, places: list[float], colour: str, marker: str = "o"
) -> None:
    """Draws one point with its interval per cell at the given heights; a cell without an estimate draws nothing."""
    for cell, place in zip(cells.iter_rows(named=True), places, strict=True):
        if cell["estimate"] is None:
            continue
        if cell["low"] is not None:
            axes.plot(
                [cell["low"], cell["high"]], [place, place], color=colour, lw=1.4, solid_capstyle="butt"
            )
        axes.plot(cell["estimate"], place, color=colour, ms=4.5, ls="none", marker=marker, clip_on=False)


def write_beside(axes: Axes, cells: pl.DataFrame, places: list[float], style: Style) -> None:
    """Writes each cell's numbers, as every table prints them, right of the axes."""
    for cell, place in zip(cells.iter_rows(named=True), places, strict=True):
        axes.annotate(
            format_cell(cell),
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=style.font_size_pt,
            annotation_clip=False,
        )


def label_rows(axes: Axes, labels: list[str], places: list[float], margin: float = 0.6) -> None:
    """Names the rows at the left, first row on top, without tick marks."""
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(max(places, default=0) + margin, min(places, default=0) - margin)


def said_of_suppressed(cells: pl.DataFrame, row: str) -> str:
    """Returns which levels of a row have a number held back; "" where none has."""
    own = cells.filter((pl.col("row") == row) & (pl.col("note") == "suppressed"))
    levels = own["level"].unique(maintain_order=True).drop_nulls().to_list()
    return fill(f"{SUPPRESSED}: {', '.join(levels)}", 34) if own.height else ""
