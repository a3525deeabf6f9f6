"""The models' odds ratios side by side, with the patients and events behind each."""

from __future__ import annotations

from typing import Any

import polars as pl

from d2tra.models.sample_size import parameter_budget
from d2tra.tables.cells import Cell, as_cells, proportion_cell, text_cell, value_cell
from d2tra.tables.describe import row_label
from d2tra.tables.results import NO, YES, Results
from d2tra.tables.table import Table

INTERCEPT = "(Intercept)"
EVENTS = "Met / patients"
LEVELS = {"true": YES, "false": NO}
NOTES = "Note"


def odds_ratios(results: Results) -> Table:
    """Returns a row per factor and level, in the order of the models: events of patients, then each model's odds ratio
    with its interval and p-value, and what its fit has to say."""
    rows: dict[tuple[str, str | None], dict[str, dict[str, Any]]] = {}
    for model, fitted in results.models.items():
        wanted = fitted.filter((pl.col("definition") == results.primary) & (pl.col("term") != INTERCEPT))
        for found in wanted.iter_rows(named=True):
            rows.setdefault((found["term"], found["level"]), {})[model] = found
    known = results.plan.characteristics
    ordered = sorted(rows, key=lambda key: list(dict.fromkeys(term for term, _ in rows)).index(key[0]))
    cells = [cell for key in ordered for cell in _line(results, key, rows[key])]
    shown = [known[term] for term in dict.fromkeys(term for term, _ in ordered) if term in known]
    methods = sorted(
        {found["method"] for by_model in rows.values() for found in by_model.values() if found["method"]}
    )
    notes = [
        "Odds ratios with 95 % confidence intervals; each model's own complete cases.",
        f"Methods: {', '.join(methods) or 'none fitted'} (firth: profile penalised-likelihood intervals).",
        "p-values are not adjusted for multiple testing. A multivariable model with more parameters than the events can "
        "bear (Riley) is exploratory.",
    ]
    footnotes = results.footnotes(*notes, described_at=results.study.baseline, rows=shown)
    lead = [*_counts(results), *results.presumed_cells(EVENTS)]
    return Table("odds_ratios", f"Odds ratios, cohort {results.cohort}", as_cells([*lead, *cells]), footnotes)


def _counts(results: Results) -> list[Cell]:
    n_known = int(results.analysis_set[results.primary].is_in(["met", "not_met"]).sum())
    n_met = int((results.analysis_set[results.primary] == "met").sum())
    smallest = min((count for count in (n_met, n_known - n_met) if count > 0), default=None)
    budget = parameter_budget(n_known, n_met)
    return [
        proportion_cell("Patients in whom the outcome is known", EVENTS, n_met, n_known),
        value_cell(
            "number", "Parameters that these events can bear (Riley)", EVENTS, budget, smallest=smallest
        ),
    ]


def _line(results: Results, key: tuple[str, str | None], by_model: dict[str, dict[str, Any]]) -> list[Cell]:
    term, level = key
    known = results.plan.characteristics
    row = row_label(known[term]) if term in known else term
    shown = LEVELS.get(level, level) if level else None
    first = next(iter(by_model.values()))
    cells: list[Cell] = []
    if first["n"] is not None:
        cells.append(proportion_cell(row, EVENTS, first["n_events"], first["n"], shown))
    said = []
    for model, found in by_model.items():
        cells += _estimate(results.model_titles.get(model, model), row, shown, found)
        if found["note"] and found["note"] != "reference":
            said.append(f"{model}: {found['note']}")
    if said:
        cells.append(text_cell(row, NOTES, "; ".join(said), shown))
    return cells


def _estimate(title: str, row: str, level: str | None, found: dict[str, Any]) -> list[Cell]:
    if found["note"] == "reference":
        nothing = value_cell("p_value", row, f"{title}, p", None, level=level)
        return [text_cell(row, title, "1 (reference)", level), nothing]
    numbers = (found["odds_ratio"], found["ci_low"], found["ci_high"])
    hidden = {"smallest": found["smallest_cell"], "note": found["note"]}
    return [
        value_cell("estimate", row, title, *numbers, level=level, **hidden),
        value_cell("p_value", row, f"{title}, p", found["p_value"], level=level, **hidden),
    ]
