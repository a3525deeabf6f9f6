"""Table 1 of one cohort after the other, side by side: the audit, its extension, and both together."""

from __future__ import annotations

import polars as pl

from d2tra.tables.cells import Cell, as_cells, count_cell
from d2tra.tables.describe import describe_side_by_side, in_use
from d2tra.tables.results import WILSON, Results
from d2tra.tables.table import Table

DIFFERENCE = "Standardised difference"


def table_1_by_cohort(results: Results) -> Table:
    """Returns every characteristic of table 1 in each cohort up to this one, with the standardised differences of those that
    share no patient. No cells where no cohort stands before this one."""
    earlier = results.earlier_sets
    groups = {**earlier, results.cohort: results.analysis_set} if earlier else {}
    pairs = [pair for pair in results.apart if set(pair) <= set(groups)]
    columns = {f"{DIFFERENCE}, {first} v {second}": (first, second) for first, second in pairs}
    cells: list[Cell] = [count_cell("Patients", name, group.height) for name, group in groups.items()]
    rows = results.plan.rows_of("table_1")
    together = (
        pl.concat([group.select(row.name for row in rows) for group in groups.values()]) if groups else None
    )
    rows = in_use(rows, together) if together is not None else []
    for row in rows:
        cells += describe_side_by_side(row, groups, columns)
    notes = [WILSON, "n/N of the patients in whom it is recorded."]
    footnotes = results.footnotes(*notes, described_at=results.study.baseline, rows=rows)
    return Table(
        "table_1_by_cohort", f"Characteristics side by side: {', '.join(groups)}", as_cells(cells), footnotes
    )
