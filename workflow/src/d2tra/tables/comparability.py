"""Are the cohorts alike, and what can the new one show? Both are asked before a model is carried from one to the other."""

from __future__ import annotations

from typing import Any

import polars as pl

from d2tra.errors import StudyError
from d2tra.models.logistic import read_outcome
from d2tra.models.plan import Factor
from d2tra.models.power import expect_odds_ratio
from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell, text_cell, value_cell
from d2tra.tables.describe import describe_side_by_side, in_use, row_label
from d2tra.tables.results import BASELINES, WILSON
from d2tra.tables.table import Table
from d2tra.tables.table_1_by_cohort import DIFFERENCE
from d2tra.tables.validation_results import Validated, smallest_of

MET = "Met the primary definition"
STATED, EXPECTED, POWER = "Stated odds ratio", "Expected 95 % interval", "Power at 5 %, %"
EXPOSED, EVENTS, SOURCE = "Have the factor / patients", "Met / patients", "Stated in"


def comparability(results: Validated) -> Table:
    """Returns every characteristic of table 1 in the first cohort and in each that shares no patient with it, with the
    standardised differences. No cells where there is no such cohort."""
    names = [results.first, *results.others]
    groups = {name: results.analysis_sets[name] for name in names} if results.others else {}
    cells: list[Cell] = [count_cell("Patients", name, group.height) for name, group in groups.items()]
    for name, group in groups.items():
        event = read_outcome(group, results.definition.name).drop_nulls()
        cells.append(proportion_cell(MET, name, int(event.sum()), len(event)))
    rows = (
        in_use(results.plan.rows_of("table_1"), pl.concat(groups.values(), how="vertical_relaxed"))
        if groups
        else []
    )
    columns = {
        DIFFERENCE if len(results.others) == 1 else f"{DIFFERENCE}: {other}": (results.first, other)
        for other in results.others
    }
    for row in rows:
        cells += describe_side_by_side(row, groups, columns)
    notes = [
        WILSON,
        f"Standardised difference: {results.first} v the other cohort; from 0.1 on it is worth naming (Austin 2009).",
        f"Characteristics as at {BASELINES[results.study.baseline]}.",
    ]
    title = f"Comparability of {' and '.join(names)}"
    return Table("comparability", title, as_cells(cells), results.footnotes(*notes))


def what_the_extension_can_show(results: Validated) -> Table:
    """Returns, per odds ratio stated beforehand (expected_odds_ratio of a model's factor) and cohort other than the first
    (the first where there is no other): patients with the factor, events, the interval to be expected if the stated odds
    ratio is true, and the power."""
    stated = {
        factor.name: factor
        for model in results.models.values()
        for factor in model.modelled
        if factor.expected_odds_ratio
    }
    cells = [
        cell
        for factor in stated.values()
        for cohort in results.others or [results.first]
        for cell in _expected(results, factor, cohort)
    ]
    notes = [
        "If the stated odds ratio is true: the interval of an estimate that hits it, and the chance that the two-sided test at "
        "5 % tells it from 1 (one factor, Wald's test, Fisher's information at the cohort's own shares; patients in whom "
        "factor and outcome are known). Other factors in the model make the interval wider.",
    ]
    title = f"What {' and '.join(results.others) or results.first} can show of odds ratios stated beforehand"
    return Table("what_the_extension_can_show", title, as_cells(cells), results.footnotes(*notes))


def _expected(results: Validated, factor: Factor, cohort: str) -> list[Cell]:
    stated, members = factor.expected_odds_ratio, results.analysis_sets[cohort]
    assert stated is not None
    if members.schema[factor.name] == pl.String:
        raise StudyError(
            f"factor {factor.name}: expected_odds_ratio is for yes/no factors and numbers, not for categories."
        )
    known = results.plan.characteristics.get(factor.name)
    row, level = row_label(known) if known else factor.name, f"in {cohort}"
    event = read_outcome(members, results.definition.name)
    kept = pl.DataFrame({"factor": members[factor.name].cast(pl.Float64) / factor.unit_step, "event": event})
    kept = kept.drop_nulls()
    n, n_events, is_yes_no = kept.height, int(kept["event"].sum()), members.schema[factor.name] == pl.Boolean
    n_exposed = int(kept["factor"].sum()) if is_yes_no else 0
    hidden: dict[str, Any] = {
        "level": level,
        "smallest": smallest_of(n_events, n - n_events, n_exposed, n - n_exposed),
    }
    cells = [
        value_cell("number", row, STATED, stated.value, level=level),
        *([proportion_cell(row, EXPOSED, n_exposed, n, level)] if is_yes_no else []),
        proportion_cell(row, EVENTS, n_events, n, level),
    ]
    try:
        found = expect_odds_ratio(stated.value, kept["factor"].to_numpy(), n_events / n if n else 0)
    except StudyError as refusal:
        return [
            *cells,
            text_cell(row, EXPECTED, f"{refusal}", **hidden),
            text_cell(row, SOURCE, stated.source, level),
        ]
    return [
        *cells,
        value_cell("estimate", row, EXPECTED, found.odds_ratio, found.ci_low, found.ci_high, **hidden),
        value_cell("number", row, POWER, 100 * found.power, **hidden),
        text_cell(row, SOURCE, stated.source, level),
    ]
