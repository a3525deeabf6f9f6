"""What became of every row of the extract, and what its checks found."""

from __future__ import annotations

from typing import Any

import polars as pl

from d2tra.tables.cells import Cell, as_cells, count_cell, text_cell
from d2tra.tables.results import SYNTHETIC, Results
from d2tra.tables.table import Table

COUNTS = {
    "n_read": "Rows read",
    "n_valid": "Valid",
    "n_quarantined": "Set aside",
    "n_orphaned": "of these without their patient",
    "n_duplicate": "Repeated",
    "n_cells_set_aside": "Cells emptied",
    "n_cells_fixed": "Cells mended",
}
EMPTY_CELLS = "missing"
OF_EXTRACT = ("rows_accounted", "data_quality")  # of all its rows, whoever is in the cohort


def rows_accounted(results: Results) -> Table:
    """Returns, for each table of each site, what became of its rows and cells. No cells without `results.accounting`."""
    cells = [
        count_cell(row["table"], heading, row[count], level=row["site"])
        for row in _rows(results.accounting)
        for count, heading in COUNTS.items()
    ]
    note = (
        "Rows read = valid + set aside + repeated, of all patients of the extract, whoever is in the cohort."
    )
    return Table("rows_accounted", "Rows of the extract", as_cells(cells), _notes(results, note))


def data_quality(results: Results) -> Table:
    """Returns how many rows each check of the extract concerns, a line per site, table, column and check. A column without any value is left out: the site does not have it."""
    valid = {(row["site"], row["table"]): row["n_valid"] for row in _rows(results.accounting)}
    cells: list[Cell] = []
    for row in _rows(results.quality):
        if row["check"] == EMPTY_CELLS and row["n"] == valid[row["site"], row["table"]]:
            continue
        place = (f"{row['table']}, {row['site']}", f"{row['column']}: {row['check'].replace('_', ' ')}")
        cells.append(text_cell(place[0], "Severity", row["severity"], level=place[1]))
        cells.append(count_cell(place[0], "Rows", row["n"], level=place[1]))
    notes = (
        "Rows of all patients of the extract, whoever is in the cohort. They are listed, not set aside; quality.csv says more.",
        "Checks and their limits: config/quality.yaml.",
    )
    return Table(
        "data_quality", "What the checks of the extract found", as_cells(cells), _notes(results, *notes)
    )


def _rows(frame: pl.DataFrame | None) -> list[dict[str, Any]]:
    return [] if frame is None else frame.to_dicts()


def _notes(results: Results, *own: str) -> tuple[str, ...]:
    return (*own, *([SYNTHETIC] if results.synthetic else []))
