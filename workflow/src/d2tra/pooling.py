"""One log odds ratio from those of several centres: common effect, DerSimonian–Laird or REML, Wald or Hartung–Knapp.

Agrees with metafor 3.8 on the reference numbers of tests/data/reference. statsmodels pools too, but has no REML.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri, stdtr, stdtrit

from d2tra.errors import StudyError, nearest

METHODS, INTERVALS = ("fixed", "dl", "reml"), ("wald", "hksj")
NARROWER = "the Hartung–Knapp interval is narrower than Wald's: the studies differ very little; report both"
WALD_ONLY = "Hartung–Knapp is for random effects; the interval is Wald's"


class MetaAnalysis(NamedTuple):
    """A pooled estimate with its 95 % limits, on the scale given (log odds ratio), and how much the studies differ.

    `prediction_*`: where the effect of one more centre is expected, as metafor has it (normal with Wald, t with k − 1
    degrees of freedom with Hartung–Knapp); None for a common effect. `tau2`: variance between studies, 0 or more. `i2`: %
    of the variance that lies between studies. `weights`: % of each study, in the order given. `ci`: the interval in fact
    used. `note`: what a reader must be told, None for nothing.
    """

    estimate: float
    std_error: float
    ci_low: float
    ci_high: float
    p_value: float
    prediction_low: float | None
    prediction_high: float | None
    tau2: float
    i2: float
    q: float
    q_p_value: float
    n_studies: int
    weights: tuple[float, ...]
    method: str
    ci: str
    note: str | None


def meta_analyse(
    log_or: Sequence[float], std_error: Sequence[float], method: str = "reml", ci: str = "hksj"
) -> MetaAnalysis:
    """Returns the pooled log odds ratio of two or more studies: interval, prediction interval, τ², I² and Cochran's Q.

    `method`: fixed (common effect, inverse variance), dl (DerSimonian & Laird 1986), reml. `ci`: wald, or hksj
    (Hartung & Knapp 2001; Sidik & Jonkman 2002; never widened to Wald's, see `note`), which a common effect has not.
    Raises StudyError for an unknown method or interval, fewer than two studies, unequal lengths, a log odds ratio that
    is no number, and a standard error that is not above 0.
    """
    effect, variance = _checked(log_or, std_error, method, ci)
    k, common = len(effect), method == "fixed"
    alone = 1 / variance  # the weights where the studies do not differ
    q = float((alone * (effect - _mean(effect, alone)) ** 2).sum())
    tau2 = 0.0 if common else {"dl": _tau2_dl, "reml": _tau2_reml}[method](effect, variance)
    weight = 1 / (variance + tau2)
    pooled, error, critical = _mean(effect, weight), float(weight.sum() ** -0.5), float(ndtri(0.975))
    freedom, note = None, WALD_ONLY if common and ci == "hksj" else None
    if ci == "hksj" and not common:
        wald, freedom = critical * error, k - 1
        error *= float(np.sqrt((weight * (effect - pooled) ** 2).sum() / freedom))
        critical = float(stdtrit(freedom, 0.975))
        note = NARROWER if critical * error < wald else None
    reach = critical * float(np.hypot(error, np.sqrt(tau2)))
    return MetaAnalysis(
        estimate=pooled,
        std_error=error,
        ci_low=pooled - critical * error,
        ci_high=pooled + critical * error,
        p_value=_p_value(pooled, error, freedom),
        prediction_low=None if common else pooled - reach,
        prediction_high=None if common else pooled + reach,
        tau2=tau2,
        i2=100 * (max(0.0, 1 - (k - 1) / q) if common and q > 0 else tau2 / (tau2 + _typical(variance))),
        q=q,
        q_p_value=float(chdtrc(k - 1, q)),
        n_studies=k,
        weights=tuple((100 * weight / weight.sum()).tolist()),
        method=method,
        ci="hksj" if freedom else "wald",
        note=note,
    )


class JointEstimate(NamedTuple):
    """One of several effects pooled together, with Wald's 95 % limits, on the scale given."""

    estimate: float
    std_error: float
    ci_low: float
    ci_high: float
    p_value: float


def pool_jointly(
    n_effects: int, studies: Sequence[tuple[Sequence[int], Sequence[float], Sequence[Sequence[float]]]]
) -> list[JointEstimate]:
    """Returns the common effects of several estimates pooled by their covariances (generalised least squares).

    `studies`: per study which of the `n_effects` it has (their places), its estimates and their covariance matrix. Every
    effect is in one study or more. To first order what one fit of all patients would give (Becker & Wu 2007).
    """
    information, score = np.zeros((n_effects, n_effects)), np.zeros(n_effects)
    for places, estimates, covariance in studies:
        inverse = np.linalg.inv(np.asarray(covariance, dtype=float))
        information[np.ix_(places, places)] += inverse
        score[list(places)] += inverse @ np.asarray(estimates, dtype=float)
    pooled, critical = np.linalg.solve(information, score), float(ndtri(0.975))
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    return [
        JointEstimate(b, error, b - critical * error, b + critical * error, _p_value(b, error, None))
        for b, error in zip(pooled.tolist(), errors.tolist(), strict=True)
    ]


def _checked(
    log_or: Sequence[float], std_error: Sequence[float], method: str, ci: str
) -> tuple[np.ndarray, np.ndarray]:
    """The effects and their variances, once they can be pooled."""
    for word, what, known in ((method, "method", METHODS), (ci, "interval", INTERVALS)):
        if word not in known:
            raise StudyError(
                f"no {what} {word!r} to pool studies with{nearest(word, known)}; known: {known}."
            )
    effect, error = np.asarray(log_or, dtype=float).ravel(), np.asarray(std_error, dtype=float).ravel()
    if len(effect) != len(error):
        raise StudyError(
            f"{len(effect)} log odds ratios but {len(error)} standard errors: give one of each per study."
        )
    if len(effect) < 2:
        raise StudyError(f"pooling takes two studies or more; given: {len(effect)}.")
    for bad, what in (
        (~np.isfinite(effect), "a log odds ratio that is missing or infinite: leave the study out"),
        (~(np.isfinite(error) & (error > 0)), "a standard error that is missing or not above 0: correct it"),
    ):
        if bad.any():
            raise StudyError(f"{bad.sum()} of {len(effect)} studies with {what}, or say why in the paper.")
    return effect, error**2


def _mean(effect: np.ndarray, weight: np.ndarray) -> float:
    return float(effect @ weight / weight.sum())


def _typical(variance: np.ndarray) -> float:
    """The variance within a typical study (Higgins & Thompson 2002)."""
    weight = 1 / variance
    return float((len(weight) - 1) * weight.sum() / (weight.sum() ** 2 - (weight**2).sum()))


def _tau2_dl(effect: np.ndarray, variance: np.ndarray) -> float:
    weight = 1 / variance
    q = (weight * (effect - _mean(effect, weight)) ** 2).sum()
    return max(0.0, float((q - (len(effect) - 1)) / (weight.sum() - (weight**2).sum() / weight.sum())))


def _tau2_reml(effect: np.ndarray, variance: np.ndarray) -> float:
    """The root of the restricted score next to the best of a grid: the likelihood can have two modes."""
    from scipy.optimize import brentq  # slow to import

    def score(tau2: float) -> float:
        weight = 1 / (variance + tau2)
        distance = weight * (effect - _mean(effect, weight))
        return float(distance @ distance - weight.sum() + weight @ weight / weight.sum())

    top = float(np.ptp(effect) ** 2 + variance.max())  # the likelihood falls from here on
    grid = np.append(0.0, np.geomspace(1e-6 * top, top, 200))
    best = int(np.argmax([_reml(effect, variance, tau2) for tau2 in grid]))
    slope = score(grid[best])
    if slope == 0 or (best == 0 and slope < 0):
        return float(grid[best])
    low, high = (best, best + 1) if slope > 0 else (best - 1, best)
    return float(brentq(score, grid[low], grid[high], xtol=1e-15 * top, rtol=1e-14))


def _reml(effect: np.ndarray, variance: np.ndarray, tau2: float) -> float:
    """Twice the restricted log likelihood, less a constant."""
    weight = 1 / (variance + tau2)
    distance = effect - _mean(effect, weight)
    return float(np.log(weight).sum() - np.log(weight.sum()) - weight @ distance**2)


def _p_value(estimate: float, error: float, freedom: int | None) -> float:
    """Two-sided, of no effect; where all studies give the same number (Hartung–Knapp error 0) 0, or 1 for no effect."""
    if error == 0:
        return float(estimate == 0)
    statistic = -abs(estimate) / error
    return 2 * float(ndtr(statistic) if freedom is None else stdtr(freedom, statistic))
