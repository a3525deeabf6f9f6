"""From which mechanism to which: the first lines of b/tsDMARDs, as counts of patients who went each way."""

from __future__ import annotations

import polars as pl

from d2tra.tables.agreement import PATIENTS
from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell
from d2tra.tables.results import WILSON, Results
from d2tra.tables.table import Table
from d2tra.tables.treatment_sequence import ARROW, KEY, LINES_SHOWN

MECHANISMS_SHOWN, SMALL_SHARE, SMALL_WAY = 5, 0.05, 0.02
FEWEST = (
    10  # no profile of config/release.yaml holds such a count back: what has a name of its own can be shown
)
OTHER, RARE, NO_FURTHER = "other mechanism", "rare ways", "no further line"
LINE = "Line "
NOTES = (
    WILSON,
    "b/tsDMARD courses that started by the index date, in the order of their start; a drug given again is a line of its own.",
    f"The {MECHANISMS_SHOWN} commonest mechanisms have their names; one that fewer than {FEWEST} or {SMALL_SHARE:.0%} of those on a "
    f"line take is counted as {OTHER} there. Ways that fewer than {FEWEST} or {SMALL_WAY:.0%} of those on a line went are counted "
    "together.",
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
        order = [*results.plan.characteristics["first_mechanism"].levels, OTHER, RARE, NO_FURTHER]
        for number in range(1, LINES_SHOWN + 1):
            cells += _line_cells(number, lines, order)
    title = f"From line to line of b/tsDMARDs, cohort {results.cohort}"
    return Table("treatment_flows", title, as_cells(cells), results.footnotes(*NOTES))


def _with_small_merged(lines: pl.DataFrame) -> pl.DataFrame:
    """`mechanism` by its own name only where it is common, in the cohort and on the line."""
    counted = lines.drop_nulls("mechanism").group_by("mechanism").len()
    common = counted.sort("len", "mechanism", descending=[True, False])["mechanism"].head(MECHANISMS_SHOWN)
    n, n_on_line = pl.len().over("position", "mechanism"), pl.len().over("position")
    is_named = pl.col("mechanism").is_in(common.implode()) & (n >= FEWEST) & (n >= SMALL_SHARE * n_on_line)
    return lines.with_columns(mechanism=pl.when(is_named).then("mechanism").otherwise(pl.lit(OTHER)))


def _line_cells(number: int, lines: pl.DataFrame, order: list[str]) -> list[Cell]:
    """The mechanisms of the line, in an order that says nothing of their counts; then where the patients of each went."""
    here = lines.filter(pl.col("position") == number).select(*KEY, here="mechanism")
    counted = here.group_by("here").len().sort(pl.col("here").cast(pl.Enum(order)))
    cells = [
        proportion_cell(f"{LINE}{number}", PATIENTS, n, here.height, mechanism)
        for mechanism, n in counted.iter_rows()
    ]
    after = lines.filter(pl.col("position") == number + 1).select(*KEY, after="mechanism")
    if after.is_empty():
        return cells
    ways = here.join(after, on=KEY, how="left").group_by("here", "after").len()
    is_small = pl.col("after").is_not_null() & (pl.col("len") < max(FEWEST, SMALL_WAY * here.height))
    ways = ways.with_columns(after=pl.when(is_small).then(pl.lit(RARE)).otherwise("after"))
    ways = ways.group_by("here", pl.col("after").fill_null(NO_FURTHER)).agg(pl.col("len").sum())
    return cells + [
        count_cell(f"{LINE}{number} to {number + 1}", PATIENTS, n, source + ARROW + target)
        for source, target, n in ways.sort(pl.col("here", "after").cast(pl.Enum(order))).iter_rows()
    ]
