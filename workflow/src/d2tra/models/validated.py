"""The validation of a declared model: optimism in its own cohort, and how it does, unchanged, in the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from d2tra.config import ValidationPlan
from d2tra.estimates import Z
from d2tra.models.bootstrap import Optimism, Sample, Source, bootstrap_optimism, complete_cases
from d2tra.models.design import Design, design_matrix
from d2tra.models.imputation import impute_analysis_set
from d2tra.models.imputed import ImputedSet
from d2tra.models.logistic import read_outcome
from d2tra.models.plan import Factor, ModelPlan, fit_factors, impute_factors
from d2tra.models.pooled import pool_estimates
from d2tra.models.risks import Coefficients, fit_risks
from d2tra.models.sample_size import parameter_budget
from d2tra.models.transport import judge_transport
from d2tra.models.validation import validate_predictions

FEWEST_RESAMPLES = 500
MEMBER = ["site", "patient_id"]
WITH_LIMITS = {"c_statistic": (0.0, 1.0), "calibration_slope": (-math.inf, math.inf)}  # and where these end


def validate_every_outcome(
    model: ModelPlan,
    definitions: Sequence[str],
    cohort: str,
    analysis_sets: Mapping[str, pl.DataFrame],
    facts: Mapping[str, Mapping[str, Any]],
    plan: ValidationPlan,
    seed: int,
) -> dict[str, Any]:
    """Returns models/<model>_validation.json: outcome → what validate_model says.

    `analysis_sets`: cohort → its patients, of every cohort of the study; the model is applied to those that share no
    patient with its own. `facts`: models/<model>_fit.json.
    """
    own = analysis_sets[cohort]
    others = {
        name: frame
        for name, frame in analysis_sets.items()
        if name != cohort and frame.join(own, on=MEMBER, how="semi").is_empty()
    }
    return {
        outcome: validate_model(model, outcome, own, others, facts[outcome]["refused"], plan, seed)
        for outcome in model.outcomes_among(definitions)
    }


def validate_model(
    model: ModelPlan,
    outcome: str,
    own: pl.DataFrame,
    others: Mapping[str, pl.DataFrame],
    refused: Mapping[str, str],
    plan: ValidationPlan,
    seed: int,
) -> dict[str, Any]:
    """Returns how good the model's risks are: `apparent`, `optimism`, `optimism_corrected`, each with c_statistic,
    calibration_slope and brier; `monte_carlo_error` of the corrected; `transport`: cohort → judge_transport.

    The 95 % limits of the corrected c-statistic and slope are the apparent ones moved by the optimism. `n_resamples`,
    `n_used` (by measure) and `failed_resamples` (reason → number) say what it rests on, `n_without_factors` who is
    missing from it. With imputed data the apparent measures are pooled by Rubin's rules, a resample is imputed once, and
    the log odds that are applied elsewhere are the mean of the imputed sets'. Univariable models predict no risk, and a
    model above its budget that must not be reported is not validated: `problem` says so and the rest is missing.
    """
    head: dict[str, Any] = {"kind": model.kind, "missing": model.missing.model_dump(), "seed": seed}
    if model.kind == "univariable":
        return {**head, "problem": "each factor stands alone: the model predicts no risk"}
    factors = [factor for factor in model.modelled if factor.name not in refused]
    if not factors:
        return {**head, "problem": "every factor of the model is refused against this outcome"}
    sets = impute_factors(own, outcome, model, seed)
    found = fit_factors(own, outcome, factors, model, sets)
    budget, n_unknown = parameter_budget(found.n, found.n_events), read_outcome(own, outcome).null_count()
    above = found.n_parameters > budget
    head |= {
        "method": found.method,
        "n": found.n,
        "n_events": found.n_events,
        "n_without_outcome": n_unknown,
        "n_without_factors": own.height - n_unknown - found.n,
        "n_parameters": found.n_parameters,
        "parameter_budget": budget,
        "exploratory": above,
    }
    if above and model.above_budget == "refuse":
        return {
            **head,
            "problem": f"not fitted: {found.n_parameters} parameters above the budget of {budget}",
        }
    source = None if found.problem else _source_of(own, outcome, model, factors, sets)
    fits = [fit_risks(*sample, model.method) for sample in source.samples] if source else []
    problem = found.problem or next((fitted.problem for fitted in fits if fitted.problem), None)
    if source is None or problem:
        return {**head, "problem": f"not fitted: {problem or 'the imputed sets differ in their levels'}"}
    optimism = bootstrap_optimism(source, model.method, plan.resamples, seed)
    log_odds = np.mean([fitted.beta for fitted in fits], axis=0)
    transport = {
        name: judge_transport(source.design, log_odds, frame, outcome, plan.thresholds)
        for name, frame in others.items()
    }
    return {
        **head,
        **_internal(_judge_apparent(source, fits), optimism),
        "transport": transport,
        "problem": None,
    }


def _source_of(
    own: pl.DataFrame, outcome: str, model: ModelPlan, factors: list[Factor], sets: ImputedSet | None
) -> Source | None:
    """What the model is made from, and how it is drawn again; None where imputed sets differ in their levels."""
    names = [factor.name for factor in factors]
    references = {f.name: f.reference for f in factors if f.reference is not None}
    steps = {f.name: f.unit_step for f in factors}

    def read(frame: pl.DataFrame) -> tuple[Design, np.ndarray]:
        event = read_outcome(frame, outcome)
        design = design_matrix(frame.filter(event.is_not_null()), names, references, steps)
        return design, event.drop_nulls().filter(design.complete).to_numpy()

    if sets is None:
        return complete_cases(*read(own))
    designs, events = zip(*map(read, sets.imputed.frames), strict=True)
    if any(design.fitted != designs[0].fitted for design in designs):
        return None
    once, imputed = sets.plan.model_copy(update={"m": 1}), [factor.name for factor in model.modelled]

    def redraw(generator: np.random.Generator) -> Sample:
        drawn = sets.known[generator.integers(0, sets.known.height, sets.known.height)]
        own_seed = generator.integers(0, 2**32, 2).tolist()
        frame = impute_analysis_set(drawn, outcome, imputed, once, own_seed).frames[0]
        matrix, known = designs[0].matrix_for(frame)
        return Sample(matrix, read_outcome(frame, outcome).filter(known).to_numpy())

    samples = [Sample(design.matrix, event) for design, event in zip(designs, events, strict=True)]
    return Source(designs[0], samples, redraw)


def _judge_apparent(source: Source, fits: Sequence[Coefficients]) -> dict[str, float | None]:
    """c_statistic and calibration_slope with their limits, and brier, in the model's own patients."""
    judged = [
        validate_predictions(sample.event, expit(sample.matrix @ fitted.beta))._asdict()
        for sample, fitted in zip(source.samples, fits, strict=True)
    ]
    told: dict[str, float | None] = {"brier": float(np.mean([one["brier"] for one in judged]))}
    for name in WITH_LIMITS:
        ends = (name, f"{name}_ci_low", f"{name}_ci_high")
        told |= {end: judged[0][end] for end in ends} if len(judged) == 1 else _pooled(judged, ends)
    return told


def _pooled(judged: list[dict[str, Any]], ends: tuple[str, str, str]) -> dict[str, Any]:
    name, low, high = ends
    if any(one[end] is None for one in judged for end in ends):
        return dict.fromkeys(ends)
    rows = [
        {"term": name, "estimate": one[name], "std_error": (one[high] - one[low]) / (2 * Z)} for one in judged
    ]
    return dict(
        zip(ends, pool_estimates(pl.DataFrame(rows))["estimate", "ci_low", "ci_high"].row(0), strict=True)
    )


def _internal(apparent: Mapping[str, float | None], optimism: Optimism) -> dict[str, Any]:
    limits: dict[str, float | None] = {}
    for name, (lowest, highest) in WITH_LIMITS.items():
        gained = optimism.optimism[name]
        for end in (f"{name}_ci_low", f"{name}_ci_high"):
            limit = apparent[end]
            known = limit is not None and gained is not None
            limits[end] = min(max(limit - gained, lowest), highest) if known else None  # type: ignore[operator]
    return {
        "apparent": apparent,
        "optimism": optimism.optimism,
        "optimism_corrected": {**optimism.corrected, **limits},
        "monte_carlo_error": optimism.monte_carlo_error,
        "n_resamples": optimism.n_resamples,
        "n_used": optimism.n_used,
        "failed_resamples": optimism.failed,
        "below_500_resamples": optimism.n_resamples < FEWEST_RESAMPLES,
    }
