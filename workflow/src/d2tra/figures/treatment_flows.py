"""From line to line of treatment: a box per mechanism, a band per way from one line to the next (Sankey)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from d2tra.figures.style import Style
from d2tra.tables.cells import SUPPRESSED
from d2tra.tables.treatment_flows import LINE, NO_FURTHER, OTHER, RARE
from d2tra.tables.treatment_sequence import ARROW

HEIGHT_MM = 112
BOX = 0.05  # its width, of the way from one line to the next
GAP, ROW = (
    0.03,
    0.055,
)  # between boxes, and the least from top to top: shares of the patients on the first line
AFTER_LAST = 0.5  # room for what is written beside the last boxes
STUB = 0.16  # length of the band of those who went rare ways
BAND_OPACITY = 0.5
CURVES = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]

Ways = dict[tuple[str, str], int | None]  # from, to → patients


class Box(NamedTuple):
    """A mechanism on a line, in patients from the top; `said` stands beside it."""

    top: float
    height: float
    said: str


def draw(tables: dict[str, pl.DataFrame], style: Style) -> Figure:
    """Returns the figure: the lines from left to right, on each a box per mechanism, as high as the patients who took
    it; between two lines a band per way, as high as the patients who went it, and a grey stub for those who went rare
    ways; those without a further line end at their box. A suppressed way has no band; a suppressed box is as high as the bands that meet it."""
    cells = tables["treatment_flows"]
    lines = [line for line in _lines(cells) if line.height]
    ways = [_ways(cells, number) for number in range(1, len(lines))]
    order = _in_order(level for line in lines for level in line["level"])
    colours = {name: style.series[place] for place, name in enumerate(order) if name != OTHER}
    columns = _boxes(lines, ways, order)
    bottom = max((box.top + box.height for boxes in columns for box in boxes.values()), default=0) or 1
    figure = style.figure("page", HEIGHT_MM)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0, max(len(lines) - 1, 0) + BOX + AFTER_LAST)
    axes.set_ylim(bottom * 1.02, -0.1 * bottom)
    for x, (line, boxes) in enumerate(zip(lines, columns, strict=True)):
        totals = line["total"].drop_nulls().to_list()
        axes.text(x, -0.03 * bottom, f"{LINE}{x + 1}\nn = {totals[0] if totals else SUPPRESSED}", va="bottom")
        for name, box in boxes.items():
            colour = colours.get(name, style.colours["grey"])
            axes.add_patch(Rectangle((x, box.top), BOX, box.height, color=colour, lw=0))
            axes.text(x + BOX * 1.3, box.top + box.height / 2, f"{name} {box.said}", va="center", zorder=5)
    for x, found in enumerate(ways):
        _draw_ways(axes, x, found, columns[x : x + 2], order, colours, style)
    axes.text(0, bottom * 1.04, _said_below(ways), va="top", color=style.colours["quiet"])
    return figure


def _said_below(ways: list[Ways]) -> str:
    """What the bands do not tell."""
    n_hidden = sum(n is None for found in ways for n in found.values())
    said = (
        ["grey stub: rare ways, taken together"]
        if any(to == RARE for found in ways for _, to in found)
        else []
    )
    said += [f"{SUPPRESSED}: {n_hidden} ways from line to line, not drawn"] if n_hidden else []
    return "; ".join(said)


def _lines(cells: pl.DataFrame) -> list[pl.DataFrame]:
    """The cells of each line, in their order."""
    of_line = cells.filter(pl.col("row").str.contains(f"^{LINE}[0-9]+$"))
    return of_line.partition_by("row", maintain_order=True) if of_line.height else []


def _ways(cells: pl.DataFrame, number: int) -> Ways:
    """Where the patients of the line went; those without a further line go nowhere."""
    found = cells.filter(pl.col("row") == f"{LINE}{number} to {number + 1}")
    ends = [level.split(ARROW) for level in found["level"]]
    return {(here, to): n for (here, to), n in zip(ends, found["n"], strict=True) if to != NO_FURTHER}


def _in_order(names: Iterable[str]) -> list[str]:
    """As they come first; what is merged, last."""
    return sorted(dict.fromkeys(names), key=lambda name: name == OTHER)


def _boxes(lines: list[pl.DataFrame], ways: list[Ways], order: list[str]) -> list[dict[str, Box]]:
    """The boxes of each line, from the top. Rounded counts need not add up: a box is as high as its highest side."""
    columns = []
    step = sum(n or 0 for n in lines[0]["n"]) if lines else 0
    for x, line in enumerate(lines):
        top, boxes = 0.0, {}
        counts = dict(zip(line["level"], line["n"], strict=True))
        into, out = (_sums(ways[at] if 0 <= at < len(ways) else {}, end) for at, end in ((x - 1, 1), (x, 0)))
        for name in (name for name in order if name in counts):
            height = max(counts[name] or 0, into.get(name, 0), out.get(name, 0))
            said = SUPPRESSED if counts[name] is None else str(counts[name])
            boxes[name] = Box(top, height, said)
            top += max(height + GAP * step, ROW * step)
        columns.append(boxes)
    return columns


def _sums(ways: Ways, end: int) -> dict[str, int]:
    sums: dict[str, int] = {}
    for names, n in ways.items():
        sums[names[end]] = sums.get(names[end], 0) + (n or 0)
    return sums


def _draw_ways(
    axes: Axes,
    x: int,
    ways: Ways,
    sides: list[dict[str, Box]],
    order: list[str],
    colours: Mapping[str, str],
    style: Style,
) -> None:
    """Bands leave and enter each box from its top, in the order of the boxes at their other end; rare ways leave last."""
    places = [*order, RARE]
    used: dict[tuple[int, str], int] = {}
    for here, to in sorted(ways, key=lambda way: (places.index(way[0]), places.index(way[1]))):
        n, start = ways[here, to] or 0, x + BOX
        left = sides[0][here].top + used.get((0, here), 0)
        used[0, here] = used.get((0, here), 0) + n
        if to == RARE:
            grey = style.colours["grey"]
            axes.add_patch(Rectangle((start, left), STUB, n, color=grey, alpha=BAND_OPACITY / 2, lw=0))
            continue
        right = sides[1][to].top + used.get((1, to), 0)
        used[1, to] = used.get((1, to), 0) + n
        middle, end = x + (1 + BOX) / 2, x + 1
        corners = [(start, left), (middle, left), (middle, right), (end, right),
                   (end, right + n), (middle, right + n), (middle, left + n), (start, left + n), (start, left)]  # fmt: skip
        colour = colours.get(here, style.colours["grey"])
        axes.add_patch(PathPatch(Path(corners, CURVES), facecolor=colour, alpha=BAND_OPACITY, lw=0))
