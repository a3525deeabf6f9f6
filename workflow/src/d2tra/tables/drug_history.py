"""How many b/tsDMARDs the D2T patients had tried, by severity, as the audit printed it."""

from __future__ import annotations

import polars as pl

from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell
from d2tra.tables.results import STATUSES, WILSON, Results
from d2tra.tables.table import Table

ROWS = {None: "Disease activity not known", "remission": "Remission"}


def drug_history_by_severity(results: Results) -> Table:
    """Returns, for each severity band, how many of the met are in it and how many of these had tried exactly k
    b/tsDMARD molecules by the index date."""
    met = results.described.filter(pl.col(results.primary) == "met")
    column = STATUSES["met"]
    cells: list[Cell] = [count_cell("Patients", column, met.height), *results.presumed_cells()]
    tried = sorted(met["n_bts_tried"].drop_nulls().unique())
    for band in [*results.plan.characteristics["severity"].levels, None]:
        group = met.filter(pl.col("severity").eq_missing(band))
        if not group.height:
            continue
        row = ROWS.get(band, f"{str(band).capitalize()} disease activity")
        cells.append(proportion_cell(row, column, group.height, met.height))
        for k in tried:
            n = group.filter(pl.col("n_bts_tried") == k).height
            cells.append(
                proportion_cell(row, column, n, group.height, f"{k} b/tsDMARD{'s' if k != 1 else ''} tried")
            )
    title = f"Drug history of patients with difficult-to-treat disease, by disease activity, cohort {results.cohort}"
    notes = [
        WILSON,
        "b/tsDMARDs: distinct molecules started by the index date, ongoing included, whatever the outcome.",
    ]
    footnotes = results.footnotes(*notes, described_at="index")
    return Table("drug_history_by_severity", title, as_cells(cells), footnotes)
