"""Which definitions are met together: a bar per combination above a matrix that shows who belongs to it (UpSet)."""

from __future__ import annotations

from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import Locator, MaxNLocator, NullLocator

from d2tra.figures.intervals import label_rows
from d2tra.figures.style import Style
from d2tra.tables.agreement import EACH, EXACTLY, OTHERS, TOGETHER
from d2tra.tables.cells import SUPPRESSED

BARS_MM, ROW_MM = 48, 5.2
BELOW_MM = 18  # axis label and footer


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: bars of the patients who meet exactly these definitions, largest first; a dot for each of
    them in the matrix below; at its right how many meet each definition. A suppressed count draws no bar."""
    cells = tables["definition_overlap"]
    each = cells.filter(pl.col("row") == EACH)
    exactly = cells.filter(pl.col("row").is_in([EXACTLY, OTHERS]))
    height_of_rows = ROW_MM * max(each.height, 1)
    figure = style.figure("page", BARS_MM + height_of_rows + BELOW_MM)
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 1), height_ratios=(BARS_MM, height_of_rows))
    matrix = figure.add_subplot(grid[1, 0])
    _draw_matrix(matrix, each["level"].to_list(), exactly["level"].to_list(), style)
    _draw_combinations(figure.add_subplot(grid[0, 0], sharex=matrix), exactly, style)
    _draw_definitions(figure.add_subplot(grid[1, 1], sharey=matrix), each, style)
    return figure


def _draw_matrix(axes: Axes, names: list[str], combinations: list[str | None], style: Style) -> None:
    for row in range(0, len(names), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=style.colours["faint"], alpha=0.6, lw=0)
    for place, combination in enumerate(combinations):
        if combination is None:
            axes.text(place, -0.4, "others", rotation=90, ha="center", va="top")
            continue
        together = combination.split(TOGETHER)
        met = [row for row, name in enumerate(names) if name in together]
        axes.plot([place] * len(names), range(len(names)), "o", color=style.colours["grey"], ms=2, alpha=0.5)
        axes.plot([place, place], [met[0], met[-1]], color=style.colours["ink"], lw=1.4)
        axes.plot([place] * len(met), met, "o", color=style.colours["ink"], ms=6)
    label_rows(axes, names, [float(row) for row in range(len(names))], 0.5)
    axes.set_xlim(-0.7, max(len(combinations), 1) - 0.3)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.spines["bottom"].set_visible(False)


def _draw_combinations(axes: Axes, exactly: pl.DataFrame, style: Style) -> None:
    for place, cell in enumerate(exactly.iter_rows(named=True)):
        colour = style.colours["main" if cell["level"] is not None else "grey"]
        axes.bar(place, cell["n"] or 0, 0.65, color=colour, lw=0)
        turned = 90 if cell["n"] is None else 0
        axes.annotate(_said(cell), (place, cell["n"] or 0), (0, 2), textcoords="offset points", ha="center",
                      va="bottom", rotation=turned)  # fmt: skip
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.yaxis.set_major_locator(_ticks(exactly, 5))
    axes.set_ylim(0, max([n for n in exactly["n"] if n], default=1) * 1.12)
    axes.set_ylabel("patients who meet\nexactly these definitions")


def _draw_definitions(axes: Axes, each: pl.DataFrame, style: Style) -> None:
    for row, cell in enumerate(each.iter_rows(named=True)):
        axes.barh(row, cell["n"] or 0, 0.65, color=style.colours["pale"], lw=0)
        axes.annotate(_said(cell), (cell["n"] or 0, row), (2, 0), textcoords="offset points", va="center")
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(_ticks(each, 3))
    axes.set_xlim(0, max([n for n in each["n"] if n], default=1) * 1.35)
    axes.set_xlabel("patients who meet it")


def _ticks(cells: pl.DataFrame, most: int) -> Locator:
    """Whole numbers; none on an axis without a bar."""
    return MaxNLocator(most, integer=True) if cells["n"].sum() else NullLocator()


def _said(cell: dict[str, Any]) -> str:
    return SUPPRESSED if cell["n"] is None else str(cell["n"])
