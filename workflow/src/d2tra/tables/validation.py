"""How good the models' risks are: in their own patients, less the optimism, and in patients they have not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell, text_cell, value_cell
from d2tra.tables.model_rows import EXPLORATORY
from d2tra.tables.table import Table
from d2tra.tables.validation_results import Judged, Validated, smallest_of

MEASURES = {
    "c_statistic": "c-statistic",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration in the large (log odds)",
    "brier": "Brier score",
}
APPARENT, OPTIMISM, CORRECTED = "Apparent", "Optimism", "Corrected for optimism"
MONTE_CARLO = "Monte-Carlo error × 1,000"
MET = "Met / patients"
MEAN_RISK, OBSERVED = "Mean predicted risk, %", "Met / patients, %"
ACTED_ON = "At or above the threshold"
NET_BENEFIT, NET_BENEFIT_ALL = "Net benefit of the model", "Net benefit of acting on all"
DELONG = "c-statistic: DeLong's limits; calibration: Wald limits."


def validation(results: Validated) -> Table:
    """Returns a section per model and cohort: each measure as it appears in the model's own patients, corrected for
    optimism, and in each cohort that shares no patient with them, with 95 % intervals; then patients and resamples."""
    judged = list(results.judged())
    cells = [cell for one in judged for cell in _section(one)]
    few = any(one.facts.get("below_500_resamples") for one in judged)
    notes = [
        "Optimism: bootstrap, the whole modelling repeated in each resample (missing data imputed once in each, where the "
        "model imputes). The limits of a corrected c-statistic or slope are the apparent ones moved by the optimism.",
        *(["Resamples: below 500, so that the corrected values are rough."] if few else []),
        f"Methods: {'; '.join(map(_method, judged))}.",
        f"Without the optimism's correction a model looks too good in its own patients. {DELONG} In other cohorts the "
        "model is applied as it stands, its intercept too; patients with a missing factor are left out.",
    ]
    above = any(one.is_exploratory for one in judged)
    title = f"Validation of the models{f' ({EXPLORATORY})' if above else ''}"
    return Table("validation", title, as_cells(cells), results.footnotes(*notes, exploratory=above))


def calibration(results: Validated) -> Table:
    """Returns, per model of the first cohort and other cohort, a row per group of predicted risk: its mean, and how many
    of the group had the outcome."""
    cells, above = [], False
    for one in results.judged(results.first):
        for cohort, found in _judged_elsewhere(one):
            above |= one.is_exploratory
            row = f"{one.heading}, applied in {cohort}"
            for number, group in enumerate(found["calibration_groups"], start=1):
                level, others = f"Group {number}", group["n"] - group["n_events"]
                hidden = smallest_of(group["n_events"], others)
                risk = 100 * group["mean_risk"]
                cells.append(value_cell("number", row, MEAN_RISK, risk, level=level, smallest=hidden))
                cells.append(proportion_cell(row, OBSERVED, group["n_events"], group["n"], level))
    notes = [
        "Groups of equal size by predicted risk, lowest first; equal risks stay together. Observed shares with Wilson 95 % "
        "limits."
    ]
    title = f"Predicted and observed risk in patients the model has not seen{f' ({EXPLORATORY})' if above else ''}"
    return Table("calibration", title, as_cells(cells), results.footnotes(*notes, exploratory=above))


def decision_curve(results: Validated) -> Table:
    """Returns, per model of the first cohort and other cohort, a row per threshold risk: how many are at or above it, and
    the net benefit (per patient) of acting on them and of acting on all."""
    cells, above = [], False
    for one in results.judged(results.first):
        for cohort, found in _judged_elsewhere(one):
            above |= one.is_exploratory
            for point in found["decision_curve"]:
                cells += _threshold(f"{one.heading}, applied in {cohort}", point)
    notes = [
        "Net benefit: true positives less false ones weighted by t / (1 − t), t the threshold, per patient; acting on nobody "
        "has net benefit 0 (Vickers & Elkin 2006). The outcome is a label, not a treatment: what acting means is for the "
        "reader to say.",
    ]
    title = f"Net benefit in patients the model has not seen{f' ({EXPLORATORY})' if above else ''}"
    return Table("decision_curve", title, as_cells(cells), results.footnotes(*notes, exploratory=above))


def _method(one: Judged) -> str:
    """By what its risks are estimated."""
    method = one.facts.get("method", "not fitted")
    return f"{one.title}, {one.cohort}: {'firth, the intercept corrected (flic)' if method == 'firth' else method}"


def _section(one: Judged) -> list[Cell]:
    """The measures, then on whom and on what they rest."""
    row, facts = one.heading, one.facts
    if facts["problem"]:
        return [text_cell(row, APPARENT, facts["problem"], MET)]
    elsewhere = {f"In {cohort}": found for cohort, found in facts["transport"].items()}
    shown = {column: found for column, found in elsewhere.items() if not found["problem"]}
    cells = [
        cell
        for name in MEASURES
        for cell in (
            *_internal_measure(row, name, facts),
            *(_measure(row, column, name, found, _hidden(found)) for column, found in shown.items()),
        )
    ]
    for column, found in {APPARENT: facts, **shown}.items():
        cells += [
            proportion_cell(row, column, found["n_events"], found["n"], MET),
            count_cell(row, column, found["n_without_outcome"], "Left out: outcome unknown"),
            count_cell(row, column, found["n_without_factors"], "Left out: a factor unknown"),
        ]
    cells.append(value_cell("number", row, OPTIMISM, facts["n_resamples"], level="Resamples"))
    for reason, n in facts["failed_resamples"].items():
        cells.append(value_cell("number", row, OPTIMISM, n, level=f"Resamples without result: {reason}"))
    unknown = {column: found["problem"] for column, found in elsewhere.items() if found["problem"]}
    return [*cells, *(text_cell(row, column, problem, MET) for column, problem in unknown.items())]


def _internal_measure(row: str, name: str, facts: Mapping[str, Any]) -> list[Cell]:
    if name not in facts["optimism"]:
        return []
    level, hidden, error = MEASURES[name], _hidden(facts), facts["monte_carlo_error"][name]
    thousandths = None if error is None else 1000 * error
    return [
        _measure(row, APPARENT, name, facts["apparent"], hidden),
        value_cell("number", row, OPTIMISM, facts["optimism"][name], level=level, **hidden),
        _measure(row, CORRECTED, name, facts["optimism_corrected"], hidden),
        value_cell("number", row, MONTE_CARLO, thousandths, level=level, **hidden),
    ]


def _hidden(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"smallest": smallest_of(found["n_events"], found["n"] - found["n_events"])}


def _judged_elsewhere(one: Judged) -> list[tuple[str, Mapping[str, Any]]]:
    found = one.facts.get("transport") or {}
    return [(cohort, facts) for cohort, facts in found.items() if not facts["problem"]]


def _measure(row: str, column: str, name: str, facts: Mapping[str, Any], hidden: dict[str, Any]) -> Cell:
    limits = (facts.get(f"{name}_ci_low"), facts.get(f"{name}_ci_high"))
    return value_cell("estimate", row, column, facts[name], *limits, level=MEASURES[name], **hidden)


def _threshold(row: str, point: Mapping[str, Any]) -> list[Cell]:
    level = f"{100 * point['threshold']:g} %"
    n, n_events, n_true = point["n"], point["n_events"], point["n_true"]
    n_false = point["n_acted_on"] - n_true
    hidden = smallest_of(n_true, n_false, n_events - n_true, n - n_events - n_false)
    of_all = smallest_of(n_events, n - n_events)
    return [
        proportion_cell(row, ACTED_ON, point["n_acted_on"], n, level),
        value_cell("number", row, NET_BENEFIT, point["net_benefit"], level=level, smallest=hidden),
        value_cell("number", row, NET_BENEFIT_ALL, point["net_benefit_all"], level=level, smallest=of_all),
    ]
