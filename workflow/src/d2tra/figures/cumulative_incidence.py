"""How soon the definition is met after the first b/tsDMARD, while death competes: one curve each, with its limits."""

from __future__ import annotations

from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from d2tra.figures.style import Style
from d2tra.tables.cells import SUPPRESSED, format_cell
from d2tra.tables.time_to_d2t import AT_RISK, BY_THEN, CURVE, CURVES, HORIZONS

HEIGHT_MM = 95
COLOURS = ("main", "grey")


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: each curve as its steps with their 95 % limits, up to its last step; below it those at risk.
    Where small counts are held back, the steps are those that are let out."""
    cells = tables["time_to_d2t"]
    figure = style.figure("page", HEIGHT_MM)
    axes = figure.add_subplot()
    for column, colour in zip(CURVES.values(), COLOURS, strict=True):
        of_curve = cells.filter(pl.col("column") == column)
        if of_curve.height:
            _draw_curve(axes, of_curve, style.colours[colour])
    axes.set_xlim(0, max(HORIZONS))
    axes.set_ylim(0)
    axes.set_ylabel("patients, %")
    at_risk = cells.filter(pl.col("column") == AT_RISK).rows(named=True)
    axes.set_xticks(
        [_years(cell) for cell in at_risk], [f"{_years(cell)}\n{format_cell(cell)}" for cell in at_risk]
    )
    axes.set_xlabel("years since the first b/tsDMARD, and patients at risk then")
    if axes.lines:
        axes.legend(frameon=False, loc="upper left")
    return figure


def _draw_curve(axes: Axes, cells: pl.DataFrame, colour: str) -> None:
    """The steps, and on to the last year for which a number is given."""
    read_off = cells.filter(pl.col("row") == BY_THEN).rows(named=True)
    held_back = [cell["level"] for cell in read_off if cell["note"] == "suppressed"]
    label = cells["column"][0].removesuffix(", %") + (
        f" ({', '.join(held_back)}: {SUPPRESSED})" if held_back else ""
    )
    steps = cells.filter(pl.col("row") == CURVE, pl.col("estimate").is_not_null())
    curve = [
        (0.0, 0.0, None, None),
        *zip(steps["level"].cast(pl.Float64), *steps[["estimate", "low", "high"]], strict=True),
    ]
    last = max((_years(cell) for cell in read_off if cell["estimate"] is not None), default=0)
    if curve[-1][0] < last:
        curve.append((last, *curve[-1][1:]))
    axes.step(
        [time for time, *_ in curve],
        [share for _, share, *_ in curve],
        where="post",
        color=colour,
        lw=1.6,
        label=label,
    )
    limits = [(time, low, high) for time, _, low, high in curve if low is not None]
    times, low, high = ([point[place] for point in limits] for place in range(3))
    axes.fill_between(times, low, high, step="post", color=colour, alpha=0.18, lw=0)


def _years(cell: dict[str, Any]) -> int:
    """The number in a level such as `5 years`."""
    return int(cell["level"].split()[0])
