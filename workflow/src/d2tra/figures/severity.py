"""How many b/tsDMARDs the difficult-to-treat patients had tried, by severity."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure

from d2tra.figures.style import Style
from d2tra.tables.cells import SUPPRESSED


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: for each number of drugs tried, one bar per severity band, with n/N on it."""
    cells = tables["drug_history_by_severity"].filter(
        pl.col("kind") == "proportion", pl.col("level").is_not_null()
    )
    bands = cells["row"].unique(maintain_order=True).to_list()
    numbers = sorted(cells["level"].unique())
    figure = style.figure("column", 70)
    axes = figure.add_subplot()
    width = 0.8 / max(len(bands), 1)
    for number, band in enumerate(bands):
        colour = style.severity.get(band.split(" ")[0].lower(), style.colours["grey"])
        for cell in cells.filter(pl.col("row") == band).iter_rows(named=True):
            place = numbers.index(cell["level"]) + (number - (len(bands) - 1) / 2) * width
            hidden = cell["note"] == "suppressed"
            axes.bar(place, cell["estimate"] or 0, width * 0.92, color=colour, hatch="" if number else "///",
                     edgecolor="white", linewidth=0, label=band)  # fmt: skip
            said = SUPPRESSED if hidden else f"{cell['n']}/{cell['total']}"
            axes.annotate(
                said, (place, cell["estimate"] or 0), (0, 2), textcoords="offset points", ha="center"
            )
    axes.set_xticks(range(len(numbers)), [level.split(" ")[0] for level in numbers])
    axes.set_ylim(0, 100)
    axes.set_ylabel("% of the severity band")
    axes.set_xlabel("b/tsDMARDs tried (molecules, ongoing one included)")
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    if once:
        axes.legend(once.values(), once.keys(), frameon=False, loc="upper right")
    return figure
