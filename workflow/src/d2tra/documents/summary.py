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
    sentences = [
        f"{cells['Met']['row']}: {format_cell(cells['Met'])} met the definition; "
        f"{format_cell(cells['Not assessable'])} could not be assessed, so that the share lies between "
        f"{format_cell(cells['Met'])} and {format_cell(cells['Upper bound (not assessable counted as met)'])}."
    ]
    return [*sentences, f"Criterion 3, where it is not recorded: {study.if_criterion_3_unrecorded}."]


def _first_row(cells: pl.DataFrame) -> dict[str, Cell]:
    """Column → cell of a table's first row: the study's primary definition."""
    first = cells.filter(pl.col("row") == cells["row"].first())
    return {cell["column"]: cell for cell in first.iter_rows(named=True)}
