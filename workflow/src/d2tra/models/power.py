"""What a cohort of given size can show of an odds ratio that was stated beforehand: interval and power."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, ndtr

from d2tra.errors import StudyError
from d2tra.estimates import Z


class Expected(NamedTuple):
    """What is to be expected of an odds ratio's estimate if the stated odds ratio is true.

    `std_error` is of its log; `ci_low` and `ci_high` are the 95 % limits of an estimate that hits the stated odds ratio;
    `power` (0–1) is the chance that the two-sided test at 5 % finds a difference from 1.
    """

    odds_ratio: float
    n: int
    std_error: float
    ci_low: float
    ci_high: float
    power: float


def expect_odds_ratio(odds_ratio: float, exposure: np.ndarray, prevalence: float) -> Expected:
    """Returns the precision and power of a logistic model of one factor, from Fisher's expected information.

    `exposure`: the factor as it is in these patients (0/1, or a number in its unit steps); `prevalence`: the share of
    them with the outcome (0–1, both excluded), which fixes the intercept. Wald's test (Demidenko 2007, Stat Med
    26:3385), as if large samples: for few events read it as an upper bound. StudyError where the exposure does not vary,
    or odds ratio or prevalence are out of range.
    """
    from scipy.optimize import brentq  # slow to import

    exposure = np.asarray(exposure, dtype=float)
    if not 0 < odds_ratio < math.inf or odds_ratio == 1:
        raise StudyError(f"stated odds ratio {odds_ratio:g}: expected above 0 and other than 1.")
    if not 0 < prevalence < 1:
        raise StudyError(f"prevalence {prevalence:g}: expected between 0 and 1, both excluded.")
    if len(exposure) == 0 or np.ptp(exposure) == 0:
        raise StudyError("the factor is the same in every patient: nothing can be shown of its odds ratio.")
    slope, centred = math.log(odds_ratio), exposure - exposure.mean()
    far = abs(slope) * float(np.abs(centred).max()) + 1
    centre = float(logit(prevalence))
    intercept = brentq(
        lambda value: float(expit(value + slope * centred).mean()) - prevalence, centre - far, centre + far
    )
    risk = expit(intercept + slope * centred)
    matrix = np.column_stack([np.ones(len(centred)), centred])
    information = (matrix.T * (risk * (1 - risk))) @ matrix
    error = float(np.sqrt(np.linalg.inv(information)[1, 1]))
    power = float(ndtr(abs(slope) / error - Z) + ndtr(-abs(slope) / error - Z))
    return Expected(
        odds_ratio=odds_ratio,
        n=len(exposure),
        std_error=error,
        ci_low=math.exp(slope - Z * error),
        ci_high=math.exp(slope + Z * error),
        power=power,
    )
