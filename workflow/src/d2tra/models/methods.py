"""The methods of logistic regression by name, each from a matrix (intercept first) and an outcome to its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtr

from d2tra.estimates import Z
from d2tra.models.firth import fit_firth


@dataclass(frozen=True)
class Numbers:
    """What a method gives per column of the matrix, on the log odds scale; `peak` is where its likelihood is highest."""

    estimate: np.ndarray
    std_error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray
    converged: bool
    peak: np.ndarray


def by_firth(matrix: np.ndarray, y: np.ndarray) -> Numbers:
    """Returns the fit with Jeffreys' penalty, see fit_firth."""
    found = fit_firth(matrix, y)
    return Numbers(*found[:5], found.converged, found.estimate)


def by_flic(matrix: np.ndarray, y: np.ndarray) -> Numbers:
    """Returns Firth's fit with its intercept corrected; the intercept's limits are Wald's, as logistf::flic has them."""
    found = fit_firth(matrix, y)
    corrected = correct_intercept(matrix, y, found.estimate)
    risk = expit(matrix @ corrected)
    error = float(np.sqrt(np.linalg.inv((matrix.T * (risk * (1 - risk))) @ matrix)[0, 0]))
    intercept = corrected[0]
    first = (
        intercept,
        error,
        intercept - Z * error,
        intercept + Z * error,
        2 * ndtr(-abs(intercept / error)),
    )
    estimate, std_error, low, high, p_value = (
        np.concatenate([[value], slopes[1:]]) for value, slopes in zip(first, found[:5], strict=True)
    )
    return Numbers(estimate, std_error, low, high, p_value, found.converged, found.estimate)


def by_maximum_likelihood(matrix: np.ndarray, y: np.ndarray) -> Numbers:
    """Returns the maximum likelihood fit with Wald limits; the data must not be separated."""
    from statsmodels.discrete.discrete_model import Logit  # slow to import

    found = Logit(y.astype(float), matrix).fit(method="newton", tol=1e-10, maxiter=100, disp=False)
    limits = found.params - Z * found.bse, found.params + Z * found.bse
    converged = bool(found.mle_retvals["converged"])
    return Numbers(found.params, found.bse, *limits, found.pvalues, converged, found.params)


def correct_intercept(matrix: np.ndarray, y: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
    """Returns the log odds with the intercept at which the mean risk is the observed one (FLIC, Puhr 2017)."""
    without = matrix[:, 1:] @ log_odds[1:]  # the linear predictor less its intercept
    intercept = logit(y.mean()) - without.mean()
    for _ in range(100):
        risk = expit(intercept + without)
        step = (y.mean() - risk.mean()) / (risk * (1 - risk)).mean()
        intercept += step
        if abs(step) < 1e-13:
            break
    return np.concatenate([[intercept], log_odds[1:]])


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], Numbers]] = {
    "firth": by_firth,
    "logit": by_maximum_likelihood,
    "flic": by_flic,
}
