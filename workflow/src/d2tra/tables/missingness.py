"""How much of each factor is not recorded."""

from __future__ import annotations

from d2tra.tables.cells import Cell, as_cells, proportion_cell
from d2tra.tables.describe import in_use
from d2tra.tables.results import Results
from d2tra.tables.table import Table


def missingness(results: Results) -> Table:
    """Returns, for every factor at baseline that is in use, how many of all, of the met and of the not met have it not recorded."""
    columns = {"All": results.analysis_set, **results.groups(results.analysis_set)}
    rows = in_use(results.plan.factors.values(), results.analysis_set)
    cells: list[Cell] = [
        proportion_cell(row.title, name, group[row.name].null_count(), group.height)
        for row in rows
        for name, group in columns.items()
    ]
    footnotes = results.footnotes("Not recorded: n/N (%).", described_at=results.study.baseline)
    return Table("missingness", f"What is not recorded, cohort {results.cohort}", as_cells(cells), footnotes)
