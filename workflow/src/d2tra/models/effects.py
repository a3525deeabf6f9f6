"""Odds ratios told as risks: standardised risks, their differences and ratios, marginal effects, and E-values.

G-computation with the delta method; E-values after VanderWeele & Ding 2017 (Ann Intern Med 167:268).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from scipy.special import expit

from d2tra.errors import StudyError, nearest
from d2tra.estimates import Z
from d2tra.models.design import INTERCEPT, Column, Design
from d2tra.models.logistic import Fitted, fit

METHODS = ("flic", "logit")
COMMON_OUTCOME = 0.15  # above this share of events an odds ratio is no risk ratio (VanderWeele & Ding 2017)
ROWS = {
    "term": pl.String,
    "level": pl.String,
    "reference": pl.String,
    "measure": pl.String,
    "n": pl.Int64,
    "n_events": pl.Int64,
    "method": pl.String,
    "estimate": pl.Float64,
    "std_error": pl.Float64,
    "ci_low": pl.Float64,
    "ci_high": pl.Float64,
    "note": pl.String,
    "smallest_cell": pl.Int64,
}


class Effect(NamedTuple):
    """An estimate with its 95 % limits; the standard error is on the scale named by the measure's function."""

    estimate: float
    std_error: float
    ci_low: float
    ci_high: float


def standardise_effects(
    data: pl.DataFrame,
    outcome: str,
    terms: Sequence[str],
    method: str = "flic",
    references: Mapping[str, str] | None = None,
    unit_steps: Mapping[str, float] | None = None,
    of_population: bool = False,
) -> pl.DataFrame:
    """Returns the effect of each term on the risk, averaged over the complete cases as they are (g-computation).

    A level, true, or the 1 of a 0/1 number gives five rows, by `measure`: risk (every patient at that level),
    risk_reference (every patient at the reference), risk_difference, risk_ratio and odds_ratio (marginal, so not the
    model's conditional one). Any other number gives one row: marginal_effect, the mean change in risk per unit step.
    Risks and differences are 0–1. `std_error` is of the log for ratios; limits (95 %) are Wald's: of the logit for
    risks, of the log for ratios. `n` and `n_events` count the complete cases. `note` and `smallest_cell` are those of
    fit_logistic; null estimates have their reason in `note`.

    Methods: flic (Firth's method with the intercept corrected; its covariance is the inverse information at Firth's
    estimate) or logit. Firth's own risks are too high, so they are refused. `of_population` adds the uncertainty
    about the patients themselves: without it, the limits are for these patients. Raises StudyError as fit_logistic.
    """
    if method not in METHODS:
        hint = " (Firth's risks are too high on average; flic corrects them)" if method == "firth" else ""
        raise StudyError(
            f"no method {method!r} for risks{hint}{nearest(method, METHODS)}; known: {', '.join(METHODS)}."
        )
    return effects_of_fit(fit(data, outcome, terms, method, references, unit_steps), of_population)


def effects_of_fit(found: Fitted, of_population: bool = False) -> pl.DataFrame:
    """Returns standardise_effects of a model that is already fitted; the risks of Firth's method are those of FLIC.

    A model without an estimate has null rows: their measure is marginal_effect for numbers, else risk_difference.
    """
    told = found.rows.filter((pl.col("term") != INTERCEPT) & pl.col("note").ne_missing("reference"))
    columns = {(column.term, column.level): column for column in found.design.columns} if found.design else {}
    beta, covariance = found.risk_coefficients(), None
    if found.design is not None and found.peak is not None:
        covariance = inverse_information(found.design.matrix, found.peak)
    rows = []
    for row in told.to_dicts():
        common = {name: row[name] for name in ("term", "level", "reference", "note", "smallest_cell")}
        common |= {"method": risk_method(found), "n": found.n, "n_events": found.n_events}
        column = columns.get((row["term"], row["level"]))
        is_number = column is not None and found.design is not None and _is_number(found.design, column)
        if found.design is None or beta is None or covariance is None or column is None or column.problem:
            rows.append({**common, "measure": "marginal_effect" if is_number else "risk_difference"})
            continue
        effects = _effects_of(found.design, column, beta, covariance, of_population)
        rows += [{**common, "measure": measure, **effect._asdict()} for measure, effect in effects.items()]
    return pl.DataFrame(rows, schema=ROWS)


def risk_method(found: Fitted) -> str:
    """Returns the method that risks come from: logit, or flic after Firth's method."""
    return "logit" if found.method == "logit" else "flic"


def inverse_information(matrix: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Returns the inverse of Fisher's information with weights p(1-p): the covariance of the coefficients."""
    risk = expit(matrix @ beta)
    return np.asarray(np.linalg.inv((matrix.T * (risk * (1 - risk))) @ matrix))


def compare_risks(
    exposed: np.ndarray,
    unexposed: np.ndarray,
    beta: np.ndarray,
    covariance: np.ndarray,
    of_population: bool = False,
) -> dict[str, Effect]:
    """Returns risk, risk_reference, risk_difference, risk_ratio and odds_ratio of the same patients twice.

    The matrices hold every patient as exposed and as unexposed. Standard errors: of the risk, the difference, the
    log ratios; limits as in standardise_effects.
    """
    one, none = expit(exposed @ beta), expit(unexposed @ beta)
    slopes = np.array(
        [(risk * (1 - risk)) @ matrix / len(risk) for risk, matrix in ((one, exposed), (none, unexposed))]
    )
    spread = slopes @ covariance @ slopes.T
    if of_population:
        spread = spread + np.cov(one, none) / len(one)
    r1, r0 = float(one.mean()), float(none.mean())
    odds = np.array([1 / (r1 * (1 - r1)), 1 / (r0 * (1 - r0))])

    def error(*gradient: float) -> float:
        return float(np.sqrt(np.array(gradient) @ spread @ np.array(gradient)))

    return {
        "risk": _wald_of_risk(r1, error(1, 0), odds[0]),
        "risk_reference": _wald_of_risk(r0, error(0, 1), odds[1]),
        "risk_difference": _wald(r1 - r0, error(1, -1)),
        "risk_ratio": _wald_of_log(r1 / r0, error(1 / r1, -1 / r0)),
        "odds_ratio": _wald_of_log(r1 / (1 - r1) / (r0 / (1 - r0)), error(odds[0], -odds[1])),
    }


def find_marginal_effect(
    matrix: np.ndarray, j: int, beta: np.ndarray, covariance: np.ndarray, of_population: bool = False
) -> Effect:
    """Returns the mean over the patients of the slope of risk on column j (average marginal effect)."""
    risk = expit(matrix @ beta)
    weight = risk * (1 - risk)
    gradient = beta[j] * ((weight * (1 - 2 * risk)) @ matrix) / len(risk)
    gradient[j] += weight.mean()
    variance = gradient @ covariance @ gradient
    if of_population:
        variance += (weight * beta[j]).var(ddof=1) / len(risk)
    return _wald(float(beta[j] * weight.mean()), float(np.sqrt(variance)))


class EValue(NamedTuple):
    """How strong (as a risk ratio, ≥ 1, with both exposure and outcome) unmeasured confounding must be to explain
    away the estimate, and its limit nearer to 1 (1 where the interval holds 1; None where it is not known)."""

    estimate: float
    limit: float | None
    risk_ratio: float


def find_e_value(
    ratio: float,
    ci_low: float | None = None,
    ci_high: float | None = None,
    measure: Literal["odds_ratio", "risk_ratio"] = "odds_ratio",
    prevalence: float | None = None,
) -> EValue:
    """Returns the E-value of a ratio and of the limit of its 95 % interval that is nearer to 1.

    An odds ratio stands for a risk ratio where the outcome is rare (`prevalence`, the share of events, up to 15 %);
    above, its square root does. `risk_ratio` is what was so used. Raises StudyError for a ratio or limit that is not
    above 0, limits that do not hold the ratio, an unknown measure, and an odds ratio without its prevalence.
    """
    if measure not in ("odds_ratio", "risk_ratio"):
        raise StudyError(f"no E-value for {measure!r}; known: odds_ratio, risk_ratio.")
    low, high = ratio if ci_low is None else ci_low, ratio if ci_high is None else ci_high
    if not 0 < ratio < np.inf or not 0 <= low <= ratio <= high:
        raise StudyError(
            "E-value: expected a ratio above 0 with limits on either side of it, none of them on the log scale."
        )
    if measure == "odds_ratio" and (prevalence is None or not 0 < prevalence < 1):
        raise StudyError(
            f"E-value of an odds ratio: prevalence is {prevalence}; state the share of events, between 0 and 1."
        )
    common = measure == "odds_ratio" and prevalence is not None and prevalence > COMMON_OUTCOME
    power = 0.5 if common else 1.0
    risk_ratio = ratio**power
    near = ci_low if ratio > 1 else ci_high
    if near is None:
        return EValue(_e_value(risk_ratio), None, risk_ratio)
    beyond_one = (near - 1) * (ratio - 1) <= 0
    return EValue(_e_value(risk_ratio), 1.0 if beyond_one else _e_value(near**power), risk_ratio)


def _effects_of(
    design: Design, column: Column, beta: np.ndarray, covariance: np.ndarray, of_population: bool
) -> dict[str, Effect]:
    j = design.fitted.index(column)
    if _is_number(design, column):
        return {"marginal_effect": find_marginal_effect(design.matrix, j, beta, covariance, of_population)}
    unexposed = design.matrix.copy()
    unexposed[:, [other.term == column.term for other in design.fitted]] = 0.0
    exposed = unexposed.copy()
    exposed[:, j] = 1.0
    return compare_risks(exposed, unexposed, beta, covariance, of_population)


def _is_number(design: Design, column: Column) -> bool:
    """Whether the column is told per unit step: no level, and other values than 0 and 1."""
    return column.reference is None and not design.coded[column.term].is_in([0.0, 1.0]).all()


def _wald(value: float, error: float) -> Effect:
    return Effect(value, error, value - Z * error, value + Z * error)


def _wald_of_log(ratio: float, error: float) -> Effect:
    return Effect(ratio, error, float(ratio * np.exp(-Z * error)), float(ratio * np.exp(Z * error)))


def _wald_of_risk(risk: float, error: float, slope: float) -> Effect:
    """Limits of the logit, whose slope at this risk is given, brought back to 0–1."""
    centre, margin = np.log(risk / (1 - risk)), Z * error * slope
    return Effect(risk, error, float(expit(centre - margin)), float(expit(centre + margin)))


def _e_value(risk_ratio: float) -> float:
    strength = max(risk_ratio, 1 / risk_ratio)
    return float(strength + np.sqrt(strength * (strength - 1)))
