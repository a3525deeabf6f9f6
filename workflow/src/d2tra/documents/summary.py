"""The first lines of a report, each number taken from a released cell."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from d2tra.config import Study
from d2tra.tables import Table
from d2tra.tables.cells import Cell, format_cell

NOT_ENOUGH = (
    "Nothing can be said of the prevalence: the numbers are suppressed or no patient is in the cohort."
)


def summarise(study: Study, tables: Mapping[str, Table]) -> list[str]:
    """Returns the sentences that open a report; a suppressed number stays [suppressed] in its sentence."""
    if "prevalence" not in tables:
        return [NOT_ENOUGH]
    cells = _first_row(tables["prevalence"].cells)
    met, upper = cells["Met"], cells["Upper bound (not assessable counted as met)"]
    sentences = [
        f"{met['row']}: {format_cell(met)} met the definition. {format_cell(cells['Not assessable'])} could not be "
        f"assessed: the share lies between {format_cell(met)} and {format_cell(upper)}.",
        f"Of those who met it, {format_cell(cells['Met only through presumed drug failures'])} did so only through drug "
        "failures that are presumed from the next drug, not recorded.",
    ]
    if "prevalence_by_policy" in tables:
        policies = _first_row(tables["prevalence_by_policy"].cells.filter(pl.col("level") == "met"))
        said = "; ".join(f"{name}: {format_cell(cell)}" for name, cell in policies.items())
        sentences.append(
            f"Where nobody recorded whether management is problematic (criterion 3), this study takes it as "
            f"«{study.if_criterion_3_unrecorded}». The four policies side by side: {said}."
        )
    return sentences


def _first_row(cells: pl.DataFrame) -> dict[str, Cell]:
    """Column → cell of a table's first row: the study's primary definition."""
    first = cells.filter(pl.col("row") == cells["row"].first())
    return {cell["column"]: cell for cell in first.iter_rows(named=True)}
