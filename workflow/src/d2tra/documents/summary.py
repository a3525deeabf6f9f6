"""The first lines of a report, each number taken from a released cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from d2tra.config import Study
from d2tra.survey.tables import summarise_survey
from d2tra.tables import Table
from d2tra.tables.cells import Cell, format_cell
from d2tra.tables.validation import APPARENT, CORRECTED, MEASURES

NOT_ENOUGH = (
    "Nothing can be said of the prevalence: the numbers are suppressed or no patient is in the cohort."
)
NO_TREATMENTS = (
    "The extract of site {site} has no table of treatments: nothing is known of any drug there, so that no patient of the "
    "site can be assessed by any definition."
)


def summarise(study: Study, tables: Mapping[str, Table], without_treatments: Sequence[str] = ()) -> list[str]:
    """Returns the sentences that open a report; a suppressed number stays [suppressed] in its sentence.

    `without_treatments`: the sites whose extract has no such table; that is said first.
    """
    opening = [NO_TREATMENTS.format(site=site) for site in without_treatments]
    if "prevalence" not in tables:
        return [*opening, *(_of_validation(tables) or summarise_survey(tables) or [NOT_ENOUGH])]
    cells = _first_row(tables["prevalence"].cells)
    met, upper = cells["Met"], cells["Upper bound (not assessable counted as met)"]
    sentences = [
        *opening,
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


def _of_validation(tables: Mapping[str, Table]) -> list[str]:
    """A sentence per model and cohort on who is told apart; nothing where the tables are not those of that chapter."""
    if "validation" not in tables:
        return []
    told = tables["validation"].cells.filter(pl.col("level") == MEASURES["c_statistic"])
    sentences = []
    for row in told["row"].unique(maintain_order=True):
        shown = {c["column"]: format_cell(c) for c in told.filter(pl.col("row") == row).iter_rows(named=True)}
        elsewhere = [
            f"{name[0].lower()}{name[1:]}: {said}" for name, said in shown.items() if name.startswith("In ")
        ]
        sentences.append(
            f"{row}: c-statistic {shown[APPARENT]} in its own patients, {shown[CORRECTED]} corrected for optimism"
            f"{''.join(f'; {said}' for said in elsewhere)}."
        )
    return sentences


def _first_row(cells: pl.DataFrame) -> dict[str, Cell]:
    """Column → cell of a table's first row: the study's primary definition."""
    first = cells.filter(pl.col("row") == cells["row"].first())
    return {cell["column"]: cell for cell in first.iter_rows(named=True)}
