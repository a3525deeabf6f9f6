"""Odds ratios of the risk factors on a logarithmic axis: by model, or by cohort."""

from __future__ import annotations

from itertools import accumulate

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from d2tra.figures.intervals import draw_intervals, label_rows, write_beside
from d2tra.figures.style import Style
from d2tra.tables.odds_ratios_by_cohort import ODDS_RATIO
from d2tra.tables.results import YES

MARKERS = ("o", "s", "D", "^")
LIMITS = (0.04, 50.0)  # an interval that goes further is cut at the axis; its ends stand beside it
TICKS = (0.1, 0.25, 0.5, 1, 2, 4, 10, 25)
LINE_MM = 4.2
BETWEEN = 0.7  # lines of space between two factors


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: one line per factor and level, one point with 95 % interval per model."""
    level = pl.when(pl.col("level") != YES).then("level")
    cells = tables["odds_ratios"].filter(pl.col("kind") == "estimate")
    label = pl.concat_str("row", level, separator=": ", ignore_nulls=True)
    return _draw_panels({"": cells.with_columns(label=label, series="column")}, style)


def draw_by_cohort(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: a panel per model, in it one line per factor and level, one point with interval per cohort."""
    cells = tables["odds_ratios_by_cohort"].filter(
        pl.col("kind") == "estimate", pl.col("column").str.ends_with(f": {ODDS_RATIO}")
    )
    named = cells.with_columns(label="level", series=pl.col("column").str.strip_suffix(f": {ODDS_RATIO}"))
    models = named["row"].unique(maintain_order=True)
    return _draw_panels({model: named.filter(pl.col("row") == model) for model in models}, style)


def _draw_panels(panels: dict[str, pl.DataFrame], style: Style) -> Figure:
    """The cells of each panel have `label` (the line) and `series` (which gives colour and marker) beside their own."""
    series = list(dict.fromkeys(name for cells in panels.values() for name in cells["series"]))
    lines = [max(cells.height + BETWEEN * cells["label"].n_unique(), 1) for cells in panels.values()]
    figure = style.figure("page", 26 + LINE_MM * sum(lines) + 6 * (len(lines) - 1))
    every = figure.subplots(max(len(panels), 1), sharex=True, squeeze=False, height_ratios=lines or None)[
        :, 0
    ]
    for axes, (title, cells) in zip(every, panels.items(), strict=False):
        axes.set_title(title, loc="left")
        _draw_panel(axes, cells, series, style)
    axes = every[-1]
    axes.set_xscale("log")
    axes.set_xlim(*LIMITS)
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("odds ratio (95 % interval; log scale)")
    if series:
        handles = every[0].get_legend_handles_labels()
        figure.legend(*handles, frameon=False, loc="outside upper left", ncols=len(series))
    return figure


def _draw_panel(axes: Axes, cells: pl.DataFrame, series: list[str], style: Style) -> None:
    axes.axvline(1, color=style.colours["grey"], lw=style.line_width_pt, ls=(0, (3, 3)))
    labels = cells["label"].unique(maintain_order=True).to_list()
    of_label = {label: cells.filter(pl.col("label") == label)["series"].to_list() for label in labels}
    own = {label: [name for name in series if name in names] for label, names in of_label.items()}
    heights = [len(names) + BETWEEN for names in own.values()]
    top = dict(zip(labels, accumulate(heights, initial=0.0), strict=False))
    for number, name in enumerate(series):
        shown = cells.filter(pl.col("series") == name)
        places = [top[label] + own[label].index(name) for label in shown["label"]]
        colour, marker = list(style.colours.values())[number % 4], MARKERS[number % 4]
        draw_intervals(axes, shown, places, colour, marker)
        write_beside(axes, shown, places, style)
        axes.plot([], [], color=colour, marker=marker, label=name, ms=4.5)
    middles = [top[label] + (len(names) - 1) / 2 for label, names in own.items()]
    label_rows(axes, labels, middles, (len(series) + BETWEEN) / 2)
