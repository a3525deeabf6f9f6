"""The sensitivity grid: prevalence and odds ratios under every combination of the choices that a study names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import polars as pl

from d2tra.config import Baseline, Study, parse
from d2tra.definitions import Definition, status_by_policy
from d2tra.estimates import wilson_high, wilson_low
from d2tra.models import ModelPlan, fit_every_outcome, load_model
from d2tra.models.design import INTERCEPT
from d2tra.models.imputation import MissingPlan
from d2tra.refusals import refuse_factors
from d2tra.risk_factor_plan import Plan
from d2tra.sensitivity_plan import PRIMARY, alternative_rules, grid_definitions
from d2tra.treatment import trace_courses
from d2tra.treatment.rules import FailureRules

PATIENT = ["site", "patient_id"]
OUTCOME = ["definition", "failure_rules", "criterion_3_policy"]
CHOICES = [*OUTCOME, "baseline", "missing"]
PREVALENCE = [
    "n",
    "n_met",
    "n_not_met",
    "n_not_assessable",
    "percent",
    "percent_ci_low",
    "percent_ci_high",
    "upper_bound",
]
ESTIMATES = {
    "term": pl.String, "level": pl.String, "reference": pl.String, "n_fitted": pl.Int64, "n_events": pl.Int64,
    "method": pl.String, "odds_ratio": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64, "p_value": pl.Float64,
    "smallest_cell": pl.Int64, "note": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """The choices of each kind, that of the primary analysis first. `missing`: label → the model under that plan."""

    definitions: list[str]
    failure_rules: list[FailureRules]
    policies: list[str]
    baselines: list[Baseline]
    missing: dict[str, ModelPlan]

    def specifications(self) -> list[tuple[str, ...]]:
        """Returns every combination, in the order of CHOICES; the first is the primary analysis."""
        rules = [PRIMARY, *(rules.name for rules in self.failure_rules)]
        return list(product(self.definitions, rules, self.policies, self.baselines, self.missing))


def plan_grid(study: Study) -> Grid | None:
    """Returns the study's grid; None where it declares none. StudyError names the key and the nearest valid choice."""
    asked = study.sensitivity
    if asked is None:
        return None
    return Grid(
        definitions=grid_definitions(study),
        failure_rules=alternative_rules(study),
        policies=_with_primary(study.if_criterion_3_unrecorded, asked.criterion_3),
        baselines=_with_primary(study.baseline, asked.baselines),
        missing=_missing_plans(study, load_model(asked.model), asked.missing),
    )


def relabel(
    policies: pl.DataFrame,
    tables: Mapping[str, pl.DataFrame],
    scores: pl.DataFrame,
    cut: dt.date,
    grid: Grid,
    study: Study,
    records_glucocorticoids: bool | None = None,
) -> pl.DataFrame:
    """Returns failure_rules and the columns of `status_by_policy`, under the primary and each alternative failure rules.

    `policies`: those of the primary rules, as `status_by_policy` gave them; `tables`: the site's valid tables; `cut`: the
    day up to which courses are traced. Without treatments nothing is known of any drug under any rules.
    """
    asked = [
        path
        for path, name in zip(study.definitions, study.definition_names, strict=True)
        if name in grid.definitions
    ]
    of_grid = policies.filter(pl.col("definition").is_in(grid.definitions))
    frames = [of_grid.select(pl.lit(PRIMARY).alias("failure_rules"), pl.all())]
    for rules in grid.failure_rules:
        courses = trace_courses(tables["treatments"], cut, rules.changes) if "treatments" in tables else None
        judged = status_by_policy(
            tables, courses, scores, asked, study, records_glucocorticoids, rules.changes
        )
        frames.append(judged.select(pl.lit(rules.name).alias("failure_rules"), pl.all()))
    return pl.concat(frames)


def fit_grid(
    grid: Grid,
    statuses: pl.DataFrame,
    sets: Mapping[Baseline, pl.DataFrame],
    study: Study,
    definitions: Mapping[str, Definition],
    plan: Plan,
) -> pl.DataFrame:
    """Returns sensitivity.csv: one row per specification × term × level, the primary analysis first.

    `statuses`: site, patient_id and the columns of `relabel`, the primary rules among them; `sets`: baseline → the
    cohort's analysis set; `definitions`: those of the grid by name. A factor that must not be modelled against a definition
    at a baseline stands in its rows, refused, with the reason. Columns: specification (1, 2, …), is_primary, CHOICES; PREVALENCE (percentages 0–100, null where n is 0; limits: Wilson;
    upper_bound: not assessable counted as met; percent is the lower bound); ESTIMATES (null where not estimable, with the reason in
    `note`). The status at the index date does not depend on the baseline and the missing-data plan, nor does the prevalence.
    """
    by_outcome = {
        key: rows.select(*PATIENT, "status")
        for key, rows in statuses.partition_by(OUTCOME, as_dict=True, maintain_order=True).items()
    }
    nobody = statuses.clear().select(*PATIENT, "status")
    frames = []
    fits: dict[
        tuple[Any, ...], pl.DataFrame
    ] = {}  # choices that lead to the same labels lead to the same fit
    for number, specification in enumerate(grid.specifications(), start=1):
        chosen = dict(zip(CHOICES, specification, strict=True))
        name, rules, policy, baseline, missing = specification
        status = by_outcome.get((name, rules, policy), nobody).rename({"status": name})
        judged = sets[baseline].drop(name, strict=False)  # type: ignore[index]
        judged = judged.join(status, on=PATIENT, how="left", validate="1:1", maintain_order="left")
        model = grid.missing[missing]
        varied = study.model_copy(update={"if_criterion_3_unrecorded": policy})
        factors = [factor.name for factor in model.modelled]
        refused = refuse_factors(factors, plan, definitions[name], baseline, varied)  # type: ignore[arg-type]
        fit = (name, baseline, missing, *refused.items(), *judged[name])
        if fit not in fits:
            fits[fit] = _fitted(judged, model, name, study.seed, refused)
        told = {"specification": number, "is_primary": number == 1, **chosen}
        frames.append(
            fits[fit].select(
                *(pl.lit(value).alias(column) for column, value in told.items()),
                *_prevalence(judged[name]),
                *ESTIMATES,
            )
        )
    return pl.concat(frames)


def _fitted(
    judged: pl.DataFrame, model: ModelPlan, definition: str, seed: int, refused: Mapping[str, str]
) -> pl.DataFrame:
    """The estimates of one specification; a row of nulls with the reason where there is none."""
    rows, _ = fit_every_outcome(judged, model, [definition], seed=seed, refused={definition: refused})
    estimated = rows.filter(pl.col("term") != INTERCEPT, (pl.col("note") != "reference").fill_null(True))
    return estimated.rename({"n": "n_fitted"}).select(*ESTIMATES)


def _prevalence(status: pl.Series) -> list[pl.Expr]:
    """The columns PREVALENCE of one outcome, the same in every row."""
    found = {kind: int((status == kind).sum()) for kind in ("met", "not_met", "not_assessable")}
    n = sum(found.values())
    counts = {"n": n, **{f"n_{kind}": count for kind, count in found.items()}}
    met, nothing = pl.lit(found["met"]), pl.lit(None, pl.Float64)
    shares = {
        "percent": 100 * met / n if n else nothing,
        "percent_ci_low": 100 * wilson_low(met, pl.lit(n)),
        "percent_ci_high": 100 * wilson_high(met, pl.lit(n)),
        "upper_bound": 100 * (met + found["not_assessable"]) / n if n else nothing,
    }
    return [
        *(pl.lit(count, pl.Int64).alias(name) for name, count in counts.items()),
        *(share.alias(name) for name, share in shares.items()),
    ]


def _with_primary(primary: Any, others: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys([primary, *others]))


def _missing_plans(study: Study, model: ModelPlan, others: Iterable[Any]) -> dict[str, ModelPlan]:
    """In words → the model under that missing-data plan, the model's own first; it is fitted to one outcome at a time."""
    section = {**model.model_dump(mode="json"), "outcomes": "primary"}
    where = f"study {study.name}: key 'sensitivity'"
    plans = [parse(ModelPlan, {**section, "missing": plan}, where) for plan in [section["missing"], *others]]
    named: dict[str, ModelPlan] = {}
    for plan in plans:
        named.setdefault(_in_words(plan.missing), plan)
    return named


def _in_words(missing: MissingPlan) -> str:
    imputed = missing.multiple_imputation
    return "complete cases" if imputed is None else f"multiple imputation, m = {imputed.m}"
