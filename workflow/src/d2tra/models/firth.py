"""Firth's logistic regression: the penalised likelihood, its peak, its profile.

firthmodels gives the profile limits. Its penalised likelihood ratio tests return no number where rounding stops
its line search, and it cannot say which mode of a profile it stopped at; so the peak, the tests and the proof of
each limit are here.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtrc, chdtri, expit

CRITICAL = float(
    chdtri(1, 0.05)
)  # 3.8415: a 95 % limit stands where twice the penalised loglik has lost this


class FirthFit(NamedTuple):
    """Log odds per column of the matrix; NaN in a limit that could not be proved."""

    estimate: np.ndarray
    std_error: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    p_value: np.ndarray
    loglik: float
    converged: bool


class Peak(NamedTuple):
    """Where a climb ended; `information` is that of the data augmented by their hat values."""

    beta: np.ndarray
    loglik: float
    information: np.ndarray
    converged: bool


def fit_firth(matrix: np.ndarray, outcome: np.ndarray) -> FirthFit:
    """Returns the fit with Jeffreys' penalty (Firth 1993; Heinze & Schemper 2002), as R's logistf 1.26.

    The matrix holds the intercept and has full rank; the outcome has both values. Standard errors are those of
    logistf ≥ 1.24: the inverse information with weights p(1-p)(1+h), h the hat values (brglm2 and SAS take
    p(1-p)). Limits are profile penalised-likelihood limits, each proved: 2·(PLmax - PL(limit)) = 3.8415. P-values
    are of penalised likelihood ratio tests that keep the full design's penalty.
    """
    y = np.asarray(outcome, dtype=float)
    columns = list(range(matrix.shape[1]))
    centre, spread = matrix.mean(axis=0), matrix.std(axis=0)
    far = (spread > 0) & (np.abs(centre) > 100 * spread)  # calendar years: far from zero for their spread
    if not far.any():
        return _fit_columns(matrix, y, columns)
    centre, spread = np.where(far, centre, 0.0), np.where(far, spread, 1.0)
    found = _fit_columns((matrix - centre) / spread, y, columns)
    first = _fit_columns(matrix / spread, y, [0])  # the intercept alone depends on where numbers have zero
    estimate, std_error, low, high, p_value = (
        np.concatenate([one, rest[1:]]) for one, rest in zip(first[:5], found[:5], strict=True)
    )
    return FirthFit(
        *(estimate / spread, std_error / spread, low / spread, high / spread, p_value),
        loglik=found.loglik + float(np.log(spread).sum()),
        converged=found.converged and first.converged,
    )


def _fit_columns(matrix: np.ndarray, y: np.ndarray, columns: list[int]) -> FirthFit:
    """The fit of the whole matrix, told for some of its columns."""
    matrix = np.asfortranarray(matrix)
    start, limits = _from_library(matrix, y, columns)
    peak = climb(matrix, y, start)
    if not peak.converged:
        peak = climb(matrix, y, np.zeros(matrix.shape[1]))
    lost = [2 * (peak.loglik - _peak_at(matrix, y, peak, j, 0.0, 1e-6).loglik) for j in columns]
    for j in columns:
        for side in (0, 1):
            outwards = 2 * side - 1
            if not _is_limit(matrix, y, peak, j, outwards, limits[j, side]):
                limits[j, side] = _walk_to_limit(matrix, y, peak, j, outwards)
    return FirthFit(
        estimate=peak.beta[columns],
        std_error=np.sqrt(np.diag(np.linalg.inv(peak.information)))[columns],
        ci_low=limits[columns, 0],
        ci_high=limits[columns, 1],
        p_value=chdtrc(1, np.maximum(lost, 0.0)),
        loglik=peak.loglik,
        converged=peak.converged,
    )


def penalised_likelihood(
    matrix: np.ndarray, y: np.ndarray, beta: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Returns loglik + log|I|/2, its gradient, and the augmented information; -inf where I is singular."""
    eta = np.clip(matrix @ beta, -700, 700)
    p = expit(eta)
    weight = p * (1 - p)
    information = (matrix.T * weight) @ matrix
    try:
        root = np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        return -np.inf, np.zeros_like(beta), information
    whitened = np.linalg.inv(root) @ matrix.T
    hat = weight * np.einsum("ij,ij->j", whitened, whitened)
    loglik = y @ eta - np.logaddexp(0, eta).sum() + np.log(root.diagonal()).sum()
    if np.isnan(loglik):
        return -np.inf, np.zeros_like(beta), information
    augmented = (matrix.T * (weight * (1 + hat))) @ matrix
    return float(loglik), matrix.T @ (y - p + hat * (0.5 - p)), augmented


def climb(
    matrix: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    fixed: int | None = None,
    tolerance: float = 1e-9,
    most_steps: int = 500,
) -> Peak:
    """Returns the peak reached from `start` by Newton steps, halved until they no longer lead down.

    `fixed` holds one coefficient where it starts. Converged: the last step was shorter than `tolerance` standard
    errors (measured along itself), or below 1e-6 and at the floor of rounding. Steps below 1e-4 are not halved:
    what they gain is lost in rounding.
    """
    free = np.array([j for j in range(len(start)) if j != fixed], dtype=int)
    beta, last = start.astype(float), np.inf
    loglik, score, information = penalised_likelihood(matrix, y, beta)
    for _ in range(most_steps):
        if not np.isfinite(loglik):
            break
        step = np.zeros_like(beta)
        step[free] = np.linalg.solve(information[np.ix_(free, free)], score[free])
        length = float(score @ step) ** 0.5 if len(free) else 0.0
        step *= min(1.0, 5.0 / max(float(np.abs(matrix @ step).max()), 1e-300))
        for _ in range(40):
            there = penalised_likelihood(matrix, y, beta + step)
            if there[0] >= loglik or length < 1e-4:
                break
            step /= 2
        else:
            break
        beta, (loglik, score, information) = beta + step, there
        if length < tolerance or last <= length < 1e-6:
            return Peak(beta, loglik, information, True)
        last = length
    return Peak(beta, loglik, information, False)


def _from_library(matrix: np.ndarray, y: np.ndarray, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The estimate and the profile limits (column × low, high) of firthmodels, NaN where it gives none."""
    from firthmodels import FirthLogisticRegression  # slow to import

    model = FirthLogisticRegression(
        backend="numpy", fit_intercept=False, gtol=1e-7, xtol=1e-7, max_iter=100, max_step=50.0
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # its verdicts are not used: peak and limits are proved here
        try:
            model.fit(matrix, y)
            return model.coef_, model.conf_int(method="pl", features=columns, tol=1e-7, max_iter=100)
        except (np.linalg.LinAlgError, ValueError):
            return np.zeros(matrix.shape[1]), np.full((matrix.shape[1], 2), np.nan)


def _peak_at(
    matrix: np.ndarray, y: np.ndarray, peak: Peak, j: int, value: float, tolerance: float = 1e-4
) -> Peak:
    """The highest point with coefficient j held at `value`, climbed to from the tangent at another peak."""
    free = np.delete(np.arange(len(peak.beta)), j)
    start = peak.beta.copy()
    start[j] = value
    if len(free):
        pull = np.linalg.solve(peak.information[np.ix_(free, free)], peak.information[free, j])
        start[free] -= pull * (value - peak.beta[j])
    found = climb(matrix, y, start, fixed=j, tolerance=tolerance)
    if found.converged:
        return found
    start[free] = 0.0
    return climb(matrix, y, start, fixed=j, tolerance=tolerance)


def _is_limit(matrix: np.ndarray, y: np.ndarray, peak: Peak, j: int, outwards: int, value: float) -> bool:
    if not (value - peak.beta[j]) * outwards > 0:  # NaN, or the limit of the other side
        return False
    held = _peak_at(matrix, y, peak, j, value)
    return held.converged and abs(2 * (peak.loglik - held.loglik) - CRITICAL) < 1e-6


def _walk_to_limit(matrix: np.ndarray, y: np.ndarray, peak: Peak, j: int, outwards: int) -> float:
    """The limit found by walking outwards from the peak, each stop climbed to from the one before (under
    separation the profile has several modes: a walk stays on the one it is on). NaN where none is proved."""
    stride = outwards * float(np.sqrt(np.linalg.inv(peak.information)[j, j])) / 2
    here = peak
    for _ in range(60):
        there = _peak_at(matrix, y, here, j, float(here.beta[j]) + stride, 1e-7)
        if 2 * (peak.loglik - there.loglik) >= CRITICAL:
            break
        here, stride = there, stride * 1.3
    else:
        return np.nan

    def beyond(value: float) -> float:
        return 2 * (peak.loglik - _peak_at(matrix, y, here, j, value, 1e-7).loglik) - CRITICAL

    try:
        root = float(brentq(beyond, here.beta[j], there.beta[j], xtol=1e-10))
    except ValueError:  # rounding drowns the profile
        return np.nan
    return root if abs(beyond(root)) < 1e-6 else np.nan
