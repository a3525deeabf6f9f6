"""How well predicted risks fit what happened: who is told apart, and whether the risks are the right size.

Agrees with pROC 1.18 (DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837) and rms 6.5 (val.prob).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.special import logit

from d2tra.errors import StudyError
from d2tra.estimates import Interval, Z
from d2tra.models.logistic import read_outcome


class Validation(NamedTuple):
    """Measures of predictions with their 95 % intervals; None where the data give no number, with why in `note`.

    `n` counts the patients judged, `n_events` those with the outcome, `n_left_out` those whose outcome or risk is
    unknown. `c_statistic` (0–1, ties half) has DeLong's limits, cut at 0 and 1. `calibration_slope` (1: neither too
    extreme nor too modest) is the slope of the outcome on the logit of the risk, `recalibration_intercept` the
    intercept of that same model (rms's Intercept); `calibration_intercept` is calibration in the large, with the
    slope held at 1 (0: the mean risk is right; above: risks are too low, in log odds). Both have Wald limits.
    `brier` is the mean squared error (0–1), `expected_over_observed` the mean risk over the share of events.
    """

    n: int
    n_events: int
    n_left_out: int
    c_statistic: float
    c_statistic_ci_low: float | None
    c_statistic_ci_high: float | None
    calibration_slope: float | None
    calibration_slope_ci_low: float | None
    calibration_slope_ci_high: float | None
    calibration_intercept: float | None
    calibration_intercept_ci_low: float | None
    calibration_intercept_ci_high: float | None
    recalibration_intercept: float | None
    brier: float
    expected_over_observed: float
    note: str | None


def validate_predictions(
    outcome: pl.Series | np.ndarray | Sequence[object], risk: pl.Series | np.ndarray | Sequence[float | None]
) -> Validation:
    """Returns c-statistic, calibration and Brier score of predicted risks (0–1) against what happened.

    The outcome is true/false, 0/1 or met/not_met/not_assessable, a value per risk; patients in whom either is unknown
    (null, NaN, not_assessable) are left out and counted. Raises StudyError where the two differ in length, a risk is
    outside 0–1, nobody is left, or all or none of them have the outcome.
    """
    event, risks, n_left_out = _read(outcome, risk)
    discrimination = find_c_statistic(event, risks)
    reasons = [] if discrimination.ci_low is not None else ["no DeLong limits: its variance is 0 or unknown"]
    uncertain = _why_not_calibrated(event, risks)
    reasons += [uncertain] if uncertain else []
    slope = large = Interval(None, None, None)
    recalibration = None
    if ((risks > 0) & (risks < 1)).all():
        log_odds = logit(risks)
        large = _fit(event, np.ones((len(event), 1)), log_odds)[0]
        if uncertain is None:
            both = _fit(event, np.column_stack([np.ones(len(event)), log_odds]))
            recalibration, slope = both[0].estimate, both[1]
    return Validation(
        *(len(event), int(event.sum()), n_left_out, *discrimination, *slope, *large, recalibration),
        brier=float(np.mean((risks - event) ** 2)),
        expected_over_observed=float(risks.mean() / event.mean()),
        note="; ".join(reasons) or None,
    )


class CStatistic(NamedTuple):
    """The c-statistic (0–1) with DeLong's limits; None in both where DeLong's variance is 0 or unknown."""

    estimate: float
    ci_low: float | None
    ci_high: float | None


def find_c_statistic(event: np.ndarray, score: np.ndarray) -> CStatistic:
    """Returns the share of event/non-event pairs in which the event has the higher score, ties half.

    Scores that differ by less than 1e-12 are ties: equal patients stay equal. Both outcomes must be there.
    """
    score = np.round(score, 12)
    placed = _ranks(score)
    n_cases, n_controls = int(event.sum()), int((~event).sum())
    of_cases = (placed[event] - _ranks(score[event])) / n_controls
    of_controls = 1 - (placed[~event] - _ranks(score[~event])) / n_cases
    found = float(of_cases.mean())
    if min(n_cases, n_controls) < 2:
        return CStatistic(found, None, None)
    variance = of_cases.var(ddof=1) / n_cases + of_controls.var(ddof=1) / n_controls
    if variance == 0:
        return CStatistic(found, None, None)
    margin = Z * float(np.sqrt(variance))
    return CStatistic(found, max(found - margin, 0.0), min(found + margin, 1.0))


def _read(
    outcome: pl.Series | np.ndarray | Sequence[object], risk: pl.Series | np.ndarray | Sequence[float | None]
) -> tuple[np.ndarray, np.ndarray, int]:
    """The outcome (bool) and risk (float) of the patients in whom both are known, and how many are not."""
    if len(outcome) != len(risk):
        raise StudyError(f"{len(outcome)} outcomes for {len(risk)} risks; one risk per patient is expected.")
    happened = read_outcome(pl.DataFrame({"outcome": pl.Series(outcome)}), "outcome")
    try:
        risks = pl.Series(risk).cast(pl.Float64).fill_nan(None)
    except pl.exceptions.PolarsError:
        raise StudyError("the risks are no numbers; probabilities from 0 to 1 are expected.") from None
    outside = int(((risks < 0) | (risks > 1)).sum())
    if outside:
        raise StudyError(
            f"{outside} of {len(risks)} risks lie outside 0–1; probabilities are expected, no percentages or log odds."
        )
    known = happened.is_not_null() & risks.is_not_null()
    event, kept = happened.filter(known), risks.filter(known)
    if event.is_empty():
        raise StudyError(f"none of {len(risks)} patients has both a known outcome and a risk.")
    if event.n_unique() == 1:
        who = "every one" if event[0] else "none"
        raise StudyError(
            f"{who} of {len(event)} patients has the outcome; predictions are judged where some have it and some not."
        )
    return event.to_numpy(), kept.to_numpy(), int((~known).sum())


def _ranks(score: np.ndarray) -> np.ndarray:
    return pl.Series(score).rank("average").to_numpy()


def _why_not_calibrated(event: np.ndarray, risks: np.ndarray) -> str | None:
    """Why the calibration slope has no number; None where it has one."""
    certain = int(((risks == 0) | (risks == 1)).sum())
    if certain:
        return f"no calibration: {certain} of {len(risks)} risks are exactly 0 or 1"
    if np.ptp(logit(risks)) < 1e-10:
        return "no calibration slope: the same risk for everybody"
    of_events, of_others = risks[event], risks[~event]
    if of_events.min() >= of_others.max() or of_others.min() >= of_events.max():
        return (
            "no calibration slope: separated (no risk of a patient with the outcome lies among the others')"
        )
    return None


def _fit(event: np.ndarray, matrix: np.ndarray, offset: np.ndarray | None = None) -> list[Interval]:
    """The coefficients of a maximum likelihood logistic model with Wald limits."""
    from statsmodels.genmod.families import Binomial  # slow to import
    from statsmodels.genmod.generalized_linear_model import GLM

    model = GLM(event.astype(float), matrix, family=Binomial(), offset=offset)
    found = model.fit(tol=1e-12, tol_criterion="params")
    return [
        Interval(float(value), float(value - Z * error), float(value + Z * error))
        for value, error in zip(found.params, found.bse, strict=True)
    ]
