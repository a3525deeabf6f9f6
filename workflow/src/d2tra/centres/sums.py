"""A logistic fit from sums alone: what each centre adds up over its patients, and the steps made from their totals.

Every quantity of the fit is a sum over patients, so that the fit from the totals of several centres is the fit of all
their patients together. Firth's penalty needs one sum more: the derivative of the information.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from d2tra.errors import StudyError

SHORT_ENOUGH = 1e-7  # of a step, in standard errors along itself
FEWEST_HALVES = 1e-6  # a shorter step is not halved: what it gains or loses is rounding


class Sums(NamedTuple):
    """Sums over patients at one beta: the log likelihood, its derivative, its information, and the information's
    derivative (p × p × p, symmetric). `augmented`: the information with weights p(1 − p)(1 + h), h the hat values under
    the information of *all* patients of all centres at the beta before; at the first beta, the information itself."""

    n: int
    n_events: int
    loglik: float
    score: np.ndarray
    information: np.ndarray
    derivative: np.ndarray
    augmented: np.ndarray


class Climb(NamedTuple):
    """Where to ask next: `beta`, reached from `base`, whose (penalised) log likelihood was `loglik`; `information`: of all
    patients at the beta asked before this one. None at the start."""

    beta: np.ndarray
    base: np.ndarray | None = None
    loglik: float | None = None
    information: np.ndarray | None = None


def add_up(matrix: np.ndarray, outcome: np.ndarray, here: Climb) -> Sums:
    """Returns the sums of these patients at the beta asked for."""
    eta = np.clip(matrix @ here.beta, -700, 700)
    risk = expit(eta)
    weight = risk * (1 - risk)
    more = weight
    if here.information is not None:
        more = weight * (
            1 + weight * np.einsum("ij,jk,ik->i", matrix, np.linalg.inv(here.information), matrix)
        )
    return Sums(
        n=len(outcome),
        n_events=int(outcome.sum()),
        loglik=float(outcome @ eta - np.logaddexp(0, eta).sum()),
        score=matrix.T @ (outcome - risk),
        information=(matrix.T * weight) @ matrix,
        derivative=np.einsum(
            "i,ij,ik,il->jkl", weight * (1 - 2 * risk), matrix, matrix, matrix, optimize=True
        ),
        augmented=(matrix.T * more) @ matrix,
    )


def total(parts: Iterable[Sums]) -> Sums:
    """Returns the sums of all patients of all parts."""
    return Sums(*(sum(part) for part in zip(*parts, strict=True)))  # type: ignore[arg-type]


def step(here: Climb, sums: Sums, method: str) -> Climb | None:
    """Returns where to ask next, or None where `here` is the peak. `method`: logit or firth.

    A step uphill by the information (Fisher scoring), under firth by the augmented one; halved where the last one led
    downhill. Two short steps make a peak, so that the hat values are those of the peak too. StudyError where the sums
    cannot tell the columns apart.
    """
    loglik, score = _penalised(sums, method)
    came = np.inf
    if here.base is not None and here.loglik is not None:
        back = here.beta - here.base
        came = float(np.sqrt(back @ sums.information @ back))
        if loglik < here.loglik and came > FEWEST_HALVES:
            return Climb(here.base + back / 2, here.base, here.loglik, sums.information)
    move = np.linalg.solve(sums.augmented if method == "firth" else sums.information, score)
    if float(score @ move) < SHORT_ENOUGH**2 and came < SHORT_ENOUGH:
        return None
    return Climb(here.beta + move, here.beta, loglik, sums.information)


def covariance(sums: Sums, method: str) -> np.ndarray:
    """Returns the covariance of a fit from its sums at the peak: under firth as logistf ≥ 1.24 has it."""
    inverse: np.ndarray = np.linalg.inv(sums.augmented if method == "firth" else sums.information)
    return inverse


def fit_from_sums(matrix: np.ndarray, outcome: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns beta and covariance of the fit of one matrix alone."""
    here = Climb(np.zeros(matrix.shape[1]))
    for _ in range(500):
        sums = add_up(matrix, outcome, here)
        there = step(here, sums, method)
        if there is None:
            return here.beta, covariance(sums, method)
        here = there
    raise StudyError("the fit does not settle: are the data separated?")


def _penalised(sums: Sums, method: str) -> tuple[float, np.ndarray]:
    """The log likelihood and its derivative; with Jeffreys' penalty log|I|/2 under firth."""
    scaled = np.sqrt(np.diag(sums.information))
    if not (scaled > 0).all() or np.linalg.cond(sums.information / np.outer(scaled, scaled)) > 1e12:
        raise StudyError(
            "the centres' sums cannot tell the columns of this model apart (a column is the same in everyone, or others "
            "add up to it): leave one out of the model."
        )
    if method == "logit":
        return sums.loglik, sums.score
    inverse = np.linalg.inv(sums.information)
    pull = 0.5 * np.einsum("jk,jkl->l", inverse, sums.derivative)
    return sums.loglik + 0.5 * float(np.linalg.slogdet(sums.information)[1]), sums.score + pull
