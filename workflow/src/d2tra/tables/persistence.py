"""How long the primary definition stays met, and how often it is left and met again."""

from __future__ import annotations

import numpy as np
import polars as pl

from d2tra.definitions.persistence import DAYS_PER_MONTH
from d2tra.follow_up import FOLLOWED
from d2tra.tables.cells import CELLS, Cell, as_cells, count_cell, proportion_cell, value_cell
from d2tra.tables.results import STATUSES, WILSON, Results
from d2tra.tables.table import Table

MONTHS = (6, 12, 24)
PATIENTS = "Patients"
NOTES = (
    WILSON,
    "Visits at which the definition could not be assessed count neither as met nor as left; one of them ends the row of met "
    "visits that lasts to the index date.",
    "Left: met at one visit and not met at the next that could be assessed.",
)


def persistence(results: Results) -> Table:
    """Returns, of those who ever met the primary definition: where they stand at the index date, how many left it and met
    it again; and of those who meet it at the index date for how long they have without interruption."""
    members = results.analysis_set
    title = f"How long the definition stays met, cohort {results.cohort}"
    if not set(FOLLOWED) <= set(members.columns):
        return Table("persistence", title, pl.DataFrame(schema=CELLS))
    assessed = members.filter(
        pl.col(results.primary).is_not_null(), pl.col("first_assessed_date").is_not_null()
    )
    ever = assessed.filter(pl.col("first_met_date").is_not_null())
    again = ever.filter(pl.col("n_assessed_after_met") > 0)
    left = again.filter(pl.col("n_exits") > 0)
    cells: list[Cell] = [
        proportion_cell("Ever met, of those assessed at a visit", PATIENTS, ever.height, assessed.height)
    ]
    for status, said in STATUSES.items():
        n = ever.filter(pl.col(results.primary) == status).height
        cells.append(
            proportion_cell("At the index date, of those who ever met it", PATIENTS, n, ever.height, said)
        )
    cells += [
        count_cell("Assessed again after it was first met", PATIENTS, again.height),
        proportion_cell(
            "Left it at least once, of those assessed again", PATIENTS, left.height, again.height
        ),
        proportion_cell(
            "Left it more than once, of those assessed again",
            PATIENTS,
            left.filter(pl.col("n_exits") > 1).height,
            again.height,
        ),
        proportion_cell(
            "Met it again, of those who left it",
            PATIENTS,
            left.filter(pl.col("n_spells") > 1).height,
            left.height,
        ),
    ]
    return Table(
        "persistence",
        title,
        as_cells([*cells, *_lasting(ever), *results.presumed_cells(PATIENTS)]),
        results.footnotes(*NOTES),
    )


def _lasting(ever: pl.DataFrame) -> list[Cell]:
    """Of those met at the index date: the share by months without interruption, and the median."""
    met_now = ever.filter(pl.col("days_met").is_not_null()).with_columns(
        months=pl.col("days_met") / DAYS_PER_MONTH
    )
    row = "Met at every visit up to the index date, of those met then"
    cells = [
        proportion_cell(
            row,
            PATIENTS,
            met_now.filter(pl.col("months") >= months).height,
            met_now.height,
            f"{months} months or more",
        )
        for months in MONTHS
    ]
    if met_now.is_empty():
        return cells
    low, median, high = (
        float(quartile) for quartile in np.quantile(met_now["months"].to_numpy(), (0.25, 0.5, 0.75))
    )
    return [
        *cells,
        value_cell("median_iqr", row, PATIENTS, median, low, high, level="months", n=met_now.height),
    ]
