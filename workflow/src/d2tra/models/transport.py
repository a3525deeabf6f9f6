"""A fitted model applied, unchanged, to patients that it has not seen: risks, calibration by group, decision curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from d2tra.errors import StudyError
from d2tra.estimates import proportion
from d2tra.models.design import Design
from d2tra.models.logistic import read_outcome
from d2tra.models.validation import validate_predictions

GROUPS = 5  # of risk; fewer where risks are tied


def apply_model(design: Design, log_odds: np.ndarray, data: pl.DataFrame) -> pl.Series:
    """Returns each patient's risk (0–1) by the model as it stands, the intercept too; null where a factor is unknown, or
    has a level that the model's own patients did not have."""
    matrix, known = design.matrix_for(data)
    places = pl.Series(np.flatnonzero(known.to_numpy()))
    return pl.Series("risk", [None] * data.height, dtype=pl.Float64).scatter(places, expit(matrix @ log_odds))


def judge_transport(
    design: Design, log_odds: np.ndarray, data: pl.DataFrame, outcome: str, thresholds: Sequence[float]
) -> dict[str, Any]:
    """Returns how the model does in other patients: validate_predictions, `calibration_groups`, `decision_curve`.

    `n_without_outcome` and `n_without_factors` count who was left out, and why (the outcome comes first). `problem`
    says why there is nothing else.
    """
    risk, event = apply_model(design, log_odds, data), read_outcome(data, outcome)
    told = {
        "n_without_outcome": event.null_count(),
        "n_without_factors": int((risk.is_null() & event.is_not_null()).sum()),
    }
    known = risk.is_not_null() & event.is_not_null()
    try:
        judged = validate_predictions(event, risk)._asdict()
    except StudyError as refusal:
        return {**told, "problem": str(refusal)}
    kept, happened = risk.filter(known).to_numpy(), event.filter(known).to_numpy()
    return {
        **told,
        **judged,
        "calibration_groups": group_risks(happened, kept),
        "decision_curve": weigh_decisions(happened, kept, thresholds),
        "problem": None,
    }


def group_risks(event: np.ndarray, risk: np.ndarray, n_groups: int = GROUPS) -> list[dict[str, Any]]:
    """Returns an object per group of risk, lowest first: n, n_events, mean_risk, and the observed share with its Wilson
    95 % limits (0–1). Groups are cut at quantiles of the risk; equal risks (to 1e-12) stay together."""
    risk = np.round(risk, 12)
    cuts = np.unique(np.quantile(risk, np.arange(1, n_groups) / n_groups, method="inverted_cdf"))
    place = np.searchsorted(cuts, risk, side="left")
    groups = []
    for number in np.unique(place):
        own = place == number
        n, n_events = int(own.sum()), int(event[own].sum())
        observed = proportion(n_events, n)
        groups.append(
            {
                "n": n,
                "n_events": n_events,
                "mean_risk": float(risk[own].mean()),
                "observed": observed.estimate,
                "observed_ci_low": observed.ci_low,
                "observed_ci_high": observed.ci_high,
            }
        )
    return groups


def weigh_decisions(event: np.ndarray, risk: np.ndarray, thresholds: Sequence[float]) -> list[dict[str, Any]]:
    """Returns an object per threshold risk t: who would be acted on (risk ≥ t), and the net benefit per patient of that,
    of acting on all, and (0) on none: true positives less false ones weighted by t / (1 − t) (Vickers & Elkin 2006)."""
    n, share, curve = len(event), float(event.mean()), []
    for threshold in thresholds:
        acted, odds = risk >= threshold - 1e-12, threshold / (1 - threshold)
        n_true, n_false = int(event[acted].sum()), int((~event[acted]).sum())
        curve.append(
            {
                "threshold": threshold,
                "n": n,
                "n_events": int(event.sum()),
                "n_acted_on": n_true + n_false,
                "n_true": n_true,
                "net_benefit": (n_true - odds * n_false) / n,
                "net_benefit_all": share - odds * (1 - share),
            }
        )
    return curve
