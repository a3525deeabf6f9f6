"""What the odds ratios mean in patients: differences and ratios of risks, and how strong a hidden cause would have to be."""

from __future__ import annotations

from typing import Any

from d2tra.models.facts import COMMON
from d2tra.tables.cells import Cell, as_cells, text_cell, value_cell
from d2tra.tables.model_rows import (
    EXPLAINED,
    REFERENCE,
    Place,
    Row,
    beside,
    characteristics_of,
    events_cells,
    heading,
    is_exploratory,
    line_of,
    note_cells,
    places_of,
    primary_rows,
)
from d2tra.tables.odds_ratios import EVENTS
from d2tra.tables.results import Results
from d2tra.tables.table import Table

LIMITS = ("estimate", "ci_low", "ci_high")
NOTES = (
    "Risk difference and risk ratio: every patient of the model at that level against every patient at the reference "
    "level, all else as it is (g-computation); for numbers the mean change in risk per unit step (average marginal effect) "
    "instead of a difference. 95 % confidence intervals by the delta method, for the patients as they are; after Firth's "
    "method from risks with FLIC's intercept; imputed sets by Rubin's rules.",
    "E-value: how strongly, as a risk ratio, an unmeasured cause would have to go with both the factor and the outcome to "
    "explain the odds ratio away, or its limit nearer to 1 (1: the interval holds 1). Where at most 15 % have the outcome "
    "the odds ratio stands for the risk ratio, above that its square root (VanderWeele & Ding 2017).",
    "An effect on the risk is no proof of a cause. Nothing is given where the data are separated.",
)


def risk_effects(results: Results) -> Table:
    """Returns a section per model with a row per factor and level (references are named, not shown): events of patients,
    the standardised risk difference (for numbers the average marginal effect) in percentage points, the risk ratio, and
    the E-values of the odds ratio and of its limit nearer to 1. No cells where no model reports effects."""
    fits = {model: primary_rows(results, fitted) for model, fitted in results.models.items()}
    cells: list[Cell] = []
    for model, rows in fits.items():
        effects = _effects_of(results.facts.get(model, {}).get(results.primary, {}))
        section = heading(results, model, rows)
        for place in places_of([rows]) if effects else []:
            if rows[place]["note"] != REFERENCE:
                cells += _line(results, section, rows[place], effects.get(place, {}))
    exploratory = any(map(is_exploratory, fits.values()))
    footnotes = results.footnotes(
        *NOTES,
        *([EXPLAINED] if exploratory else []),
        described_at=results.study.baseline,
        rows=characteristics_of(results, places_of(fits.values())),
    )
    title = f"Effects on the risk, and E-values, cohort {results.cohort}"
    lead = results.presumed_cells(EVENTS) if cells else []
    return Table("risk_effects", title, as_cells([*lead, *cells]), footnotes)


def _effects_of(facts: dict[str, Any]) -> dict[Place, dict[str, Any]]:
    """The effects of one model, or of all its models of one factor, by term and level."""
    parts = [facts, *facts.get("terms", {}).values()]
    return {
        (effect["term"], effect["level"]): effect for part in parts for effect in part.get("effects") or []
    }


def _line(results: Results, section: str, row: Row, effect: dict[str, Any]) -> list[Cell]:
    named = line_of(results, section, row)
    difference = effect.get("risk_difference") or effect.get("marginal_effect") or {}
    ratio, e_value = effect.get("risk_ratio") or {}, effect.get("e_value") or {}
    points = [None if difference.get(name) is None else 100 * difference[name] for name in LIMITS]

    def cell(kind: str, column: str, *numbers: float | None) -> Cell:
        estimate, low, high = (*numbers, None, None)[:3]
        return value_cell(kind, named[0], column, estimate, low, high, named[1], **beside(row))

    cells = [
        *events_cells(row, EVENTS, named),
        cell("estimate", "Risk difference, percentage points", *points),
        cell("estimate", "Risk ratio", *(ratio.get(name) for name in LIMITS)),
        cell("number", "E-value", e_value.get("estimate")),
        cell("number", "E-value of the limit", e_value.get("limit")),
    ]
    if e_value:
        words = "square root of the odds ratio" if e_value["approximation"] == COMMON else "odds ratio"
        cells.append(text_cell(named[0], "E-value from", words, named[1], smallest=row["smallest_cell"]))
    return cells + note_cells(named, [("", effect.get("note") or row["note"], row["smallest_cell"])])
