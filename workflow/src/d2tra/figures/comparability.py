"""How far the cohorts differ, characteristic by characteristic."""

from __future__ import annotations

from typing import Any

import polars as pl
from matplotlib.figure import Figure

from d2tra.figures.intervals import label_rows
from d2tra.figures.style import Style
from d2tra.tables.cells import SUPPRESSED
from d2tra.tables.comparability import DIFFERENCE

MARKERS = ("o", "s", "D", "^")
WORTH_NAMING = 0.1  # Austin 2009
NARROWEST = 0.3


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: a line per characteristic, a point per cohort that is compared with the first, and a line at the
    standardised difference from which on it is worth naming. A difference that is held back has no point."""
    cells = tables["comparability"].filter(pl.col("column").str.starts_with(DIFFERENCE))
    rows = cells["row"].unique(maintain_order=True).to_list()
    columns = cells["column"].unique(maintain_order=True).to_list()
    figure = style.figure("page", 28 + 5.2 * max(len(rows), 1))
    axes = figure.add_subplot()
    axes.axvline(WORTH_NAMING, color=style.colours["grey"], lw=style.line_width_pt, ls=(0, (3, 3)))
    for number, column in enumerate(columns):
        known = cells.filter((pl.col("column") == column) & pl.col("estimate").is_not_null())
        places = [rows.index(row) for row in known["row"]]
        look: dict[str, Any] = {
            "color": list(style.colours.values())[number % 4],
            "marker": MARKERS[number % 4],
            "ms": 4.5,
        }
        axes.plot(known["estimate"].to_list(), places, ls="none", label=column, clip_on=False, **look)
    for row in cells.filter(pl.col("note") == "suppressed")["row"].unique(maintain_order=True):
        axes.text(0, rows.index(row), f" {SUPPRESSED}", va="center")
    label_rows(axes, rows, list(map(float, range(len(rows)))))
    axes.set_xlim(0, max([NARROWEST, *cells["estimate"].drop_nulls()]) * 1.05)
    axes.set_xlabel("standardised difference (size; dashed: 0.1)")
    if len(columns) > 1:
        figure.legend(frameon=False, loc="outside upper left", ncols=len(columns))
    return figure
