"""Coefficients for predicting risks: the declared method without tests and limits, fast enough to be repeated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from d2tra.models.firth import climb
from d2tra.models.logistic import has_few_events
from d2tra.models.methods import correct_intercept


class Coefficients(NamedTuple):
    """Log odds per column of the matrix, the method that gave them, and None or why there are none."""

    beta: np.ndarray
    method: str
    problem: str | None = None


def fit_risks(matrix: np.ndarray, y: np.ndarray, method: str) -> Coefficients:
    """Returns the coefficients that predict risks, as d2tra.models.logistic.fit estimates them.

    `y` is Boolean. Firth's risks are too high on average, so firth gives its intercept corrected (flic). `auto` is
    decided on these data: Firth where events are few or maximum likelihood runs to infinity. A column that does not
    vary, a sum of other columns, and a climb without a peak give a `problem` and zeros.
    """
    centre, spread = matrix.mean(axis=0), matrix.std(axis=0)
    centre[0], spread[0] = 0.0, 1.0
    nothing = np.zeros(matrix.shape[1])
    if not spread.all():
        return Coefficients(nothing, method, "a column does not vary")
    scaled = np.asfortranarray((matrix - centre) / spread)
    if np.linalg.eigvalsh(scaled.T @ scaled / len(scaled))[0] < 1e-12:
        return Coefficients(nothing, method, "collinear")
    by_likelihood = method == "logit" or (method == "auto" and not has_few_events(y, matrix.shape[1] - 1))
    beta, converged = maximise_likelihood(scaled, y) if by_likelihood else (nothing, False)
    if not converged and method == "logit":
        return Coefficients(nothing, method, "separated")
    if not converged:
        peak = climb(scaled, y.astype(float), nothing, tolerance=1e-6)
        if not peak.converged:
            return Coefficients(nothing, "flic", "not converged")
        beta = correct_intercept(scaled, y, peak.beta)
    slopes = beta / spread
    slopes[0] -= centre[1:] @ slopes[1:]
    return Coefficients(slopes, "logit" if converged else "flic")


def maximise_likelihood(matrix: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, bool]:
    """Returns the maximum likelihood estimate of a logistic model by Newton's steps, and whether there is one.

    Where the outcome is separated the steps never shorten: False. Columns should be of size one.
    """
    beta = np.zeros(matrix.shape[1])
    eta = np.zeros(len(y))
    for _ in range(50):
        risk = expit(eta)
        try:
            step = np.linalg.solve((matrix.T * (risk * (1 - risk))) @ matrix, matrix.T @ (y - risk))
        except np.linalg.LinAlgError:
            return beta, False
        change = matrix @ step
        longest = float(np.abs(change).max())
        shorter = min(1.0, 5.0 / max(longest, 1e-300))
        beta, eta = beta + shorter * step, eta + shorter * change
        if longest < 1e-9:
            return beta, True
    return beta, False
