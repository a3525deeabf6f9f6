"""The multiverse: one row per combination of choices, its prevalence and its odds ratios, the primary analysis first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from d2tra.config import Study
from d2tra.definitions import Definition, load_definition
from d2tra.errors import StudyError
from d2tra.risk_factor_plan import Plan, load_plan
from d2tra.risk_factors import assemble_analysis_set
from d2tra.sensitivity import OUTCOME, Grid, fit_grid, plan_grid
from d2tra.sensitivity_plan import PRIMARY
from d2tra.tables.cells import SEPARATED, Cell, as_cells, count_cell, proportion_cell, text_cell, value_cell
from d2tra.tables.describe import row_label
from d2tra.tables.model_rows import EXPLORATORY, LEVELS, NOTES
from d2tra.tables.prevalence import MET, UPPER
from d2tra.tables.results import BASELINES, CIRCULAR, CIRCULAR_FACTORS, POLICIES, SYNTHETIC, WILSON
from d2tra.tables.table import Table

CHOICES = {
    "definition": "Definition",
    "failure_rules": "Failure rules",
    "criterion_3_policy": "Criterion 3, unrecorded",
    "baseline": "Baseline",
    "missing": "Missing data",
}
OF_STATUS = tuple(CHOICES[name] for name in OUTCOME)  # the choices that a prevalence hangs on
PRIMARY_ROW = "1, primary analysis"
NOT_ASSESSABLE = "Not assessable"
ODDS_RATIO = "Odds ratio: "
REFUSED = "refused"
SAID_BESIDE = ("", SEPARATED, f"{SEPARATED} jointly")  # what stands beside the odds ratio itself


def count_grid(
    study: Study,
    cohort: str,
    members: pl.DataFrame,
    sites: Mapping[str, Mapping[str, pl.DataFrame]],
    statuses: pl.DataFrame,
    synthetic: bool,
) -> tuple[pl.DataFrame, Table]:
    """Returns sensitivity.csv of a cohort (see `fit_grid`) and the table of it.

    `members`, `sites` (tables by site): as `assemble_analysis_set` takes them; `statuses`: site and the columns of `relabel`. Factors are those
    of the primary failure rules. StudyError where the study declares no grid.
    """
    grid = plan_grid(study)
    if grid is None:
        raise StudyError(f"study {study.name}: key 'sensitivity' is missing: it declares no grid.")
    sets = {
        baseline: assemble_analysis_set(
            members, sites.items(), study.model_copy(update={"baseline": baseline})
        )
        for baseline in grid.baselines
    }
    named = zip(study.definition_names, study.definitions, strict=True)
    definitions = {name: load_definition(path) for name, path in named if name in grid.definitions}
    plan = load_plan()
    found = fit_grid(grid, statuses, sets, study, definitions, plan)
    return found, sensitivity(found, grid, plan, definitions, cohort, synthetic)


def sensitivity(
    found: pl.DataFrame,
    grid: Grid,
    plan: Plan,
    definitions: Mapping[str, Definition],
    cohort: str,
    synthetic: bool,
) -> Table:
    """Returns the table of a cohort's grid (`found`: as `fit_grid` gives it)."""
    cells: list[Cell] = []
    for (number,), rows in found.partition_by("specification", as_dict=True, maintain_order=True).items():
        first = rows.row(0, named=True)
        row = PRIMARY_ROW if first["is_primary"] else str(number)
        cells += [text_cell(row, heading, _shown(name, first[name])) for name, heading in CHOICES.items()]
        cells += [
            proportion_cell(row, MET, first["n_met"], first["n"]),
            count_cell(row, NOT_ASSESSABLE, first["n_not_assessable"]),
            proportion_cell(row, UPPER, first["n_met"] + first["n_not_assessable"], first["n"]),
        ]
        estimates = [(_factor(line, plan), line) for line in rows.iter_rows(named=True)]
        cells += [_estimate(row, factor, line) for factor, line in estimates]
        cells += _note(row, estimates)
    notes = _footnotes(found, grid, definitions)
    title = f"Sensitivity of prevalence and odds ratios to the choices made, cohort {cohort}"
    return Table("sensitivity", title, as_cells(cells), (*notes, *([SYNTHETIC] if synthetic else [])))


def _shown(name: str, choice: str) -> str:
    return POLICIES[choice] if name == "criterion_3_policy" else choice


def _factor(line: dict[str, Any], plan: Plan) -> str:
    """The factor of an estimate, with its level where it is no yes/no."""
    term, level, known = line["term"], line["level"], plan.characteristics
    title = row_label(known[term]) if term in known else term
    return title if level is None or level in LEVELS else f"{title}: {level}"


def _estimate(row: str, factor: str, line: dict[str, Any]) -> Cell:
    """The odds ratio; the word "refused" where the factor must not be modelled."""
    column = f"{ODDS_RATIO}{factor}"
    if (line["note"] or "").startswith(REFUSED):
        return text_cell(row, column, REFUSED)
    numbers = (line["odds_ratio"], line["ci_low"], line["ci_high"])
    return value_cell("estimate", row, column, *numbers, smallest=line["smallest_cell"], note=line["note"])


def _note(row: str, estimates: list[tuple[str, dict[str, Any]]]) -> list[Cell]:
    """What the fit has to say, but for refusals, which the footnotes explain, and separation, which stands beside its odds
    ratio: first what it says of every factor; what it says of one is held back with the smallest count behind it."""
    said = {
        factor: [part for part in (line["note"] or "").split("; ") if part not in SAID_BESIDE]
        for factor, line in estimates
        if not (line["note"] or "").startswith(REFUSED)
    }
    of_all = [part for part in next(iter(said.values()), []) if all(part in parts for parts in said.values())]
    told = [EXPLORATORY if part.startswith(EXPLORATORY) else part for part in of_all]
    told += [f"{factor}: {part}" for factor, parts in said.items() for part in parts if part not in of_all]
    counts = [line["smallest_cell"] for _, line in estimates if line["smallest_cell"] is not None]
    general = told and all(part.startswith((EXPLORATORY, "imputed")) for part in told)
    smallest = None if general else min(counts, default=None)
    return [text_cell(row, NOTES, "; ".join(told), smallest=smallest)] if told else []


def _footnotes(found: pl.DataFrame, grid: Grid, definitions: Mapping[str, Definition]) -> list[str]:
    model = next(iter(grid.missing.values()))
    together = "together in one model" if model.kind == "multivariable" else "each alone"
    methods = sorted(found["method"].drop_nulls().unique())
    refused = found.filter(pl.col("note").str.starts_with(REFUSED)).unique(
        ["definition", "baseline", "term"], maintain_order=True
    )
    reasons: dict[str, list[str]] = {}
    for row in refused.iter_rows(named=True):
        reasons.setdefault(f"{row['term']}: {row['note'].removeprefix('refused: ')}", []).append(
            f"{row['definition']} ({row['baseline']})"
        )
    terms = found["term"].drop_nulls().unique(maintain_order=True)
    return [
        f"{WILSON} The lower bound counts the not assessable as not met: it is the share that is met.",
        f"Odds ratios with 95 % confidence intervals, the factors {together}: {', '.join(methods) or 'none fitted'}.",
        "The status is that of the index date: the prevalence depends neither on the baseline nor on the plan for missing "
        "data.",
        *(f"Definition {name}: {definitions[name].title}." for name in grid.definitions),
        f"Failure rules {PRIMARY}: as the labels of this study.",
        *(f"Failure rules {rules.name}: {rules.title}." for rules in grid.failure_rules),
        *(f"Baseline {name}: {BASELINES[name]}." for name in grid.baselines),
        *(f"Refused under {', '.join(under)}: {why}." for why, under in reasons.items()),
        "The figure shows the combinations whose estimate is neither suppressed, refused nor inestimable.",
        "Exploratory: more parameters than the events can bear (Riley).",
        *([CIRCULAR] if any(term.startswith(CIRCULAR_FACTORS) for term in terms) else []),
    ]
