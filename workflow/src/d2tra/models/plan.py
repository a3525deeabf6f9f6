"""A model as its YAML declares it (config/models/<model>.yaml), fitted to an analysis set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import Field, field_validator

from d2tra import io
from d2tra.config import Closed, find, load_yaml, parse
from d2tra.errors import StudyError, nearest
from d2tra.models.checks import events_per_parameter
from d2tra.models.design import INTERCEPT, NotEstimableError
from d2tra.models.empty_cells import refuse_empty_cells
from d2tra.models.facts import facts_of_model, facts_of_term
from d2tra.models.imputation import COMPLETE_CASE, MissingPlan
from d2tra.models.imputed import ImputedSet, facts_of_imputation, fit_imputed, impute_for_model
from d2tra.models.logistic import ROWS, Fitted, fit, read_outcome
from d2tra.models.sample_size import parameter_budget


class StatedOddsRatio(Closed):
    """An odds ratio stated beforehand: of yes against no, or per unit step; and where it comes from."""

    value: float = Field(gt=0)
    source: str


class Factor(Closed):
    """One factor: a column of the analysis set, its reference level or unit step, its role, and the odds ratio expected."""

    name: str
    reference: str | None = None
    unit_step: float = Field(default=1, gt=0)
    role: Literal["candidate", "confounder", "descriptive"] = "candidate"
    expected_odds_ratio: StatedOddsRatio | None = None


class ModelPlan(Closed):
    """What is fitted: each factor alone (univariable) or all together. Descriptive factors are left out."""

    name: str
    title: str = ""
    kind: Literal["univariable", "multivariable"] = "multivariable"
    outcomes: Literal["primary", "all"] | list[str] = "primary"
    factors: list[Factor] = Field(min_length=1)
    method: Literal["auto", "firth", "logit", "flic"] = "auto"
    missing: MissingPlan = COMPLETE_CASE
    above_budget: Literal["refuse", "report_as_exploratory"] = "refuse"

    @field_validator("factors", mode="before")
    @classmethod
    def _name_alone(cls, factors: Any) -> Any:
        return (
            [{"name": f} if isinstance(f, str) else f for f in factors]
            if isinstance(factors, list)
            else factors
        )

    @property
    def modelled(self) -> list[Factor]:
        return [factor for factor in self.factors if factor.role != "descriptive"]

    def outcomes_among(self, definitions: Sequence[str]) -> list[str]:
        """Returns the outcomes among the study's definitions, the first of which is primary."""
        if self.outcomes == "all":
            return list(definitions)
        if self.outcomes == "primary":
            return list(definitions[:1])
        for outcome in self.outcomes:
            if outcome not in definitions:
                raise StudyError(
                    f"model {self.name}: outcome {outcome!r} is no definition of the study"
                    f"{nearest(outcome, definitions)} Its definitions: {', '.join(definitions)}."
                )
        return list(self.outcomes)


def load_model(name: str) -> ModelPlan:
    """Returns the model of that name or path; its `name` is the stem of its file."""
    path = find("models", name)
    return parse(ModelPlan, load_yaml(path), path, name=path.stem)


def read_fits(folder: str | Path, names: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Returns the rows of each <name>.csv in the folder, in the order of the names, typed as they were written."""
    return {name: pl.read_csv(Path(folder) / f"{name}.csv", schema_overrides=ROWS) for name in names}


def read_facts(folder: str | Path, names: Sequence[str]) -> dict[str, Any]:
    """Returns what each <name>_fit.json in the folder holds: definition → facts."""
    return {name: io.read_json(Path(folder) / f"{name}_fit.json") for name in names}


def read_validations(paths: Sequence[str | Path]) -> dict[str, dict[str, Any]]:
    """Returns what each <cohort>/models/<model>_validation.json holds: cohort → model → outcome → its validation."""
    found: dict[str, dict[str, Any]] = {}
    for path in map(Path, paths):
        model = path.stem.removesuffix("_validation")
        found.setdefault(path.parent.parent.name, {})[model] = io.read_json(path)
    return found


def fit_models(
    analysis_set: pl.DataFrame,
    model: ModelPlan,
    outcome: str,
    *,
    seed: int | None = None,
    refused: Mapping[str, str] | None = None,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Returns the rows of models/<model>.csv for one outcome (definition), and its object of _fit.json.

    Univariable models have no intercept row, and their own facts under `terms`. `refused` maps a factor to the
    reason why it must not be modelled against this outcome; it stands in the rows with that reason, as does one with an
    empty cell against the outcome where the method is logit. Nothing stops
    here for the data's sake: what cannot be fitted is a row of nulls with the reason in its note.
    """
    refused = {name: why for name, why in (refused or {}).items() if name in {f.name for f in model.modelled}}
    refused |= _refuse_empty_cells(analysis_set, outcome, model, refused)
    factors = [factor for factor in model.modelled if factor.name not in refused]
    groups = _groups(factors, model.kind == "univariable")
    sets = impute_factors(analysis_set, outcome, model, seed)
    fits = [fit_factors(analysis_set, outcome, group, model, sets) for group in groups]
    event = read_outcome(analysis_set, outcome).drop_nulls()
    facts = _facts(fits, groups, model, len(event), int(event.sum()))
    rows = [_judged(found.rows, facts, model) for found in fits]
    rows += [_row_of_nulls(name, f"refused: {why}") for name, why in refused.items()]
    table = pl.concat(rows) if rows else pl.DataFrame(schema=ROWS)
    if model.kind == "univariable":
        table = table.filter(pl.col("term") != INTERCEPT)
    missing = model.missing.model_dump()
    identity = {"definition": outcome, "kind": model.kind, "missing": missing, "seed": seed}
    if model.missing.multiple_imputation:
        facts |= {"imputation": facts_of_imputation(model.missing.multiple_imputation, sets, fits)}
    return (
        table.with_columns(definition=pl.lit(outcome)),
        {**identity, "n_rows": analysis_set.height, "refused": refused, **facts},
    )


def _groups(factors: list[Factor], alone: bool) -> list[list[Factor]]:
    """The factors that are fitted together."""
    return [[factor] for factor in factors] if alone else [factors] if factors else []


def _refuse_empty_cells(
    data: pl.DataFrame, outcome: str, model: ModelPlan, refused: Mapping[str, str]
) -> dict[str, str]:
    """Of an unpenalised model. Where values are imputed, every factor is judged by what is known of it."""
    if model.method != "logit":
        return {}
    factors = [factor for factor in model.modelled if factor.name not in refused]
    _refuse_unknown_factors(data, [factor.name for factor in factors], model)
    alone = model.kind == "univariable" or model.missing.multiple_imputation is not None
    groups = [[factor.name for factor in group] for group in _groups(factors, alone)]
    references = {f.name: f.reference for f in factors if f.reference is not None}
    return refuse_empty_cells(data, outcome, groups, references, {f.name: f.unit_step for f in factors})


def fit_every_outcome(
    analysis_set: pl.DataFrame,
    model: ModelPlan,
    definitions: Sequence[str],
    *,
    seed: int | None = None,
    refused: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Returns the rows of models/<model>.csv for all its outcomes, and models/<model>_fit.json: outcome → facts.

    `refused`: outcome → factor → reason (d2tra.refusals).
    """
    fitted = {
        name: fit_models(analysis_set, model, name, seed=seed, refused=(refused or {}).get(name))
        for name in model.outcomes_among(definitions)
    }
    return pl.concat([rows for rows, _ in fitted.values()]), {
        name: facts for name, (_, facts) in fitted.items()
    }


def impute_factors(data: pl.DataFrame, outcome: str, model: ModelPlan, seed: int | None) -> ImputedSet | None:
    """Returns the imputed sets of the model's factors (one that is refused against the outcome helps to impute the
    others); None where the model takes complete cases, or nothing is missing."""
    plan = model.missing.multiple_imputation
    if plan is None:
        return None
    names = [factor.name for factor in model.modelled]
    _refuse_unknown_factors(data, names, model)
    return impute_for_model(data, outcome, names, plan, model.name, seed)


def _refuse_unknown_factors(data: pl.DataFrame, names: list[str], model: ModelPlan) -> None:
    for name in names:
        if name not in data.columns:
            raise StudyError(
                f"model {model.name}: no factor {name!r} in the analysis set{nearest(name, data.columns)}"
            )


def fit_factors(
    data: pl.DataFrame, outcome: str, factors: list[Factor], model: ModelPlan, sets: ImputedSet | None = None
) -> Fitted:
    """Returns the fit of these factors together; where the data cannot bear it, rows of nulls and the `problem`.

    With imputed sets, the pooled fit.
    """
    names = [factor.name for factor in factors]
    _refuse_unknown_factors(data, names, model)
    references = {f.name: f.reference for f in factors if f.reference is not None}
    asked = (outcome, names, model.method, references, {f.name: f.unit_step for f in factors})
    try:
        return fit(data, *asked) if sets is None else fit_imputed(sets, *asked)
    except NotEstimableError as refusal:
        rows = pl.concat([_row_of_nulls(name, f"not fitted: {refusal}") for name in names])
        event = read_outcome(data, outcome).drop_nulls()
        return Fitted(
            rows, model.method, len(event), int(event.sum()), 0, None, [], None, {}, [], str(refusal)
        )


def _facts(
    fits: list[Fitted], groups: list[list[Factor]], model: ModelPlan, n: int, n_events: int
) -> dict[str, Any]:
    """The facts of _fit.json: of the one multivariable fit, or over all univariable fits and of each."""
    if model.kind == "multivariable" and fits:
        found = fits[0]
        verdict = _verdict(model, found.n_parameters, parameter_budget(found.n, found.n_events))
        if verdict and model.above_budget == "refuse":
            found = replace(
                found, peak=None, imputations=(), c_statistic=None, problem=found.problem or verdict
            )
        return facts_of_model(found)
    n_parameters = max((found.n_parameters for found in fits), default=0)
    judged = [found.converged for found in fits if found.converged is not None]
    return {
        "method": model.method,
        "n": n,
        "n_events": n_events,
        "n_parameters": n_parameters,
        "events_per_parameter": events_per_parameter(n_events, n_parameters),
        "parameter_budget": parameter_budget(n, n_events),
        "converged": all(judged) if judged else None,
        "separated_terms": list(dict.fromkeys(term for found in fits for term in found.separated)),
        "c_statistic": None,
        "terms": {group[0].name: facts_of_term(found) for group, found in zip(groups, fits, strict=True)},
    }


def _judged(rows: pl.DataFrame, facts: dict[str, Any], model: ModelPlan) -> pl.DataFrame:
    """The rows of a multivariable model above its budget say so, or lose their estimates."""
    verdict = _verdict(model, facts["n_parameters"], facts["parameter_budget"])
    if verdict is None:
        return rows
    estimated = pl.col("estimate").is_not_null() & (pl.col("note") != "reference").fill_null(True)
    noted = rows.with_columns(
        note=pl.when(estimated).then(pl.concat_str("note", pl.lit(verdict), separator="; ", ignore_nulls=True))
        .otherwise("note")
    )  # fmt: skip
    if model.above_budget == "report_as_exploratory":
        return noted
    return noted.with_columns(
        pl.lit(None, pl.Float64).alias(name) for name, kind in ROWS.items() if kind == pl.Float64
    )


def _verdict(model: ModelPlan, wanted: int, budget: int) -> str | None:
    """What is said of a multivariable model with more parameters than its data can bear; None of any other."""
    if model.kind == "univariable" or wanted <= budget:
        return None
    said = "exploratory" if model.above_budget == "report_as_exploratory" else "not fitted"
    return f"{said}: {wanted} parameters above the budget of {budget} (Riley)"


def _row_of_nulls(term: str, note: str) -> pl.DataFrame:
    return pl.DataFrame([{"term": term, "note": note}], schema=ROWS)
