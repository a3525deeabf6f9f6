"""Which definitions, or criteria, are met together: a bar per combination above a matrix of what it holds (UpSet)."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import Locator, MaxNLocator, NullLocator

from d2tra.figures.intervals import label_rows
from d2tra.figures.style import Style
from d2tra.tables.agreement import EACH, EXACTLY, OTHERS, TOGETHER
from d2tra.tables.cells import SUPPRESSED
from d2tra.tables.criteria_overlap import EACH as EACH_CRITERION
from d2tra.tables.criteria_overlap import EXACTLY as EXACTLY_CRITERIA
from d2tra.tables.criteria_overlap import UNKNOWN

BARS_MM, ROW_MM = 48, 5.2
BELOW_MM = 18  # axis label and footer
LABEL_WIDTH = 34  # characters in a line of a name
LINE_MM = 3.4


@dataclass(frozen=True)
class _Block:
    """A matrix with its bars. `each`: a cell per row of the matrix, `names` what combinations call it; `unknown`: how many could
    not be judged by it; `exactly`: a cell per combination, of `what`."""

    each: pl.DataFrame
    names: list[str]
    exactly: pl.DataFrame
    what: str
    unknown: pl.DataFrame | None = None

    @property
    def labels(self) -> list[str]:
        return [textwrap.fill(level, LABEL_WIDTH) for level in self.each["level"]]

    @property
    def height_of_rows(self) -> float:
        """In mm, that of a row by the longest label."""
        most = max((label.count("\n") for label in self.labels), default=0)
        return (ROW_MM + LINE_MM * most) * max(len(self.labels), 1)


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: bars of the patients who meet exactly these definitions, largest first; a dot for each of
    them in the matrix below; at its right how many meet each definition. A suppressed count draws no bar."""
    cells = tables["definition_overlap"]
    each = cells.filter(pl.col("row") == EACH)
    exactly = cells.filter(pl.col("row").is_in([EXACTLY, OTHERS]))
    return _draw_blocks([_Block(each, each["level"].to_list(), exactly, "definitions")], style)


def draw_criteria(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: the same for the criteria of the primary definition, and below for the items of each that asks for
    any of several; a pale bar at the right goes on for those in whom it could not be judged."""
    cells, blocks = tables["criteria_overlap"], []
    of_each = cells.filter(pl.col("row").str.starts_with(f"{EACH_CRITERION}: "))
    for row in of_each["row"].unique(maintain_order=True):
        group = row.removeprefix(f"{EACH_CRITERION}: ")
        every = of_each.filter(pl.col("row") == row)
        each = every.filter(pl.col("column") != UNKNOWN)
        names = [level.split(" ")[0] for level in each["level"]]
        exactly = cells.filter(pl.col("row") == f"{EXACTLY_CRITERIA}: {group}")
        exactly = exactly.sort("n", descending=True, nulls_last=True, maintain_order=True)
        blocks.append(_Block(each, names, exactly, group, every.filter(pl.col("column") == UNKNOWN)))
    return _draw_blocks(blocks, style)


def _draw_blocks(blocks: list[_Block], style: Style) -> Figure:
    heights = [height for block in blocks for height in (BARS_MM, block.height_of_rows)]
    figure = style.figure("page", sum(heights) + BELOW_MM * max(len(blocks), 1))
    if not blocks:
        figure.text(0.5, 0.5, "No combination to show", ha="center")
        return figure
    grid = figure.add_gridspec(len(heights), 2, width_ratios=(3, 1), height_ratios=heights)
    for number, block in enumerate(blocks):
        above, below = 2 * number, 2 * number + 1
        matrix = figure.add_subplot(grid[below, 0])
        _draw_matrix(matrix, block, style)
        _draw_combinations(figure.add_subplot(grid[above, 0], sharex=matrix), block, style)
        _draw_each(figure.add_subplot(grid[below, 1], sharey=matrix), block, style)
    return figure


def _draw_matrix(axes: Axes, block: _Block, style: Style) -> None:
    names, combinations = block.names, block.exactly["level"].to_list()
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
    label_rows(axes, block.labels, [float(row) for row in range(len(names))], 0.5)
    axes.set_xlim(-0.7, max(len(combinations), 1) - 0.3)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.spines["bottom"].set_visible(False)


def _draw_combinations(axes: Axes, block: _Block, style: Style) -> None:
    exactly = block.exactly
    for place, cell in enumerate(exactly.iter_rows(named=True)):
        colour = style.colours["main" if cell["level"] is not None else "grey"]
        axes.bar(place, cell["n"] or 0, 0.65, color=colour, lw=0)
        turned = 90 if cell["n"] is None else 0
        axes.annotate(_said(cell), (place, cell["n"] or 0), (0, 2), textcoords="offset points", ha="center",
                      va="bottom", rotation=turned)  # fmt: skip
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.yaxis.set_major_locator(_ticks(exactly, 5))
    axes.set_ylim(0, max([n for n in exactly["n"] if n], default=1) * 1.12)
    axes.set_ylabel(f"patients who meet exactly\nthese {block.what}")


def _draw_each(axes: Axes, block: _Block, style: Style) -> None:
    n_unknown = block.unknown["n"].fill_null(0) if block.unknown is not None else [0] * block.each.height
    most = 1
    for row, (cell, further) in enumerate(zip(block.each.iter_rows(named=True), n_unknown, strict=True)):
        n = cell["n"] or 0
        axes.barh(row, n, 0.65, color=style.colours["pale"], lw=0)
        if further:
            axes.barh(row, further, 0.65, n, color=style.colours["grey"], alpha=0.5, lw=0)
        axes.annotate(_said(cell), (n + further, row), (2, 0), textcoords="offset points", va="center")
        most = max(most, n + further)
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(_ticks(block.each, 3))
    axes.set_xlim(0, most * 1.35)
    axes.set_xlabel(
        "patients who meet it" + ("\n(grey: not assessable)" if block.unknown is not None else ""),
        loc="right",
    )


def _ticks(cells: pl.DataFrame, most: int) -> Locator:
    """Whole numbers; none on an axis without a bar."""
    return MaxNLocator(most, integer=True) if cells["n"].sum() else NullLocator()


def _said(cell: dict[str, Any]) -> str:
    return SUPPRESSED if cell["n"] is None else str(cell["n"])
