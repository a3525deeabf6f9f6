"""How many are difficult to treat in each cohort: 95 | 627 | 722, with bounds for those who cannot be judged."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure

from d2tra.figures.intervals import draw_intervals, label_rows, write_beside
from d2tra.figures.style import Style
from d2tra.tables.prevalence import MET, UPPER

NAME_IN_BRACKETS = r"\(([^()]+)\)$"


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: per cohort n met / N with its interval; a pale bar from the lower to the upper bound."""
    return draw_prevalence(tables["prevalence_by_cohort"], style)


def draw_prevalence(cells: pl.DataFrame, style: Style) -> Figure:
    """Returns a figure with a line per row of a table of prevalences (its columns MET and UPPER), labelled with the
    name that the row ends in, in brackets, where it has one: thirty titles would not fit a page."""
    met, upper = (cells.filter(pl.col("column") == column) for column in (MET, UPPER))
    labels = met["row"].str.extract(NAME_IN_BRACKETS).fill_null(met["row"]).to_list()
    places = [float(place) for place in range(met.height)]
    figure = style.figure("page", 28 + 7 * met.height)
    axes = figure.add_subplot()
    for low, high, place in zip(met["estimate"], upper["estimate"], places, strict=True):
        if low is not None and high is not None:
            axes.barh(place, high - low, 0.5, low, color=style.colours["pale"], alpha=0.55, lw=0)
    draw_intervals(axes, met, places, style.colours["main"])
    label_rows(axes, labels, places)
    write_beside(axes, met, places, style)
    highest = max([value for value in [*met["high"], *upper["estimate"]] if value is not None], default=20)
    axes.set_xlim(0, min(100, highest * 1.15))
    axes.set_xlabel(
        "% who meet the definition (point, 95 % interval)\nbar: up to all who cannot be judged counted as met"
    )
    return figure
