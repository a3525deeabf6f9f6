"""Odds ratios of the risk factors, univariable and multivariable, on a logarithmic axis."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from d2tra.figures.intervals import draw_intervals, label_rows
from d2tra.figures.style import Style
from d2tra.tables.results import YES

MARKERS = ("o", "s", "D", "^")
LIMITS = (0.02, 50.0)  # an interval that goes further is cut at the axis; the table has its ends


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: one line per factor and level, one point with 95 % interval per model."""
    cells = tables["odds_ratios"].filter(pl.col("kind") == "estimate")
    models = cells["column"].unique(maintain_order=True).to_list()
    rows = cells.select("row", "level").unique(maintain_order=True)
    height = len(models) + 0.6
    figure = style.figure("page", 24 + 4.6 * height * max(rows.height, 1) * 0.8)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.axvline(1, color=style.colours["grey"], lw=style.line_width_pt, ls=(0, (3, 3)))
    for number, model in enumerate(models):
        shown = rows.join(
            cells.filter(pl.col("column") == model),
            on=["row", "level"],
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
        places = [row * height + number for row in range(rows.height)]
        colour = list(style.colours.values())[number]
        draw_intervals(axes, shown, places, colour, marker=MARKERS[number % len(MARKERS)])
        axes.plot([], [], color=colour, marker=MARKERS[number % len(MARKERS)], label=model, ms=4.5)
    level = pl.when(pl.col("level") != YES).then("level")
    labels = rows.select(pl.concat_str("row", level, separator=": ", ignore_nulls=True)).to_series().to_list()
    middle = [row * height + (len(models) - 1) / 2 for row in range(rows.height)]
    label_rows(axes, labels, middle)
    axes.set_xlim(*LIMITS)
    ticks = [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 10, 25]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("odds ratio of being difficult to treat (95 % interval; log scale)")
    if models:
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(models))
    return figure
