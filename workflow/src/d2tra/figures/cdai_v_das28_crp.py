"""CDAI against DAS28-CRP at the index visit, on and off drugs that suppress CRP: counts of patients as shaded fields."""

from __future__ import annotations

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from d2tra.figures.intervals import HIDDEN
from d2tra.figures.style import Style
from d2tra.tables.agreement import PATIENTS
from d2tra.tables.cdai_v_das28_crp import CDAI, DAS28_CRP, GROUPS, LOWER
from d2tra.tables.cells import SUPPRESSED, format_cell

HEIGHT_MM = 82
FIELD = 0.94  # the rest of the place is a white line between fields
PALEST, DARK = 0.06, 0.55  # opacity of a field of nobody; from which on what is written in it is white


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: two squares of bands, a field per pair, the darker the more of the square's patients have it, with
    their number; framed where both scores say the same. Below each square how many have the lower band by DAS28-CRP."""
    cells = tables["cdai_v_das28_crp"]
    figure = style.figure("page", HEIGHT_MM)
    both = figure.subplots(1, 2, sharey=True)
    for axes, row in zip(both, GROUPS.values(), strict=True):
        axes.set_title(row, loc="left")
        _draw_square(axes, cells.filter(pl.col("row") == row), style)
    both[0].set_ylabel("CDAI")
    if cells.filter(pl.col("row").is_in(list(GROUPS.values())), pl.col("column") != PATIENTS)[
        "n"
    ].null_count():
        figure.legend(handles=[], title=f"{HIDDEN} {SUPPRESSED}", frameon=False, loc="outside lower right")
    return figure


def _draw_square(axes: Axes, cells: pl.DataFrame, style: Style) -> None:
    pairs = cells.filter(pl.col("column") != PATIENTS)
    across = [name.removeprefix(DAS28_CRP) for name in pairs["column"].unique(maintain_order=True)]
    down = [name.removeprefix(CDAI) for name in pairs["level"].unique(maintain_order=True)]
    most = pairs["n"].max()
    for cell in pairs.iter_rows(named=True):
        x, y = (
            across.index(cell["column"].removeprefix(DAS28_CRP)),
            down.index(cell["level"].removeprefix(CDAI)),
        )
        share, ink = None, style.colours["quiet"]
        if cell["n"] is not None:
            share = PALEST + (1 - PALEST) * cell["n"] / (most or 1)
            axes.add_patch(
                Rectangle(
                    (x - FIELD / 2, y - FIELD / 2),
                    FIELD,
                    FIELD,
                    color=style.colours["main"],
                    alpha=share,
                    lw=0,
                )
            )
            ink = "white" if share > DARK else style.colours["ink"]
        axes.text(x, y, HIDDEN if share is None else str(cell["n"]), ha="center", va="center", color=ink)
        if across[x] == down[y]:
            axes.add_patch(
                Rectangle(
                    (x - 0.5, y - 0.5),
                    1,
                    1,
                    fill=False,
                    edgecolor=style.colours["ink"],
                    lw=style.line_width_pt,
                )
            )
    axes.set_xticks(range(len(across)), across)
    axes.set_yticks(range(len(down)), down)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlim(-0.52, max(len(across), 1) - 0.48)
    axes.set_ylim(max(len(down), 1) - 0.48, -0.52)
    lower = cells.filter(pl.col("level") == LOWER)
    said = "".join(f"\nlower by DAS28-CRP: {format_cell(cell)}" for cell in lower.iter_rows(named=True))
    axes.set_xlabel(f"DAS28-CRP{said}")
