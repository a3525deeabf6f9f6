"""The characteristics that the audit reports of its D2T patients, beside those of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from d2tra.estimates import difference
from d2tra.risk_factor_plan import Characteristic
from d2tra.tables.cells import Cell, as_cells, count_cell, value_cell
from d2tra.tables.comparison import p_value, smallest_count
from d2tra.tables.describe import describe, in_use, levels_shown, row_label
from d2tra.tables.results import STATUSES, WILSON, Results
from d2tra.tables.table import Table

DIFFERENCE = "Difference, percentage points (95 % CI)"
DESCRIPTIVE = (
    "Descriptive: no comparison was planned and nothing is adjusted; a difference does not make a characteristic a "
    "contributing factor."
)


def d2t_characteristics(results: Results) -> Table:
    """Returns n/N (%) with Wilson interval in the met and the not met, Newcombe's interval for their difference, and
    Fisher's exact p where the cohort declares it; all at the index date."""
    groups = results.groups(results.described)
    met, not_met = groups[STATUSES["met"]], groups[STATUSES["not_met"]]
    cells = [count_cell("Patients", name, group.height) for name, group in groups.items()]
    cells += results.presumed_cells()
    rows = in_use(results.plan.rows_of("d2t_characteristics"), results.described)
    for row in rows:
        cells += describe(row, groups)
        cells += _compared(row, met, not_met, levels_shown(row, groups), results)
    notes = [
        WILSON,
        "n/N of the patients in whom it is recorded.",
        "Difference: met − not met, Newcombe 1998.",
        DESCRIPTIVE,
    ]
    if "fisher" in results.tests:
        notes.append("p: Fisher's exact test, two-sided, not adjusted for multiple testing.")
    footnotes = results.footnotes(*notes, described_at="index", rows=rows)
    title = f"Characteristics of patients with difficult-to-treat disease, cohort {results.cohort}"
    return Table("d2t_characteristics", title, as_cells(cells), footnotes)


def _compared(
    row: Characteristic,
    met: pl.DataFrame,
    not_met: pl.DataFrame,
    levels: Sequence[str | None],
    results: Results,
) -> list[Cell]:
    pair = (met[row.name], not_met[row.name])
    known = [values.drop_nulls() for values in pair]
    smallest = smallest_count(*pair, row)
    cells: list[Cell] = []
    for level in levels:
        value = True if level is None else level
        counts = [(int((values == value).sum()), len(values)) for values in known]
        found = difference(*counts[0], *counts[1])
        gap, low, high = (None if number is None else 100 * number for number in found)
        place: dict[str, Any] = {"level": level, "smallest": smallest}
        cells.append(value_cell("estimate", row_label(row), DIFFERENCE, gap, low, high, **place))
    p = p_value(*pair, row, results.tests)
    if p is not None:
        cells.append(value_cell("p_value", row_label(row), "p", p, level=levels[0], smallest=smallest))
    return cells
