"""How many b/tsDMARDs the difficult-to-treat patients had tried, by severity."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure

from d2tra.figures.style import Style
from d2tra.tables.cells import SUPPRESSED

HATCHES = ("", "///", "", "...")
MOST_LEVEL = 10  # with more bars than these, what stands above each is turned upright


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: for each number of drugs tried, one bar per severity band, with n/N above it."""
    cells = tables["drug_history_by_severity"].filter(
        pl.col("kind") == "proportion", pl.col("level").is_not_null()
    )
    bands = cells["row"].unique(maintain_order=True).to_list()
    numbers = sorted(cells["level"].unique(), key=lambda level: int(level.split(" ")[0]))
    figure = style.figure("page", 84)
    axes = figure.add_subplot()
    width = 0.8 / max(len(bands), 1)
    turned = 90 if len(bands) * len(numbers) > MOST_LEVEL else 0
    for number, band in enumerate(bands):
        colour = style.severity.get(band.split(" ")[0].lower(), style.colours["grey"])
        for cell in cells.filter(pl.col("row") == band).iter_rows(named=True):
            place = numbers.index(cell["level"]) + (number - (len(bands) - 1) / 2) * width
            height = cell["estimate"] or 0
            axes.bar(place, height, width * 0.92, color=colour, hatch=HATCHES[number % 4], edgecolor="white",
                     linewidth=0, label=band)  # fmt: skip
            said = SUPPRESSED if cell["note"] == "suppressed" else f"{cell['n']}/{cell['total']}"
            axes.annotate(said, (place, height), (0, 3), textcoords="offset points", ha="center", va="bottom",
                          rotation=turned, annotation_clip=False)  # fmt: skip
    axes.set_xticks(range(len(numbers)), [level.split(" ")[0] for level in numbers])
    axes.set_ylim(0, 100)
    axes.set_ylabel("% of the severity band")
    axes.set_xlabel("b/tsDMARDs tried (molecules, ongoing one included)")
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    if once:
        figure.legend(once.values(), once.keys(), frameon=False, loc="outside upper left", ncols=2)
    return figure
