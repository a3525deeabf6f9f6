"""CLIP: limits and p-values of Firth fits to several imputed data sets, by combining their penalised likelihood profiles.

Heinze, Ploner & Beyea 2013 (Stat Med 32:5062). Rubin's rules take the profile for a parabola, which it is not where
data are separated. logistf's CLIP.confint finds no limit there; here each is bracketed by those of the single fits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from d2tra.models.firth import Peaks, Surface, find_peak, held_peaks

TAIL = float(ndtri(0.975))
CLOSE = 1e-8  # in standard errors


def combine_profiles(
    matrices: Sequence[np.ndarray], y: Sequence[np.ndarray], columns: Sequence[int], limits: np.ndarray
) -> np.ndarray:
    """Returns the 95 % CLIP limits (columns × low, high), log odds; NaN where a fit has no proved limit.

    One matrix (intercept first) and outcome per imputation. `columns`: those asked for. `limits`: the fits' own
    profile limits, imputations × columns × (low, high). A limit stands where the profile distribution functions
    Φ(±√(2(PLmax − PL(β)))) have a mean of 2.5 % (97.5 %) over the imputations.
    """
    every = np.concatenate(matrices)
    is_number = ~((every == 0) | (every == 1)).all(axis=0)
    centre = np.where(is_number, every.mean(axis=0), 0.0)
    spread = np.where(is_number, every.std(axis=0), 1.0)
    asked = np.array(columns)
    found = np.full((len(asked), 2), np.nan)
    # the intercept, and it alone, depends on where the numbers have their zero
    for here, zero in ((asked == 0, np.zeros_like(centre)), (asked > 0, centre)):
        surfaces = [Surface((x - zero) / spread, outcome) for x, outcome in zip(matrices, y, strict=True)]
        found[here] = _limits(surfaces, asked[here], limits[:, here] * spread[asked[here], None])
    return found / spread[asked, None]


def combine_p_values(estimates: np.ndarray, p_values: np.ndarray) -> np.ndarray:
    """Returns the CLIP p-value per column from the penalised likelihood ratio tests of the fits (imputations × columns):
    twice the smaller tail of the mean profile distribution function at 0."""
    below = np.where(estimates > 0, p_values / 2, 1 - p_values / 2).mean(axis=0)
    above = np.where(estimates > 0, 1 - p_values / 2, p_values / 2).mean(axis=0)
    combined: np.ndarray = 2 * np.minimum(below, above)
    return combined


def _limits(surfaces: list[Surface], columns: np.ndarray, own: np.ndarray) -> np.ndarray:
    """columns × (low, high): each between the outermost and the innermost of the fits' own limits, by Newton steps on
    the normal scale, or halves where a step leaves the bracket. All limits are sought together."""
    ends = own.reshape(len(surfaces), -1)
    sought = np.flatnonzero(np.isfinite(ends).all(axis=0))
    answer = np.full(2 * len(columns), np.nan)
    held, target = np.repeat(columns, 2)[sought], np.tile([-TAIL, TAIL], len(columns))[sought]
    if not len(sought):
        return answer.reshape(-1, 2)
    peaks = [find_peak(surface) for surface in surfaces]
    # each profile is followed from its own limit: under separation it has several modes
    origins = [
        held_peaks(s, peak, held, end) for s, peak, end in zip(surfaces, peaks, ends[:, sought], strict=True)
    ]
    low, high = ends[:, sought].min(axis=0), ends[:, sought].max(axis=0)
    value = ends[:, sought].mean(axis=0)
    for _ in range(60):
        place, steepness = _combined(surfaces, peaks, origins, held, value)
        gap = place - target
        if (np.abs(gap) < CLOSE).all():
            break
        low, high = np.where(gap < 0, value, low), np.where(gap < 0, high, value)
        step = value - gap / steepness
        inside = (step > low) & (step < high)
        value = np.where(np.abs(gap) < CLOSE, value, np.where(inside, step, (low + high) / 2))
    answer[sought] = np.where(np.abs(gap) < 1e-5, value, np.nan)
    return answer.reshape(-1, 2)


def _combined(
    surfaces: list[Surface], peaks: list[Peaks], origins: list[Peaks], held: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mean profile distribution function at each value, on the normal scale, and its derivative."""
    places, slopes = [], []
    for surface, peak, origin in zip(surfaces, peaks, origins, strict=True):
        there = held_peaks(surface, origin, held, value)
        lost = np.maximum(2 * (peak.loglik - there.loglik), 1e-12)
        place = np.sign(value - peak.beta[0, held]) * np.sqrt(lost)
        places.append(np.where(there.converged, place, np.nan))
        slopes.append(-there.slope[np.arange(len(held)), held] / place)
    mean = ndtri(ndtr(places).mean(axis=0))
    heights = np.exp(-(np.square(places)) / 2)
    return mean, (heights * slopes).mean(axis=0) / np.exp(-(mean**2) / 2)
