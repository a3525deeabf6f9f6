"""Odds ratios of the risk factors, univariable and multivariable, on a logarithmic axis."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from d2tra.figures.intervals import draw_intervals, label_rows, write_beside
from d2tra.figures.style import Style
from d2tra.tables.results import YES

MARKERS = ("o", "s", "D", "^")
LIMITS = (0.04, 50.0)  # an interval that goes further is cut at the axis; its ends stand beside it
TICKS = (0.1, 0.25, 0.5, 1, 2, 4, 10, 25)


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: one line per factor and level, one point with 95 % interval per model."""
    cells = tables["odds_ratios"].filter(pl.col("kind") == "estimate")
    models = cells["column"].unique(maintain_order=True).to_list()
    rows = cells.select("row", "level").unique(maintain_order=True)
    step = len(models) + 0.7
    figure = style.figure("page", 26 + 4.2 * step * max(rows.height, 1))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.axvline(1, color=style.colours["grey"], lw=style.line_width_pt, ls=(0, (3, 3)))
    for number, model in enumerate(models):
        shown = cells.filter(pl.col("column") == model)
        shown = rows.join(shown, on=["row", "level"], how="left", nulls_equal=True, maintain_order="left")
        places = [place * step + number for place in range(rows.height)]
        colour, marker = list(style.colours.values())[number % 4], MARKERS[number % 4]
        draw_intervals(axes, shown, places, colour, marker)
        write_beside(axes, shown.filter(pl.col("kind").is_not_null()), _those_with(shown, places), style)
        axes.plot([], [], color=colour, marker=marker, label=_said_of(model, shown), ms=4.5)
    level = pl.when(pl.col("level") != YES).then("level")
    labels = rows.select(pl.concat_str("row", level, separator=": ", ignore_nulls=True)).to_series().to_list()
    label_rows(axes, labels, [place * step + (len(models) - 1) / 2 for place in range(rows.height)], step / 2)
    axes.set_xlim(*LIMITS)
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("odds ratio (95 % interval; log scale)")
    if models:
        figure.legend(frameon=False, loc="outside upper left", ncols=len(models))
    return figure


def _those_with(shown: pl.DataFrame, places: list[float]) -> list[float]:
    return [place for place, kind in zip(places, shown["kind"], strict=True) if kind is not None]


def _said_of(model: str, shown: pl.DataFrame) -> str:
    exploratory = shown["note"].str.contains("exploratory").any()
    return f"{model} (exploratory: more parameters than the data can bear)" if exploratory else model
