"""One draw of one variable's missing values from its model on the others, as R's mice 3.15 draws them.

Every function takes the predictors of the patients in whom the variable is known (`seen`) and missing (`unseen`),
without intercept, scaled (patients × columns), the known values, and a generator. Two choices differ from mice: the
parameters of categories with more than two levels are drawn too (mice keeps them at their estimate, which makes its
imputations too alike), and ordered levels are augmented against separation like the others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, softmax

DONORS = 5
RIDGE = 1e-5  # of a column's own sum of squares, as mice
FARTHEST = 50.0  # log odds beyond which a probability is 0 or 1
SHORT = 1e-6  # a Newton step that gains less than this in loglikelihood is the last: the next would gain its square


class Peak(NamedTuple):
    """Where a likelihood is highest, and the information there."""

    parameters: np.ndarray
    information: np.ndarray


def draw_number(
    seen: np.ndarray, known: np.ndarray, unseen: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Returns values of patients alike: predictive mean matching, type 1 (van Buuren 2018, 3.4), 5 donors.

    The mean of the donors is predicted by the estimate, that of the recipients by a Bayesian draw around it.
    """
    x, x_new = _with_intercept(seen), _with_intercept(unseen)
    gram = x.T @ x
    covariance = np.linalg.inv(gram + RIDGE * np.diag(gram.diagonal()))
    estimate = covariance @ (x.T @ known)
    residual = known - x @ estimate
    spread = np.sqrt(residual @ residual / generator.chisquare(max(len(known) - x.shape[1], 1)))
    drawn = estimate + spread * np.linalg.cholesky(covariance) @ generator.standard_normal(len(estimate))
    return known[_match(x @ estimate, x_new @ drawn, generator)]


def _match(donors: np.ndarray, recipients: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The place of a donor for each recipient, drawn from the 5 nearest; donors alike are shuffled first."""
    count = min(DONORS, len(donors))
    order = generator.permutation(len(donors))
    order = order[np.argsort(donors[order], kind="stable")]
    means = donors[order]
    window = np.searchsorted(means, recipients)[:, None] + np.arange(-count, count)
    inside = (window >= 0) & (window < len(donors))
    window = window.clip(0, len(donors) - 1)
    distance = np.where(inside, np.abs(means[window] - recipients[:, None]), np.inf)
    nearest = np.take_along_axis(window, np.argsort(distance, axis=1, kind="stable"), axis=1)
    return order[nearest[np.arange(len(recipients)), generator.integers(count, size=len(recipients))]]


def draw_level(
    seen: np.ndarray, known: np.ndarray, unseen: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Returns level numbers 0 … K−1 from a multinomial logistic model (two levels: logistic)."""
    x, y, weights = augment(seen, known, unseen)
    peak = fit_multinomial(_with_intercept(x), y, weights)
    drawn = _drawn(peak, generator).reshape(int(known.max()), -1)
    linear = _with_intercept(unseen) @ drawn.T
    return _sample(softmax(np.column_stack([np.zeros(len(unseen)), linear]), axis=1), generator)


def draw_ordered_level(
    seen: np.ndarray, known: np.ndarray, unseen: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Returns level numbers 0 … K−1 from a proportional odds model; two levels: logistic."""
    n_cuts = int(known.max())
    if n_cuts == 1:
        return draw_level(seen, known, unseen, generator)
    x, y, weights = augment(seen, known, unseen)
    drawn = _drawn(fit_proportional_odds(x, y, weights, n_cuts), generator)
    cuts, slopes = np.sort(drawn[:n_cuts]), drawn[n_cuts:]
    below = expit(cuts - (unseen @ slopes)[:, None])
    return _sample(np.diff(below, axis=1, prepend=0, append=1), generator)


def augment(
    seen: np.ndarray, known: np.ndarray, unseen: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The data with a few lightly weighted patients of each level added, which keeps separated data finite.

    White, Daniel & Royston 2010, Comput Stat Data Anal 54:2267; as mice: per predictor and level, two patients half
    an SD to either side of the mean, who together weigh as many as the model has parameters per level.
    """
    every = np.concatenate([seen, unseen])
    n_columns, n_levels = every.shape[1], int(known.max()) + 1
    mean, half = every.mean(axis=0), every.std(axis=0, ddof=1) / 2
    beside = np.concatenate([mean + np.diag(half), mean - np.diag(half)])
    beside = np.tile(beside.clip(every.min(axis=0), every.max(axis=0)), (n_levels, 1))
    levels = np.repeat(np.arange(n_levels), 2 * n_columns)
    light = np.full(len(levels), (n_columns + 1) / max(len(levels), 1))
    return (
        np.concatenate([seen, beside]),
        np.concatenate([known, levels]),
        np.concatenate([np.ones(len(known)), light]),
    )


def fit_multinomial(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Peak:
    """Parameters level after level (levels 1 …), each with its intercept first."""
    n_levels, width = int(y.max()) + 1, x.shape[1]
    is_level = (y[:, None] == np.arange(1, n_levels)).astype(float)

    def look(parameters: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        linear = np.clip(x @ parameters.reshape(n_levels - 1, width).T, -FARTHEST, FARTHEST)
        odds = np.exp(linear)
        total = 1 + odds.sum(axis=1)
        p = odds / total[:, None]
        loglik = float(weights @ ((linear * is_level).sum(axis=1) - np.log(total)))
        score = (x.T @ (weights[:, None] * (is_level - p))).T.ravel()
        information = np.empty((len(parameters), len(parameters)))
        for k in range(n_levels - 1):
            for j in range(n_levels - 1):
                weight = weights * p[:, k] * ((j == k) - p[:, j])
                block = np.s_[k * width : (k + 1) * width, j * width : (j + 1) * width]
                information[block] = (x.T * weight) @ x
        return loglik, score, information

    return _climb(look, np.zeros((n_levels - 1) * width))


def fit_proportional_odds(x: np.ndarray, y: np.ndarray, weights: np.ndarray, n_cuts: int) -> Peak:
    """Cuts, then slopes: logit P(level ≤ k) = cut k − x·slopes; expected information (Fisher scoring)."""
    share = np.bincount(y, weights).cumsum()[:-1] / weights.sum()

    def look(parameters: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        below = expit(parameters[:n_cuts] - (x @ parameters[n_cuts:])[:, None])
        p = np.diff(below, axis=1, prepend=0, append=1)
        if (p <= 0).any():  # cuts out of order
            return -np.inf, parameters, np.eye(len(parameters))
        steep = below * (1 - below)
        slope = np.zeros((len(y), n_cuts + 1, n_cuts))  # of each level's probability, by cut
        for k in range(n_cuts):
            slope[:, k, k], slope[:, k + 1, k] = steep[:, k], -steep[:, k]
        gradient = np.concatenate([slope, -slope.sum(axis=2)[:, :, None] * x[:, None, :]], axis=2)
        here = np.arange(len(y)), y
        score = (weights / p[here]) @ gradient[here]
        scaled = gradient * np.sqrt(weights[:, None, None] / p[:, :, None])
        flat = scaled.reshape(-1, len(parameters))
        return float(weights @ np.log(p[here])), score, flat.T @ flat

    return _climb(look, np.concatenate([np.log(share / (1 - share)), np.zeros(x.shape[1])]))


def _climb(look, start: np.ndarray) -> Peak:  # type: ignore[no-untyped-def]
    """The peak of a concave loglikelihood by Newton steps, halved until they do not lead down."""
    here = start
    loglik, score, information = look(here)
    for _ in range(50):
        step = np.linalg.solve(information + 1e-9 * np.eye(len(here)), score)
        gain = float(score @ step)
        for _ in range(30):
            there = look(here + step)
            if there[0] >= loglik - SHORT:
                break
            step /= 2
        here, (loglik, score, information) = here + step, there
        if gain < SHORT:
            break
    return Peak(here, information)


def _drawn(peak: Peak, generator: np.random.Generator) -> np.ndarray:
    """Parameters from their approximate posterior: normal around the peak."""
    root = np.linalg.cholesky(np.linalg.inv(peak.information + 1e-9 * np.eye(len(peak.parameters))))
    drawn: np.ndarray = peak.parameters + root @ generator.standard_normal(len(peak.parameters))
    return drawn


def _sample(probabilities: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One level per patient, by the probabilities of its row."""
    reached = generator.random(len(probabilities))[:, None] > probabilities.cumsum(axis=1)[:, :-1]
    return reached.sum(axis=1)


def _with_intercept(x: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(x)), x])
