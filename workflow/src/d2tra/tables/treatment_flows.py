"""From which mechanism to which: the first lines of b/tsDMARDs, as counts of patients who went each way."""

from __future__ import annotations

import polars as pl

from d2tra.tables.agreement import PATIENTS
from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell
from d2tra.tables.results import WILSON, Results
from d2tra.tables.table import Table
from d2tra.tables.treatment_sequence import ARROW, KEY, LINES_SHOWN

MECHANISMS_SHOWN, SMALL_SHARE = 5, 0.05
SMALL_WAY = 0.02
OTHER, RARE, NO_FURTHER = "other mechanism", "rare ways", "no further line"
LINE = "Line "
NOTES = (
    WILSON,
    "b/tsDMARD courses that started by the index date, in the order of their start; a drug given again is a line of its own.",
    f"The {MECHANISMS_SHOWN} commonest mechanisms have their names; one that fewer than {SMALL_SHARE:.0%} of those on a line "
    f"take is counted as {OTHER} there. Ways that fewer than {SMALL_WAY:.0%} of those on a line went are counted together.",
    "Descriptive, never a recommendation: it does not say what should be given next.",
)


def treatment_flows(results: Results) -> Table:
    """Returns, for the first LINES_SHOWN lines, how many of those who came to it took each mechanism, and how many went
    from each to each of the next line, rare ways taken together, or to none; no cell where the study has no sequence."""
    cells: list[Cell] = []
    if results.sequence is not None:
        members = results.analysis_set.select(*KEY, "index_date")
        lines = results.sequence.join(members, on=KEY).filter(pl.col("start_date") <= pl.col("index_date"))
        lines = _with_small_merged(lines.filter(pl.col("position") <= LINES_SHOWN))
        for number in range(1, LINES_SHOWN + 1):
            cells += _line_cells(number, lines)
    title = f"From line to line of b/tsDMARDs, cohort {results.cohort}"
    return Table("treatment_flows", title, as_cells(cells), results.footnotes(*NOTES))


def _with_small_merged(lines: pl.DataFrame) -> pl.DataFrame:
    """`mechanism` by its own name only where it is common, in the cohort and on the line."""
    counted = lines.drop_nulls("mechanism").group_by("mechanism").len()
    common = counted.sort("len", "mechanism", descending=[True, False])["mechanism"].head(MECHANISMS_SHOWN)
    share = pl.len().over("position", "mechanism") / pl.len().over("position")
    is_named = pl.col("mechanism").is_in(common.implode()) & (share >= SMALL_SHARE)
    return lines.with_columns(mechanism=pl.when(is_named).then("mechanism").otherwise(pl.lit(OTHER)))


def _line_cells(number: int, lines: pl.DataFrame) -> list[Cell]:
    """The mechanisms of the line, the commonest first; then where those of each went."""
    here = lines.filter(pl.col("position") == number).select(*KEY, here="mechanism")
    counted = here.group_by("here").len().sort(pl.col("here") == OTHER, -pl.col("len").cast(pl.Int64), "here")
    cells = [
        proportion_cell(f"{LINE}{number}", PATIENTS, n, here.height, mechanism)
        for mechanism, n in counted.iter_rows()
    ]
    after = lines.filter(pl.col("position") == number + 1).select(*KEY, after="mechanism")
    if after.is_empty():
        return cells
    ways = here.join(after, on=KEY, how="left").group_by("here", "after").len()
    is_small = pl.col("after").is_not_null() & (pl.col("len") < SMALL_WAY * here.height)
    ways = ways.with_columns(after=pl.when(is_small).then(pl.lit(RARE)).otherwise("after"))
    ways = ways.group_by("here", pl.col("after").fill_null(NO_FURTHER)).agg(pl.col("len").sum())
    rank = pl.col("here").cast(pl.Enum(counted["here"])).to_physical()
    last = pl.col("after").replace_strict({RARE: 1, NO_FURTHER: 2}, default=0)
    return cells + [
        count_cell(f"{LINE}{number} to {number + 1}", PATIENTS, n, source + ARROW + target)
        for source, target, n in ways.sort(rank, last, -pl.col("len").cast(pl.Int64), "after").iter_rows()
    ]
