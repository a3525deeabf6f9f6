"""What the DAS28 is made of in those who meet the definition and in the others: its components, and what each adds."""

from __future__ import annotations

import polars as pl

from d2tra.scores.das28 import das28_terms
from d2tra.scores.settings import load_score_settings
from d2tra.tables.cells import Cell, as_cells, value_cell
from d2tra.tables.describe import describe
from d2tra.tables.results import Results
from d2tra.tables.table import Table

COMPONENTS = ("tjc28", "sjc28", "esr_mm_h", "crp_mg_l", "patient_global_mm")
ADDED = ": points added"
NOTES = (
    "Components: median [quartiles]; each the last value in the 90 days up to the index date, so that they may be of different visits.",
    "Points added: mean (SD) of each term of the formula, in patients in whom all components are known; their means add up "
    "to the mean score.",
)


def das28_components(results: Results) -> Table:
    """Returns, by status under the primary definition, the median of each component of the DAS28 at the index date and
    the mean of each term of DAS28-ESR and DAS28-CRP."""
    groups = results.groups(results.described)
    cells = [cell for name in COMPONENTS for cell in describe(results.plan.characteristics[name], groups)]
    settings = load_score_settings()
    for score, terms in das28_terms().items():
        for column, group in groups.items():
            known = group.with_columns(
                crp_mg_l_used="crp_mg_l",
                esr_floored=pl.col("esr_mm_h").clip(lower_bound=settings.esr_floor_mm_h),
            )
            added = known.select(**terms).drop_nulls()
            cells += _terms(settings.scores[score].title + ADDED, column, added)
    title = f"What the DAS28 is made of, cohort {results.cohort}"
    return Table("das28_components", title, as_cells(cells), results.footnotes(*NOTES, described_at="index"))


def _terms(row: str, column: str, added: pl.DataFrame) -> list[Cell]:
    """One cell per term; null where nobody's components are known, the SD for a single patient too."""
    cells = []
    for term in added:
        mean, spread = (None if x is None else round(float(x), 6) for x in (term.mean(), term.std()))  # type: ignore[arg-type]
        cells.append(value_cell("mean_sd", row, column, mean, spread, level=term.name, n=added.height))
    return cells
