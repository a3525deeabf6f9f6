"""Who was left out of the cohort, step by step."""

from __future__ import annotations

from d2tra.tables.cells import as_cells, count_cell
from d2tra.tables.results import SYNTHETIC, Results
from d2tra.tables.table import Table


def selection_flow(results: Results) -> Table:
    """Returns a row per criterion in the order of the study file: patients left out for it, and those who remain."""
    first, *steps = results.flow.iter_rows(named=True)
    cells = [count_cell(_sentence(first["reason"]), "Remaining", first["n_after"])]
    for step in steps:
        row = _sentence(step["reason"])
        cells.append(count_cell(row, "Left out", step["n_excluded"]))
        cells.append(count_cell(row, "Remaining", step["n_after"]))
    note = "Criteria in the order of the study file; each patient is counted at the first criterion not fulfilled."
    footnotes = (note, *([SYNTHETIC] if results.synthetic else []))
    return Table("selection_flow", f"Selection of the cohort {results.cohort}", as_cells(cells), footnotes)


def _sentence(reason: str) -> str:
    return reason[0].upper() + reason[1:]
