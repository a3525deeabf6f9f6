"""Net benefit of acting on a model's risks, on everybody and on nobody, over threshold risks."""

from __future__ import annotations

from typing import Any

import polars as pl
from matplotlib.figure import Figure

from d2tra.figures.intervals import said_of_suppressed
from d2tra.figures.style import Style
from d2tra.tables.validation import NET_BENEFIT, NET_BENEFIT_ALL

COLUMNS = 2
SAID = {NET_BENEFIT: "act on those at or above the threshold", NET_BENEFIT_ALL: "act on all"}


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: a panel per model and cohort; thresholds whose numbers are held back are gaps."""
    cells = tables["decision_curve"].with_columns(
        threshold=pl.col("level").str.strip_suffix(" %").cast(pl.Float64)
    )
    rows = cells["row"].unique(maintain_order=True).to_list()
    columns = min(COLUMNS, len(rows))
    n_lines = -(-len(rows) // columns)
    figure = style.figure("page", 36 + 68 * n_lines)
    shown = cells.filter(pl.col("column").is_in([*SAID]))["estimate"].drop_nulls()
    top = max([0.05, *shown]) * 1.1
    colours = list(style.colours.values())
    for number, row in enumerate(rows):
        axes = figure.add_subplot(n_lines, columns, number + 1)
        axes.axhline(0, color=style.colours["grey"], label="act on nobody", lw=style.line_width_pt)
        for place, (column, said) in enumerate(SAID.items()):
            own = cells.filter((pl.col("row") == row) & (pl.col("column") == column))
            values = own["estimate"].fill_null(float("nan")).to_list()
            look: dict[str, Any] = {
                "color": colours[place],
                "ls": ("-", (0, (5, 2)))[place],
                "marker": ("o", "s")[place],
                "ms": 3,
            }
            axes.plot(own["threshold"].to_list(), values, label=said, **look)
        axes.text(0.99, 0.98, said_of_suppressed(cells, row), ha="right", va="top", transform=axes.transAxes)
        axes.set_ylim(-top / 2, top)
        axes.set_title(row.replace(", made", ",\nmade").replace(", applied", ",\napplied"), loc="left")
        axes.set_xlabel("threshold risk, %")
        axes.set_ylabel("net benefit per patient")
    figure.legend(
        *axes.get_legend_handles_labels(),
        frameon=False,
        loc="outside upper left",
        ncols=3,
    )
    return figure
