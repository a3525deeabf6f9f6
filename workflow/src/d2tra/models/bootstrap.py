"""How much better a model looks in the patients it was made from than in new ones: Harrell's bootstrap of optimism.

Harrell, Lee & Mark 1996 (Stat Med 15:361); agrees with rms::validate 6.5. Limits of the corrected c-statistic are the
apparent ones moved by the optimism (Noma et al. 2021, Stat Med 40:5691).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from d2tra.models.design import Design
from d2tra.models.logistic import c_statistic
from d2tra.models.risks import fit_risks, maximise_likelihood

MEASURES = ("c_statistic", "calibration_slope", "brier")


class Optimism(NamedTuple):
    """What the resamples tell; each mapping has a value per measure (MEASURES), null where none could be had.

    `apparent`: in the patients of the model. `optimism`: how much better a resample's model does in its resample than in
    these patients, on average. `corrected`: apparent less optimism. `monte_carlo_error`: the standard error that the
    number of resamples leaves on the corrected value. `n_used`: resamples behind each value, of `n_resamples`;
    `failed`: why the others gave none, with their number.
    """

    apparent: dict[str, float | None]
    optimism: dict[str, float | None]
    corrected: dict[str, float | None]
    monte_carlo_error: dict[str, float | None]
    n_used: dict[str, int]
    n_resamples: int
    failed: dict[str, int]


class Sample(NamedTuple):
    """Patients as a matrix (intercept first) with their outcome (Boolean)."""

    matrix: np.ndarray
    event: np.ndarray


@dataclass(frozen=True)
class Source:
    """The patients of a model: their design, themselves (once per imputed data set, or once), and how a bootstrap
    resample of them is drawn, in the same columns. A resample may come out without patients."""

    design: Design
    samples: Sequence[Sample]
    redraw: Callable[[np.random.Generator], Sample]


def complete_cases(design: Design, event: np.ndarray) -> Source:
    """Returns the complete cases as they are; a resample draws as many of them, with replacement."""

    def redraw(generator: np.random.Generator) -> Sample:
        drawn = generator.integers(0, len(event), len(event))
        return Sample(design.matrix[drawn], event[drawn])

    return Source(design, [Sample(design.matrix, event)], redraw)


def bootstrap_optimism(source: Source, method: str, n_resamples: int, seed: int) -> Optimism:
    """Returns the optimism of a model of these patients, the whole modelling repeated in each resample.

    In each resample the method is decided anew (auto), levels that nobody has are left out as in the first fit, and
    Firth's intercept is corrected; the resample's model is then judged in the resample and in the patients themselves
    (of several imputed data sets: in each in turn). A resample in which nothing can be fitted is counted under
    `failed`, by reason; its optimism is unknown, not 0.
    """
    generator, failed = np.random.default_rng(seed), Counter[str]()
    differences = np.full((n_resamples, len(MEASURES)), np.nan)
    for number in range(n_resamples):
        drawn, own = source.redraw(generator), source.samples[number % len(source.samples)]
        problem = _why_no_outcome(drawn.event)
        if problem is None:
            kept = estimable_columns(source.design, drawn.matrix)
            again = fit_risks(drawn.matrix[:, kept], drawn.event, method)
            problem = again.problem
        if problem is None:
            here, there = drawn.matrix[:, kept] @ again.beta, own.matrix[:, kept] @ again.beta
            differences[number] = measure(drawn.event, here) - measure(own.event, there)
            if np.isnan(differences[number]).any():
                problem = "no calibration slope: the same risk for everybody, or separated"
        failed.update([problem] if problem else [])
    apparent = [_apparent(sample, method) for sample in source.samples]
    return _summary(np.mean(apparent, axis=0), differences, dict(sorted(failed.items())))


def _why_no_outcome(event: np.ndarray) -> str | None:
    if not len(event):
        return "no complete cases"
    if event.all() or not event.any():
        return "every patient has the outcome" if event.all() else "no patient has the outcome"
    return None


def _apparent(sample: Sample, method: str) -> np.ndarray:
    fitted = fit_risks(sample.matrix, sample.event, method)
    if fitted.problem:
        return np.full(len(MEASURES), np.nan)
    return measure(sample.event, sample.matrix @ fitted.beta)


def estimable_columns(design: Design, matrix: np.ndarray) -> np.ndarray:
    """Returns which columns of the design (Boolean) vary in these patients; a term without anybody at its reference
    level is left out whole, as d2tra.models.design does."""
    kept = np.ptp(matrix, axis=0) > 0
    kept[0] = True
    for term in {column.term for column in design.fitted if column.reference is not None}:
        own = np.array([column.term == term for column in design.fitted])
        if matrix[:, own].any(axis=1).all():
            kept &= ~own
    return kept


def measure(event: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
    """Returns c-statistic, calibration slope and Brier score of these log odds (MEASURES); NaN where there is none."""
    discrimination = c_statistic(event, log_odds)
    centred = log_odds - log_odds.mean()
    spread, slope = centred.std(), np.nan
    if spread > 1e-10:
        beta, found = maximise_likelihood(np.column_stack([np.ones(len(event)), centred / spread]), event)
        slope = beta[1] / spread if found else np.nan
    brier = np.mean((expit(log_odds) - event) ** 2)
    return np.array([np.nan if discrimination is None else discrimination, slope, brier])


def _summary(apparent: np.ndarray, differences: np.ndarray, failed: dict[str, int]) -> Optimism:
    used = (~np.isnan(differences)).sum(axis=0)
    kept = [column[~np.isnan(column)] for column in differences.T]
    optimism = np.array([column.mean() if len(column) else np.nan for column in kept])
    errors = [column.std(ddof=1) / np.sqrt(len(column)) if len(column) > 1 else np.nan for column in kept]
    return Optimism(
        apparent=_by_measure(apparent),
        optimism=_by_measure(optimism),
        corrected=_by_measure(apparent - optimism),
        monte_carlo_error=_by_measure(np.array(errors)),
        n_used=dict(zip(MEASURES, used.tolist(), strict=True)),
        n_resamples=len(differences),
        failed=failed,
    )


def _by_measure(values: np.ndarray) -> dict[str, float | None]:
    return {
        name: None if np.isnan(value) else float(value) for name, value in zip(MEASURES, values, strict=True)
    }
