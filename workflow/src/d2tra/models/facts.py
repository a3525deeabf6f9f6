"""What a fitted model reports beside its odds ratios: the objects of models/<model>_fit.json."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from d2tra.models.checks import events_per_parameter
from d2tra.models.design import INTERCEPT
from d2tra.models.effects import COMMON_OUTCOME, ROWS, effects_of_fit, find_e_value, risk_method
from d2tra.models.logistic import Fitted
from d2tra.models.pooled import pool_estimates
from d2tra.models.sample_size import parameter_budget
from d2tra.models.validation import validate_predictions

MEASURES = ("risk", "risk_reference", "risk_difference", "risk_ratio", "marginal_effect")
VIF_CONVENTION = (
    "from the correlations of the design's columns; gvif: Fox & Monette 1992, all columns of a term together (one "
    "column: 1 / (1 - R²)); gvif_scaled: gvif ** (1 / df), which compares with the VIF of one column"
)
JUDGED_IN = "the patients that the model was fitted to (apparent: too good)"
RARE, COMMON = "odds ratio taken as risk ratio", "square root of the odds ratio taken as risk ratio"


def facts_of_term(found: Fitted) -> dict[str, Any]:
    """Returns what a model of one factor reports; `c_statistic` is apparent. See facts_of_effects for `effects`."""
    return {
        "method": found.method,
        "n": found.n,
        "n_events": found.n_events,
        "n_parameters": found.n_parameters,
        "events_per_parameter": events_per_parameter(found.n_events, found.n_parameters),
        "parameter_budget": parameter_budget(found.n, found.n_events),
        "converged": found.converged,
        "separated_terms": found.separated,
        "c_statistic": found.c_statistic,
        "dropped_for_missing": found.dropped,
        "empty_cells": found.empty_cells,
        "problem": found.problem,
        "effects": facts_of_effects(found),
    }


def facts_of_model(found: Fitted) -> dict[str, Any]:
    """Returns what a model of several factors reports: facts_of_term with `vif` and `apparent`.

    Both are null where nothing was fitted; `problem` says why.
    """
    return {**facts_of_term(found), "vif": find_vif(found), "apparent": judge_apparent_fit(found)}


def facts_of_effects(found: Fitted) -> list[dict[str, Any]]:
    """Returns an object per estimated level or number: its effect on the risk, and its E-value.

    `risk` (everybody at that level), `risk_reference`, `risk_difference` and `risk_ratio` for levels, `marginal_effect`
    (mean change in risk per unit step) for numbers: estimate, std_error, ci_low, ci_high, see standardise_effects; by
    FLIC after Firth's method. `e_value`: of the odds ratio and of the limit nearer to 1; `approximation` says what
    stood for the risk ratio. All are null, with the reason in `note`, where there is no estimate or it is separated.
    """
    rows = found.rows.filter((pl.col("term") != INTERCEPT) & pl.col("note").ne_missing("reference"))
    by_place: dict[tuple[str, str | None], dict[str, dict[str, Any]]] = {}
    for effect in _effects_of(found).to_dicts():
        by_place.setdefault((effect["term"], effect["level"]), {})[effect["measure"]] = effect
    told = []
    for row in rows.to_dicts():
        measures = by_place.get((row["term"], row["level"]), {})
        silent = not measures or row["estimate"] is None or "separated" in (row["note"] or "")
        told.append(
            {name: row[name] for name in ("term", "level", "reference", "smallest_cell")}
            | {"n": found.n, "n_events": found.n_events, "method": risk_method(found)}
            | {name: None if silent else _numbers_of(measures.get(name)) for name in MEASURES}
            | {"e_value": None if silent else _e_value_of(row, found.n_events / found.n)}
            | {"note": row["note"] or found.problem}
        )
    return told


def _effects_of(found: Fitted) -> pl.DataFrame:
    """The effects of a fit, empty where nothing was fitted; of imputed sets by Rubin's rules, ratios on the log scale."""
    parts = [effects_of_fit(part) for part in found.imputations or (found,) if part.peak is not None]
    if len(parts) < 2:
        return parts[0] if parts else pl.DataFrame(schema=ROWS)
    is_ratio = pl.col("measure").is_in(["risk_ratio", "odds_ratio"])
    every = pl.concat(part.with_columns(imputation=pl.lit(i)) for i, part in enumerate(parts)).with_columns(
        definition="measure",
        estimate=pl.when(is_ratio).then(pl.col("estimate").log()).otherwise("estimate"),
    )
    pooled = pool_estimates(every, n=found.n, n_parameters=found.n_parameters + 1)
    return pooled.rename({"definition": "measure"}).with_columns(
        pl.when(is_ratio).then(pl.col(name).exp()).otherwise(name).alias(name)
        for name in ("estimate", "ci_low", "ci_high")
    )


def find_vif(found: Fitted) -> dict[str, Any] | None:
    """Returns the variance inflation per term (1: unrelated to the others), see VIF_CONVENTION; the mean over imputed
    sets. Null where nothing was fitted."""
    parts = [_vif_of(part) for part in found.imputations or (found,)]
    if not all(parts):
        return None
    terms = [term for term in parts[0] if all(term in part for part in parts)]
    means = {
        term: {name: float(np.mean([part[term][name] for part in parts])) for name in ("gvif", "gvif_scaled")}
        for term in terms
    }
    return {
        "convention": VIF_CONVENTION,
        "terms": {term: {"df": parts[0][term]["df"], **means[term]} for term in terms},
    }


def judge_apparent_fit(found: Fitted) -> dict[str, Any] | None:
    """Returns validate_predictions of the model in the very patients that it was fitted to, which flatters it; of
    imputed sets the means, without limits. Null where nothing was fitted."""
    parts = [_judge(part) for part in found.imputations or (found,)]
    if not all(parts):
        return None
    told = {"judged_in": JUDGED_IN, "method": risk_method(found)}
    if len(parts) == 1:
        return {**told, **parts[0]}
    means = {
        name: None if None in values else float(np.mean(values))
        for name in (
            "c_statistic",
            "calibration_slope",
            "calibration_intercept",
            "brier",
            "expected_over_observed",
        )
        for values in [[part[name] for part in parts]]
    }
    return {**told, "n": found.n, "n_events": found.n_events, **means, "note": "means over the imputed sets"}


def _vif_of(found: Fitted) -> dict[str, dict[str, Any]]:
    if found.design is None or found.peak is None:
        return {}
    terms = [column.term for column in found.design.fitted if column.term != INTERCEPT]
    correlation = np.corrcoef(found.design.matrix[:, 1:], rowvar=False).reshape(len(terms), len(terms))
    whole = np.linalg.slogdet(correlation)[1]
    inflated = {}
    for term in dict.fromkeys(terms):
        own = np.array([name == term for name in terms])
        parts = sum(float(np.linalg.slogdet(correlation[np.ix_(those, those)])[1]) for those in (own, ~own))
        gvif = float(np.exp(parts - whole))
        inflated[term] = {"df": int(own.sum()), "gvif": gvif, "gvif_scaled": gvif ** (1 / int(own.sum()))}
    return inflated


def _judge(found: Fitted) -> dict[str, Any]:
    beta = found.risk_coefficients()
    if found.design is None or found.event is None or beta is None:
        return {}
    judged = validate_predictions(found.event, expit(found.design.matrix @ beta))._asdict()
    return {name: _finite(value) if isinstance(value, float) else value for name, value in judged.items()}


def _numbers_of(effect: dict[str, Any] | None) -> dict[str, float | None] | None:
    if effect is None:
        return None
    return {name: _finite(effect[name]) for name in ("estimate", "std_error", "ci_low", "ci_high")}


def _e_value_of(row: dict[str, Any], prevalence: float) -> dict[str, Any]:
    found = find_e_value(row["odds_ratio"], row["ci_low"], row["ci_high"], prevalence=prevalence)
    return {**found._asdict(), "approximation": COMMON if prevalence > COMMON_OUTCOME else RARE}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
