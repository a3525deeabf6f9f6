"""Firth's logistic regression: the penalised likelihood, its peak, its profile.

Agrees with R's logistf 1.26 (tests/data/reference/a_firth.json). Own code because firthmodels 0.8 does not prove its
limits, gives tests without a number, and takes four times as long once both are mended. All profiles are followed
together: one evaluation serves a row of coefficients per limit and test.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, chdtri

# 3.8415: a 95 % limit stands where twice the penalised loglik has lost this
CRITICAL = float(chdtri(1, 0.05))
# of a standard error: how near their peak the other coefficients come where one is held to judge its profile
PROOF = 1e-5


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


class Peaks(NamedTuple):
    """As Peak, a row per climb; `slope` is the score, zero but for the coefficient held."""

    beta: np.ndarray
    loglik: np.ndarray
    slope: np.ndarray
    information: np.ndarray
    converged: np.ndarray


class Surface:
    """The penalised likelihood of one matrix and outcome, told at many coefficient vectors at once."""

    def __init__(self, matrix: np.ndarray, y: np.ndarray) -> None:
        size = matrix.shape[1]
        self.matrix, self.y = np.ascontiguousarray(matrix, dtype=float), np.asarray(y, dtype=float)
        self.pairs = np.triu_indices(size)
        self.products = self.matrix[:, self.pairs[0]] * self.matrix[:, self.pairs[1]]
        self.times = np.where(self.pairs[0] == self.pairs[1], 1.0, 2.0)
        self.square = np.empty((size, size), dtype=int)
        self.square[self.pairs] = self.square.T[self.pairs] = np.arange(len(self.times))

    def at(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns per row of `beta` loglik + log|I|/2, its gradient, and the augmented information.

        -inf where the information I is singular.
        """
        eta = np.clip(beta @ self.matrix.T, -700, 700)
        odds = np.exp(-np.abs(eta))
        p = np.where(eta < 0, odds, 1.0) / (1 + odds)
        weight = odds / (1 + odds) ** 2
        information = (weight @ self.products)[:, self.square]
        with np.errstate(all="ignore"):  # rounding may drown the information; such rows are told apart below
            sign, log_determinant = np.linalg.slogdet(information)
            singular = ~(sign > 0)
            information[singular] = np.eye(beta.shape[1])
            inverse = np.linalg.inv(information)[:, self.pairs[0], self.pairs[1]]
            hat = weight * ((inverse * self.times) @ self.products.T)
            singular |= ~(np.abs(hat.sum(axis=1) - beta.shape[1]) < 1e-6)  # hat values sum to the columns
            hat[singular] = 0.0
            loglik = (eta * (self.y - (eta > 0)) - np.log1p(odds)).sum(axis=1) + log_determinant / 2
        score = (self.y - p + hat * (0.5 - p)) @ self.matrix
        augmented = ((weight * (1 + hat)) @ self.products)[:, self.square]
        loglik[singular], score[singular], augmented[singular] = -np.inf, 0.0, np.eye(beta.shape[1])
        return loglik, score, augmented


def fit_firth(matrix: np.ndarray, outcome: np.ndarray) -> FirthFit:
    """Returns the fit with Jeffreys' penalty (Firth 1993; Heinze & Schemper 2002), as R's logistf 1.26.

    The matrix holds the intercept and has full rank; the outcome has both values. Standard errors are those of
    logistf ≥ 1.24: the inverse information with weights p(1-p)(1+h), h the hat values (brglm2 and SAS take
    p(1-p)). Limits are profile penalised-likelihood limits, each proved: 2·(PLmax - PL(limit)) = 3.8415, PL(limit)
    being the highest that a climb from the peak's tangent reaches (under heavy separation a profile has several modes,
    and no climb can show that there is none higher). P-values are of penalised likelihood ratio tests that keep the
    full design's penalty.
    """
    y = np.asarray(outcome, dtype=float)
    columns = np.arange(matrix.shape[1])
    centre, spread = matrix.mean(axis=0), matrix.std(axis=0)
    far = (spread > 0) & (np.abs(centre) > 100 * spread)  # calendar years: far from zero for their spread
    if not far.any():
        return _fit_columns(matrix, y, columns)
    centre, spread = np.where(far, centre, 0.0), np.where(far, spread, 1.0)
    nearer = (matrix - centre) / spread
    found = _fit_columns(nearer, y, columns)
    # the intercept where the numbers themselves are zero: a direction of the nearer matrix, made its first column
    zero = np.concatenate([[1.0], -(centre / spread)[1:]])
    others = np.linalg.qr(zero[:, None], mode="complete")[0][:, 1:]
    first = _fit_columns(nearer @ np.column_stack([zero / (zero @ zero), others]), y, columns[:1])
    estimate, std_error, low, high, p_value = (
        np.concatenate([one, rest[1:]]) for one, rest in zip(first[:5], found[:5], strict=True)
    )
    return FirthFit(
        *(estimate / spread, std_error / spread, low / spread, high / spread, p_value),
        loglik=found.loglik + float(np.log(spread).sum()),
        converged=found.converged and first.converged,
    )


def climb(
    matrix: np.ndarray, y: np.ndarray, start: np.ndarray, fixed: int | None = None, tolerance: float = 1e-9
) -> Peak:
    """Returns the peak reached from `start` by Newton steps, halved until they no longer lead down.

    `fixed` holds one coefficient where it starts. Converged: the last step was shorter than `tolerance` standard
    errors (measured along itself), or below 1e-6 and at the floor of rounding. Steps below 1e-4 are not halved:
    what they gain is lost in rounding.
    """
    held = np.array([-1 if fixed is None else fixed])
    return _only(_climb_together(Surface(matrix, y), np.array([start], dtype=float), held, tolerance))


def find_peak(surface: Surface) -> Peaks:
    """Returns where the penalised likelihood is highest, as one row."""
    return _climb_together(surface, np.zeros((1, surface.matrix.shape[1])), np.array([-1]), 1e-9)


def held_peaks(surface: Surface, origins: Peaks, held: np.ndarray, value: np.ndarray) -> Peaks:
    """Returns per row the highest point with coefficient `held` at `value`, climbed to from the tangent at the row's
    origin (or at the one origin of all): near to it, the climb stays on its mode."""
    return _climb_together(surface, _on_tangent(origins, held, value), held, PROOF)


def _on_tangent(origins: Peaks, held: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Where to start: the held coefficient at its value, the others along with it as the origin's information says."""
    rows, size = np.arange(len(held)), origins.beta.shape[1]
    beta = np.broadcast_to(origins.beta, (len(held), size))
    away = np.broadcast_to(np.linalg.inv(origins.information), (len(held), size, size))[rows, held]
    start = beta + ((value - beta[rows, held]) / away[rows, held])[:, None] * away
    start[rows, held] = value
    return start


def _fit_columns(matrix: np.ndarray, y: np.ndarray, columns: np.ndarray) -> FirthFit:
    """The fit of the whole matrix, told for some of its columns."""
    surface = Surface(matrix, y)
    highest = find_peak(surface)
    peak = _only(highest)
    ends = _seek_limits(surface, peak, columns)
    # in one batch: each coefficient held at 0 for its test, and at the limits found, for their proof
    held = np.tile(columns, 3)
    value = np.concatenate([np.zeros(len(columns)), ends[np.arange(len(ends)), held[len(columns) :]]])
    judged = _held_at(surface, [highest], held, value, PROOF)
    lost = 2 * (peak.loglik - judged.loglik)
    p_value = np.where(judged.converged, chdtrc(1, np.maximum(lost, 0.0)), np.nan)[: len(columns)]
    slope = judged.slope[np.arange(len(held)), held]
    sides = np.repeat([0, -1, 1], len(columns))
    proved = judged.converged & (np.abs(lost - CRITICAL) < 1e-4) & ((value - peak.beta[held]) * sides > 0)
    with np.errstate(all="ignore"):  # a slope of 0 where nothing is proved
        limits = np.where(proved, value + (lost - CRITICAL) / (2 * slope), np.nan)
    for row in np.flatnonzero(~proved & (sides != 0)):
        limits[row] = _walk_to_limit(surface, highest, int(held[row]), int(sides[row]))
    _, low, high = np.split(limits, 3)
    return FirthFit(
        estimate=peak.beta[columns],
        std_error=np.sqrt(np.diag(np.linalg.inv(peak.information)))[columns],
        ci_low=low,
        ci_high=high,
        p_value=p_value,
        loglik=peak.loglik,
        converged=peak.converged,
    )


def _only(peaks: Peaks) -> Peak:
    return Peak(peaks.beta[0], float(peaks.loglik[0]), peaks.information[0], bool(peaks.converged[0]))


def _climb_together(
    surface: Surface, start: np.ndarray, held: np.ndarray, tolerance: float, most_steps: int = 500
) -> Peaks:
    """The climbs from the rows of `start`, the coefficient `held` of each (-1: none) staying where it is."""
    beta, last = start.copy(), np.full(len(start), np.inf)
    loglik, score, information = surface.at(beta)
    step, length = _newton_steps(surface, score, information, held)
    halved, converged = np.zeros(len(beta), dtype=int), np.zeros(len(beta), dtype=bool)
    going = np.isfinite(loglik)
    for _ in range(most_steps):
        rows = np.flatnonzero(going)
        if not len(rows):
            break
        there = surface.at(beta[rows] + step[rows])
        up = (there[0] >= loglik[rows]) | ((length[rows] < 1e-4) & np.isfinite(there[0]))
        refused, rows = rows[~up], rows[up]
        step[refused] /= 2
        halved[refused] += 1
        going[refused] = halved[refused] < 40
        beta[rows] += step[rows]
        loglik[rows], score[rows], information[rows] = (one[up] for one in there)
        done = (length[rows] < tolerance) | ((last[rows] <= length[rows]) & (length[rows] < 1e-6))
        converged[rows], going[rows] = done, ~done
        halved[rows], last[rows] = 0, length[rows]
        rows = rows[~done]
        step[rows], length[rows] = _newton_steps(surface, score[rows], information[rows], held[rows])
    return Peaks(beta, loglik, score, information, converged)


def _newton_steps(
    surface: Surface, score: np.ndarray, information: np.ndarray, held: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Steps that leave the held coefficients alone and move no patient's log odds by more than 5; their lengths."""
    rows = np.flatnonzero(held >= 0)
    pull, curve = score.copy(), information.copy()
    pull[rows, held[rows]] = 0.0
    curve[rows, held[rows], :] = curve[rows, :, held[rows]] = 0.0
    curve[rows, held[rows], held[rows]] = 1.0
    step = np.linalg.solve(curve, pull[:, :, None])[:, :, 0]
    length = np.sqrt(np.maximum((pull * step).sum(axis=1), 0.0))
    return _shortened(surface, step), length


def _shortened(surface: Surface, step: np.ndarray) -> np.ndarray:
    most = np.abs(step @ surface.matrix.T).max(axis=1)
    return step * np.minimum(1.0, 5.0 / np.maximum(most, 1e-300))[:, None]


def _held_at(
    surface: Surface, origins: Sequence[Peaks], held: np.ndarray, value: np.ndarray, tolerance: float
) -> Peaks:
    """The highest points found with coefficient `held` of each row at `value`: climbed to from the tangent of each
    origin (under separation there are several such points), and from 0 where those climbs fail."""
    rows = np.arange(len(held))
    starts = [_on_tangent(origin, held, value) for origin in origins]
    found = _climb_together(surface, np.concatenate(starts), np.tile(held, len(starts)), tolerance)
    height = np.where(found.converged, found.loglik, -np.inf).reshape(len(starts), -1)
    found = Peaks(*(one[height.argmax(axis=0) * len(held) + rows] for one in found))
    failed = np.flatnonzero(~found.converged)
    if len(failed):
        start = np.zeros((len(failed), surface.matrix.shape[1]))
        start[np.arange(len(failed)), held[failed]] = value[failed]
        again = _climb_together(surface, start, held[failed], tolerance)
        for one, other in zip(found, again, strict=True):
            one[failed] = other
    return found


def _seek_limits(surface: Surface, peak: Peak, columns: np.ndarray) -> np.ndarray:
    """Where the lower limits of the columns lie, then the upper ones, as Venzon & Moolgavkar 1988 find them: steps
    to where, on the parabola that touches the likelihood here, the loss is critical and only the coefficient in
    question has a slope. Not yet proved; where the steps lead nowhere, wherever they end."""
    held, outwards = np.tile(columns, 2), np.repeat([-1.0, 1.0], len(columns))
    beta = np.tile(peak.beta, (len(held), 1))
    information, score = np.tile(peak.information, (len(held), 1, 1)), np.zeros_like(beta)
    lost, going = np.zeros(len(held)), np.arange(len(held))
    for _ in range(25):
        inverse = np.linalg.inv(information)
        rows, j = np.arange(len(going)), held[going]
        away = inverse[rows, j]  # leaves the slopes of the other coefficients as they are
        newton = (inverse @ score[:, :, None])[:, :, 0]
        squared = CRITICAL - lost + (score * newton).sum(axis=1)
        size = outwards[going] * np.sqrt(np.maximum(squared, 0.0) / away[rows, j])
        step = newton + size[:, None] * away
        beta[going] += _shortened(surface, step)
        length = np.sqrt(np.einsum("ki,kij,kj->k", step, information, step))
        going = going[length > 1e-3]
        if not len(going):
            break
        loglik, score, information = surface.at(beta[going])
        lost = 2 * (peak.loglik - loglik)
        good = np.isfinite(loglik)
        going, score, information, lost = going[good], score[good], information[good], lost[good]
    return beta


def _walk_to_limit(surface: Surface, peak: Peaks, j: int, outwards: int) -> float:
    """The limit found by walking outwards from the peak, each stop climbed to from the peak and from the stop before
    (under separation the profile has several modes). NaN where none is proved."""
    from scipy.optimize import brentq  # slow to import

    stride = outwards * float(np.sqrt(np.linalg.inv(peak.information[0])[j, j])) / 2

    def stop(origin: Peaks, value: float) -> Peaks:
        return _held_at(surface, [peak, origin], np.array([j]), np.array([value]), 1e-7)

    def lost_at(stopped: Peaks) -> float:
        return 2 * float(peak.loglik[0] - stopped.loglik[0])

    here = peak
    for _ in range(60):
        there = stop(here, float(here.beta[0, j]) + stride)
        if lost_at(there) >= CRITICAL:
            break
        here, stride = there, stride * 1.3
    else:
        return np.nan

    def beyond(value: float) -> float:
        return lost_at(stop(here, value)) - CRITICAL

    try:
        root = float(brentq(beyond, here.beta[0, j], there.beta[0, j], xtol=1e-10))
    except ValueError:  # rounding drowns the profile
        return np.nan
    return root if abs(beyond(root)) < 1e-6 else np.nan
