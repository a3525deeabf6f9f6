"""Predicted against observed risk in patients that a model has not seen, by group of predicted risk."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure

from d2tra.figures.intervals import said_of_suppressed
from d2tra.figures.style import Style
from d2tra.tables.validation import MEAN_RISK, OBSERVED

COLUMNS = 2


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: a panel per model and cohort, a point with 95 % interval per group that is not held back, and
    the line on which predicted and observed risks are the same."""
    cells = tables["calibration"]
    rows = cells["row"].unique(maintain_order=True).to_list()
    columns = min(COLUMNS, len(rows))
    n_lines = -(-len(rows) // columns)
    figure = style.figure("page", 32 + 78 * n_lines)
    points = {row: _points(cells, row) for row in rows}
    most = max([10.0, *(point["high"] for found in points.values() for point in found)])
    top = min(100.0, 10 * (most // 10 + 1))
    for number, (row, found) in enumerate(points.items()):
        axes = figure.add_subplot(n_lines, columns, number + 1)
        axes.plot([0, top], [0, top], color=style.colours["grey"], ls=(0, (3, 3)))
        for point in found:
            place = [point["risk"], point["risk"]]
            axes.plot(
                place, [point["low"], point["high"]], color=_colour(style), lw=1.4, solid_capstyle="butt"
            )
            axes.plot(point["risk"], point["estimate"], "o", ms=4.5, color=_colour(style), clip_on=False)
        axes.text(
            0.99, 0.02, said_of_suppressed(cells, row), ha="right", va="bottom", transform=axes.transAxes
        )
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        axes.set_box_aspect(1)
        axes.set_title(row.replace(", made", ",\nmade").replace(", applied", ",\napplied"), loc="left")
        axes.set_xlabel("mean predicted risk, %")
        axes.set_ylabel("observed: met, % (95 % interval)")
    return figure


def _colour(style: Style) -> str:
    return next(iter(style.colours.values()))


def _points(cells: pl.DataFrame, row: str) -> list[dict[str, float]]:
    """Predicted risk with the observed share and its limits, of every group in which both are shown."""
    own = cells.filter(pl.col("row") == row)
    risks = own.filter(pl.col("column") == MEAN_RISK).select("level", risk="estimate")
    observed = own.filter(pl.col("column") == OBSERVED).select("level", "estimate", "low", "high")
    return risks.join(observed, on="level", maintain_order="left").drop_nulls().drop("level").to_dicts()
