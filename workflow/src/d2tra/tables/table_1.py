"""Table 1: the cohort, and those who meet the primary definition beside those who do not."""

from __future__ import annotations

from typing import Any

from d2tra.tables.cells import Cell, as_cells, count_cell, value_cell
from d2tra.tables.comparison import p_value, smallest_count, standardised_difference
from d2tra.tables.describe import describe, in_use, levels_shown, row_label
from d2tra.tables.results import STATUSES, WILSON, Results
from d2tra.tables.table import Table

TEST_NAMES = {
    "fisher": "Fisher's exact test (yes/no and categories)",
    "mann_whitney": "Mann–Whitney test, tie-corrected normal approximation (numbers)",
}


def table_1(results: Results) -> Table:
    """Returns every characteristic at the baseline date in all members, in the met, the not met and the not
    assessable, with the standardised difference of met and not met, and p-values of the tests that are declared."""
    members = results.analysis_set
    columns = {"All": members, **results.groups(members)}
    met, not_met = columns[STATUSES["met"]], columns[STATUSES["not_met"]]
    cells: list[Cell] = [count_cell("Patients", name, group.height) for name, group in columns.items()]
    cells += results.presumed_cells()
    rows = in_use(results.plan.rows_of("table_1"), members)
    for row in rows:
        cells += describe(row, columns)
        pair = (met[row.name], not_met[row.name], row)
        place: dict[str, Any] = {
            "level": next(iter(levels_shown(row, columns)), None),
            "smallest": smallest_count(*pair),
        }
        gap = standardised_difference(*pair)
        cells.append(value_cell("number", row_label(row), "Standardised difference", gap, **place))
        if results.tests:
            p = p_value(*pair, results.tests)
            cells.append(value_cell("p_value", row_label(row), "p", p, **place))
    notes = [WILSON, "n/N of the patients in whom it is recorded. Standardised difference: met v not met."]
    notes += [f"p: {TEST_NAMES[test]}, not adjusted for multiple testing." for test in results.tests]
    footnotes = results.footnotes(*notes, described_at=results.study.baseline, rows=rows)
    return Table("table_1", f"Characteristics of the cohort {results.cohort}", as_cells(cells), footnotes)
