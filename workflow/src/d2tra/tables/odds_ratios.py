"""The models' odds ratios side by side, with the patients and events behind each."""

from __future__ import annotations

from d2tra.models.sample_size import parameter_budget
from d2tra.tables.cells import Cell, as_cells, proportion_cell, value_cell
from d2tra.tables.model_rows import (
    EXPLAINED,
    REFERENCE,
    Place,
    Row,
    beside,
    characteristics_of,
    estimate_cell,
    events_cells,
    heading,
    is_exploratory,
    methods_note,
    names_of,
    note_cells,
    places_of,
    primary_rows,
)
from d2tra.tables.results import Results
from d2tra.tables.table import Table

EVENTS = "Met / patients"
BUDGET = "Parameters that these events can bear (Riley)"


def odds_ratios(results: Results) -> Table:
    """Returns a row per factor and level, in the order of the models: events of patients, then each model's odds ratio
    with its interval and p-value, and what its fit has to say. Above them the patients and their parameter budget, below them those of the
    multivariable models."""
    fits = {model: primary_rows(results, fitted) for model, fitted in results.models.items()}
    headings = {model: heading(results, model, rows) for model, rows in fits.items()}
    places = places_of(fits.values())
    cells = [cell for place in places for cell in _line(results, place, fits, headings)]
    exploratory = any(map(is_exploratory, fits.values()))
    notes = [
        "Odds ratios with 95 % confidence intervals; each model's own complete cases, or imputed data where a note says so (CLIP: the likelihood profiles of the imputed sets combined).",
        methods_note({headings[model]: rows for model, rows in fits.items()}),
        "p-values are not adjusted for multiple testing.",
        *([EXPLAINED] if exploratory else []),
    ]
    footnotes = results.footnotes(
        *notes, described_at=results.study.baseline, rows=characteristics_of(results, places)
    )
    lead = [*_counts(results), *results.presumed_cells(EVENTS)]
    title = f"Odds ratios, cohort {results.cohort}"
    return Table("odds_ratios", title, as_cells([*lead, *cells, *_of_models(results, headings)]), footnotes)


def _counts(results: Results) -> list[Cell]:
    n_known = int(results.analysis_set[results.primary].is_in(["met", "not_met"]).sum())
    n_met = int((results.analysis_set[results.primary] == "met").sum())
    return [
        proportion_cell("Patients in whom the outcome is known", EVENTS, n_met, n_known),
        _budget_cell(EVENTS, n_met, n_known),
    ]


def _of_models(results: Results, headings: dict[str, str]) -> list[Cell]:
    """Patients, parameters and budget of each multivariable model, in its own column."""
    cells = []
    for model, title in headings.items():
        facts = results.facts.get(model, {}).get(results.primary, {})
        if facts.get("kind") != "multivariable":
            continue
        cells += [
            proportion_cell("Complete cases of the model", title, facts["n_events"], facts["n"]),
            value_cell("number", "Parameters of the model", title, facts["n_parameters"]),
            _budget_cell(title, facts["n_events"], facts["n"]),
        ]
    return cells


def _budget_cell(column: str, n_met: int, n: int) -> Cell:
    smallest = min((count for count in (n_met, n - n_met) if count > 0), default=None)
    return value_cell("number", BUDGET, column, parameter_budget(n, n_met), smallest=smallest)


def _line(
    results: Results, place: Place, fits: dict[str, dict[Place, Row]], headings: dict[str, str]
) -> list[Cell]:
    by_model = {model: rows[place] for model, rows in fits.items() if place in rows}
    first = next(iter(by_model.values()))
    named = names_of(results, first)
    cells = events_cells(first, EVENTS, named)
    for model, row in by_model.items():
        column = f"{headings[model]}, p"
        nothing = row["note"] == REFERENCE
        p_value = value_cell("p_value", named[0], column, None if nothing else row["p_value"], level=named[1])
        cells += [estimate_cell(row, headings[model], named), p_value if nothing else p_value | beside(row)]
    said = [(headings[model], row["note"], row["smallest_cell"]) for model, row in by_model.items()]
    return cells + note_cells(named, said)
