"""What is not recorded, and in whom: a map of the missingness table."""

from __future__ import annotations

import textwrap
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from d2tra.figures.intervals import HIDDEN, label_rows
from d2tra.figures.style import Style
from d2tra.tables.cells import SUPPRESSED, decimal

ROW_MM, AROUND_MM = 5.2, 30
LABEL_WIDTH = 50  # characters in a line of a name
FIELD = (0.94, 0.88)  # width and height; the rest of the place is a white line between fields
PALEST = 0.06  # opacity where nobody lacks it
DARK = 55.0  # above this percentage what is written in a field is white


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: a line per characteristic that is not recorded in everybody, a field per group of patients,
    the darker the more of them lack it, with the percentage in it. A suppressed share has no field."""
    cells = tables["missingness"].filter(pl.col("kind") == "proportion")
    groups = cells["column"].unique(maintain_order=True).to_list()
    in_all = cells.filter(pl.col("column").is_in(groups[:1]))
    rows = in_all.filter(pl.col("n").is_null() | (pl.col("n") > 0))["row"].to_list()
    figure = style.figure("page", AROUND_MM + ROW_MM * max(len(rows), 1))
    axes = figure.add_subplot()
    for cell in cells.filter(pl.col("row").is_in(rows)).iter_rows(named=True):
        _draw_field(axes, cell, groups.index(cell["column"]), rows.index(cell["row"]), style)
    label_rows(
        axes,
        [textwrap.fill(row, LABEL_WIDTH) for row in rows],
        [float(place) for place in range(len(rows))],
        0.5,
    )
    axes.set_xlim(-0.5, max(len(groups), 1) - 0.5)
    axes.set_xticks(range(len(groups)), groups)
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    n_whole = in_all.height - len(rows)
    hidden = f"; {HIDDEN} {SUPPRESSED}" if any(text.get_text() == HIDDEN for text in axes.texts) else ""
    axes.set_xlabel(f"% not recorded{hidden}\ncharacteristics recorded in everybody, left out: {n_whole}")
    return figure


def _draw_field(axes: Axes, cell: dict[str, Any], x: int, y: int, style: Style) -> None:
    share, ink = cell["estimate"], style.colours["quiet"]
    if share is not None:
        opacity = PALEST + (1 - PALEST) * share / 100
        width, height = FIELD
        axes.barh(y, width, height, x - width / 2, color=style.colours["main"], alpha=opacity, lw=0)
        ink = "white" if share > DARK else style.colours["ink"]
    axes.text(x, y, HIDDEN if share is None else decimal(share, 1), ha="center", va="center", color=ink)
