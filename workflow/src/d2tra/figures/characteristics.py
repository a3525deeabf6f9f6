"""What the difficult-to-treat patients have: each characteristic's share with its interval."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure

from d2tra.figures.intervals import draw_intervals, label_rows, write_beside
from d2tra.figures.style import Style
from d2tra.tables.results import NOT_RECORDED, STATUSES


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: one line per characteristic, percent with Wilson 95 % interval, n/N beside it."""
    cells = tables["d2t_characteristics"].filter(
        pl.col("kind") == "proportion",
        pl.col("column") == STATUSES["met"],
        pl.col("level").ne_missing(NOT_RECORDED),
    )
    places = [float(place) for place in range(cells.height)]
    figure = style.figure("page", 22 + 6.5 * cells.height)
    axes = figure.add_subplot()
    draw_intervals(axes, cells, places, style.colours["main"])
    labels = (
        cells.select(pl.concat_str("row", "level", separator=": ", ignore_nulls=True)).to_series().to_list()
    )
    label_rows(axes, labels, places)
    write_beside(axes, cells, places, style)
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of patients who meet the definition (95 % interval, Wilson)")
    return figure
