"""Estimates under every combination of choices, in ascending order, above a matrix of the choices behind each."""

from __future__ import annotations

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from d2tra.figures.forest import LIMITS, TICKS
from d2tra.figures.intervals import label_rows
from d2tra.figures.style import Style
from d2tra.tables.cells import SUPPRESSED
from d2tra.tables.prevalence import MET
from d2tra.tables.sensitivity import CHOICES, ODDS_RATIO, OF_STATUS, PRIMARY_ROW

UPPER_MM, ROW_MM, BELOW_MM = 40, 3.6, 18
LEGEND = (("primary analysis", "D", "second", 5), ("other combinations of choices", "o", "main", 2))
Choice = tuple[str, str | None]  # a kind of choice and what is taken; None: the heading of its kind


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: a panel for the prevalence and one per factor, two abreast; the primary analysis stands out.
    What is suppressed or refused draws nothing; each panel says how many of the combinations it shows."""
    cells = tables["sensitivity"]
    chosen = _choices(cells)
    rows: list[Choice] = []
    for name in chosen.columns[1:]:
        rows += [(name, None), *((name, choice) for choice in chosen[name].unique(maintain_order=True))]
    factors = cells.filter(pl.col("column").str.starts_with(ODDS_RATIO))["column"].unique(maintain_order=True)
    columns = [MET, *factors]
    lines, lower_mm = -(-len(columns) // 2), ROW_MM * max(len(rows), 1)
    figure = style.figure("page", lines * (UPPER_MM + lower_mm) + BELOW_MM)
    grid = figure.add_gridspec(2 * lines, 2, height_ratios=(UPPER_MM, lower_mm) * lines)
    for number, column in enumerate(columns):
        line, side = divmod(number, 2)
        upper = figure.add_subplot(grid[2 * line, side])
        lower = figure.add_subplot(grid[2 * line + 1, side], sharex=upper)
        found = _found(cells, column, chosen)
        shown = found.filter(pl.col("estimate").is_not_null()).sort("estimate", maintain_order=True)
        _draw_estimates(upper, shown, column, style)
        upper.set_title(_title(column, found, shown.height), loc="left")
        _draw_choices(lower, shown, rows, style)
        lower.tick_params(axis="y", labelleft=not side)
    handles = [
        figure.axes[0].plot([], [], marker, color=style.colours[colour], ms=size, label=said)[0]
        for said, marker, colour, size in LEGEND
    ]
    figure.legend(handles=handles, frameon=False, loc="outside upper left", ncols=2)
    return figure


def _choices(cells: pl.DataFrame) -> pl.DataFrame:
    """One line per specification: its row, and what it takes of each kind of choice that the grid varies."""
    said = cells.filter(pl.col("column").is_in(list(CHOICES.values())))
    wide = said.pivot("column", index="row", values="text", maintain_order=True)
    varied = [name for name in wide.columns[1:] if wide[name].n_unique() > 1]
    return wide.select("row", *varied)


def _found(cells: pl.DataFrame, column: str, chosen: pl.DataFrame) -> pl.DataFrame:
    """The estimates of a column, each with its choices.

    A prevalence hangs on fewer choices than an odds ratio: of those that differ in no other the first stands.
    """
    found = cells.filter(pl.col("column") == column).join(chosen, on="row", how="left", maintain_order="left")
    if column != MET:
        return found
    others = [name for name in chosen.columns[1:] if name not in OF_STATUS]
    hangs_on = [name for name in chosen.columns[1:] if name in OF_STATUS]
    found = found.unique(hangs_on, keep="first", maintain_order=True) if hangs_on else found.head(1)
    return found.with_columns(pl.lit(None, pl.String).alias(name) for name in others)


def _title(column: str, found: pl.DataFrame, n_shown: int) -> str:
    n_held_back = int((found["note"] == "suppressed").sum())
    lines = [column.removeprefix(ODDS_RATIO), f"{n_shown} of {found.height} combinations"]
    return "\n".join([*lines, *([f"{n_held_back} {SUPPRESSED}"] if n_held_back else [])])


def _draw_estimates(axes: Axes, shown: pl.DataFrame, column: str, style: Style) -> None:
    for place, cell in enumerate(shown.iter_rows(named=True)):
        primary = cell["row"] == PRIMARY_ROW
        (_, marker, colour, size), order = LEGEND[not primary], 2 + primary
        if cell["low"] is not None:
            ends, width = [cell["low"], cell["high"]], 1.6 if primary else 0.6
            axes.plot([place, place], ends, color=style.colours[colour], lw=width, zorder=order)
        axes.plot(place, cell["estimate"], marker, color=style.colours[colour], ms=size, zorder=order)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.set_xlim(-1, max(shown.height, 1))
    if column == MET:
        axes.set_ylim(0)
        axes.set_ylabel("met, %")
        return
    axes.set_yscale("log")
    axes.axhline(1, color=style.colours["grey"], lw=style.line_width_pt, ls=(0, (3, 3)))
    axes.set_ylim(*LIMITS)
    axes.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("odds ratio")


def _draw_choices(axes: Axes, shown: pl.DataFrame, rows: list[Choice], style: Style) -> None:
    """A mark wherever the combination above takes the choice; a kind of choice that does not matter here has none."""
    numbered = shown.with_row_index()
    for place, (kind, choice) in enumerate(rows):
        if choice is None:
            continue
        axes.axhspan(place - 0.45, place + 0.45, color=style.colours["faint"], alpha=0.6, lw=0)
        taken = numbered.filter(pl.col(kind) == choice)
        others = taken.filter(pl.col("row") != PRIMARY_ROW)["index"]
        axes.plot(others, [place] * len(others), "|", color=style.colours["ink"], ms=3)
        primary = taken.filter(pl.col("row") == PRIMARY_ROW)["index"]
        axes.plot(primary, [place] * len(primary), "D", color=style.colours["second"], ms=3.5)
    labels = [kind if choice is None else choice for kind, choice in rows]
    label_rows(axes, labels, [float(place) for place in range(len(rows))], 0.5)
    for label, (_, choice) in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if choice is None else "normal")
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.spines["bottom"].set_visible(False)
