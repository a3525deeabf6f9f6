"""What the respondents of a survey answered, and how far a definition is favoured beside how often it is met."""

from __future__ import annotations

from textwrap import fill

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from d2tra.figures.intervals import label_rows, write_beside
from d2tra.figures.prevalence import NAME_IN_BRACKETS
from d2tra.figures.style import Style
from d2tra.survey.codebook import LINES
from d2tra.survey.tables import AS_ASKED, FAVOURS, QUESTIONS

BAR_MM, PANEL_MM, AROUND_MM = 6.0, 9.0, 26.0
LABEL_WIDTH = 44  # characters


def draw_questions(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: a panel per question, a bar with its interval per answer, n/N beside it. A question that hangs on
    another shows those who were asked; one without answers to count (free text without themes) has no panel."""
    cells = tables[QUESTIONS].filter(pl.col("kind") == "proportion", ~pl.col("level").is_in(LINES))
    panels = [own for _, own in cells.group_by("row", maintain_order=True)]
    heights = [BAR_MM * own.height + PANEL_MM for own in panels]
    figure = style.figure("page", AROUND_MM + sum(heights))
    grid = figure.add_gridspec(max(len(panels), 1), 1, height_ratios=heights or [1])
    for number, own in enumerate(panels):
        axes = figure.add_subplot(grid[number])
        places = [float(place) for place in range(own.height)]
        _draw_bars(axes, own, places, style.colours["pale"], style)
        write_beside(axes, own, places, style)
        label_rows(axes, [fill(label, LABEL_WIDTH) for label in own["level"]], places)
        axes.set_title(own["row"][0], loc="left", weight="bold")
        _as_percent(axes, is_last=number == len(panels) - 1)
    return figure


def draw_favours(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: per definition a bar of those who favour it above one per cohort of those who meet it, each with its
    interval. A definition is called by its name, the tables give its title."""
    cells = tables[FAVOURS].filter(pl.col("column") != AS_ASKED)
    rows = cells["row"].unique(maintain_order=True)
    columns = cells["column"].unique(maintain_order=True).to_list()
    step = len(columns) + 0.8
    figure = style.figure("page", AROUND_MM + BAR_MM * step * max(len(rows), 1))
    axes = figure.add_subplot()
    for number, column in enumerate(columns):
        own = cells.filter(column=column)
        places = [rows.to_list().index(row) * step + number for row in own["row"]]
        _draw_bars(axes, own, places, style.series[number % len(style.series)], style, label=column)
        write_beside(axes, own, places, style)
    middle = (len(columns) - 1) / 2
    labels = rows.str.extract(NAME_IN_BRACKETS).fill_null(rows).to_list()
    label_rows(axes, labels, [place * step + middle for place in range(len(rows))], margin=middle + 0.7)
    _as_percent(axes, is_last=True)
    if columns:
        figure.legend(frameon=False, loc="outside upper left", ncols=len(columns))
    return figure


def _draw_bars(
    axes: Axes, cells: pl.DataFrame, places: list[float], colour: str, style: Style, label: str | None = None
) -> None:
    """One bar with its interval per cell; one that is held back draws nothing."""
    axes.barh(places, cells["estimate"].fill_null(0.0), 0.72, color=colour, lw=0, label=label)
    for cell, place in zip(cells.iter_rows(named=True), places, strict=True):
        if cell["low"] is not None:
            axes.plot([cell["low"], cell["high"]], [place, place], color=style.colours["ink"], lw=1.2)


def _as_percent(axes: Axes, is_last: bool) -> None:
    axes.set_xlim(0, 100)
    axes.tick_params(axis="x", labelbottom=is_last)
    if is_last:
        axes.set_xlabel("% (95 % interval, Wilson)")
