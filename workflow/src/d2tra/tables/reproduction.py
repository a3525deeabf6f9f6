"""The printed numbers of the audit beside the computed ones."""

from __future__ import annotations

from d2tra.tables.cells import Cell, as_cells, proportion_cell, text_cell, value_cell
from d2tra.tables.results import SYNTHETIC, WILSON, Results
from d2tra.tables.table import Table


def reproduction(results: Results) -> Table:
    """Returns a row per printed statement: the print, the fraction behind it, what is computed here, and whether they
    agree."""
    cells: list[Cell] = []
    rows = [] if results.reproduction is None else results.reproduction.iter_rows(named=True)
    for found in rows:
        row, n, total = found["statement"], found["numerator"], found["denominator"]
        # Agreement with a printed fraction gives the computed one away.
        hidden = {"smallest": min((count for count in (n, total - n, total) if count > 0), default=None)}
        cells += [
            value_cell("number", row, "Printed, %", found["published"]),
            text_cell(row, "Implied", f"{found['implied_numerator']}/{found['implied_denominator']}"),
            proportion_cell(row, "Computed", n, total),
            text_cell(row, "Agrees", "yes" if found["agrees"] else "no", **hidden),
        ]
        if found["note"]:
            cells.append(text_cell(row, "Note", found["note"], **hidden))
    notes = (WILSON, *_synthetic(results))
    return Table(
        "reproduction",
        f"Published numbers and their reproduction, cohort {results.cohort}",
        as_cells(cells),
        notes,
    )


def other_readings(results: Results) -> Table:
    """Returns a row per other reading of an ambiguous statement, with the fraction it gives."""
    cells: list[Cell] = []
    rows = [] if results.readings is None else results.readings.iter_rows(named=True)
    for found in rows:
        row, level = found["statement"], found["reading"]
        if found["numerator"] is not None:
            cells.append(proportion_cell(row, "Computed", found["numerator"], found["denominator"], level))
        if found["note"]:
            cells.append(text_cell(row, "Note", found["note"], level))
    notes = (
        WILSON,
        "The first reading of each statement is in the table of the reproduction.",
        *_synthetic(results),
    )
    return Table(
        "other_readings",
        f"Other readings of the published statements, cohort {results.cohort}",
        as_cells(cells),
        notes,
    )


def _synthetic(results: Results) -> list[str]:
    return [SYNTHETIC] if results.synthetic else []
