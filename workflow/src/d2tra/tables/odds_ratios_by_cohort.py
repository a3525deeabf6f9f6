"""Each factor's odds ratio in one cohort after the other, side by side, and how much they differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import polars as pl

from d2tra.estimates import Z
from d2tra.tables.cells import SEPARATED, Cell, as_cells, value_cell
from d2tra.tables.model_rows import (
    EXPLAINED,
    EXPLORATORY,
    REFERENCE,
    Place,
    Row,
    characteristics_of,
    estimate_cell,
    events_cells,
    is_exploratory,
    line_of,
    methods_note,
    note_cells,
    places_of,
    primary_rows,
)
from d2tra.tables.results import Results
from d2tra.tables.table import Table

ODDS_RATIO = "odds ratio"
RATIO = "Ratio of odds ratios"
Fits = dict[str, dict[Place, Row]]  # cohort → rows of one model


def odds_ratios_by_cohort(results: Results) -> Table:
    """Returns a section per model with a row per factor and level (references are named, not shown): in each cohort up
    to this one events of patients and the odds ratio, then the ratio of the odds ratios of cohorts without a common
    patient. No cells where no cohort stands before this one."""
    by_cohort = {**results.earlier, results.cohort: results.models} if results.earlier else {}
    sections = {
        model: {
            cohort: primary_rows(results, models[model])
            for cohort, models in by_cohort.items()
            if model in models
        }
        for model in results.models
        if by_cohort
    }
    cells = [cell for model, fits in sections.items() for cell in _section(results, model, fits)]
    exploratory = any(is_exploratory(rows) for fits in sections.values() for rows in fits.values())
    places = places_of(rows for fits in sections.values() for rows in fits.values())
    notes = [
        "Odds ratios with 95 % confidence intervals; in each cohort the complete cases of each model, or imputed data where a note says so.",
        *(_methods(results, sections)),
        "Ratio of odds ratios (1: the same in both): Wald's interval on the log scale, the variances of two independent "
        "fits added; not given where a fit is separated, nor for cohorts that share patients.",
        *([EXPLAINED] if exploratory else []),
    ]
    footnotes = results.footnotes(
        *notes, described_at=results.study.baseline, rows=characteristics_of(results, places)
    )
    title = f"Odds ratios side by side: {', '.join(by_cohort)}"
    last = results.presumed_cells(_events(results.cohort)) if cells else []
    return Table("odds_ratios_by_cohort", title, as_cells([*cells, *last]), footnotes)


def cohorts_apart(members: Mapping[str, pl.DataFrame]) -> tuple[tuple[str, str], ...]:
    """Returns the pairs of cohorts, in the order given, that have no patient (site, patient_id) in common."""
    return tuple(
        (first, second)
        for first, second in combinations(members, 2)
        if members[first].join(members[second], on=["site", "patient_id"], how="semi").is_empty()
    )


def ratio_of_odds_ratios(later: Row, earlier: Row) -> tuple[float, float, float] | None:
    """Returns the later odds ratio ÷ the earlier one with 95 % limits (Wald, log scale; independent fits).

    Altman & Bland 2003 (BMJ 326:219).
    None where either has no estimate or is separated: its standard error is then no measure of what is unknown.
    """
    errors = (later["std_error"], earlier["std_error"])
    if None in errors or any(SEPARATED in (row["note"] or "") for row in (later, earlier)):
        return None
    gap, margin = later["estimate"] - earlier["estimate"], Z * math.hypot(*errors)
    return math.exp(gap), math.exp(gap - margin), math.exp(gap + margin)


def _events(cohort: str) -> str:
    return f"{cohort}: met / patients"


def _section(results: Results, model: str, fits: Fits) -> list[Cell]:
    unsure = [cohort for cohort, rows in fits.items() if is_exploratory(rows)]
    title = results.model_titles.get(model, model)
    title += f" ({EXPLORATORY} in {', '.join(unsure)})" if unsure else ""
    return [cell for place in places_of(fits.values()) for cell in _line(results, title, place, fits)]


def _line(results: Results, title: str, place: Place, fits: Fits) -> list[Cell]:
    by_cohort = {cohort: rows[place] for cohort, rows in fits.items() if place in rows}
    if all(row["note"] == REFERENCE for row in by_cohort.values()):
        return []
    named = line_of(results, title, next(iter(by_cohort.values())))
    cells: list[Cell] = []
    for cohort, row in by_cohort.items():
        cells += events_cells(row, _events(cohort), named)
        cells.append(estimate_cell(row, f"{cohort}: {ODDS_RATIO}", named))
    for first, second in results.apart:
        if first in by_cohort and second in by_cohort:
            cells.append(
                _ratio_cell(by_cohort[second], by_cohort[first], f"{RATIO}, {second} ÷ {first}", named)
            )
    return cells + note_cells(
        named, [(cohort, row["note"], row["smallest_cell"]) for cohort, row in by_cohort.items()]
    )


def _ratio_cell(later: Row, earlier: Row, column: str, named: Place) -> Cell:
    numbers = ratio_of_odds_ratios(later, earlier) or (None, None, None)
    counts = [row["smallest_cell"] for row in (later, earlier) if row["smallest_cell"] is not None]
    estimate, low, high = numbers
    smallest = min(counts, default=None)
    return value_cell("estimate", named[0], column, estimate, low, high, named[1], smallest=smallest)


def _methods(results: Results, sections: Mapping[str, Fits]) -> list[str]:
    return [
        f"{results.model_titles.get(model, model)}. {methods_note(fits)}" for model, fits in sections.items()
    ]
