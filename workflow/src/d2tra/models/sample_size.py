"""Riley's minimum sample size for a prediction model with a yes/no outcome, and the budget of parameters it leaves.

Riley et al. 2019 (Stat Med 38:1276) and 2020 (BMJ 368:m441); the c-statistic's route to R² is Riley et al. 2021
(Stat Med 40:859). Agrees with pmsampsize 1.1.3 where that is given the unrounded R².
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import expit, logit, ndtri

from d2tra.errors import StudyError

SHRINKAGE = 0.9  # criterion 1: predictor effects shrink by at most 10 %
OPTIMISM = 0.05  # criterion 2: apparent and adjusted Nagelkerke R² differ by at most this
MARGIN = 0.05  # criterion 3: the overall risk is known to within ± this; 1.96 as in pmsampsize
DEFAULT_R2_NAGELKERKE = 0.15  # where nothing is known beforehand (Riley 2020, box 3)


class SampleSize(NamedTuple):
    """Patients each criterion asks for, `n` the most of them, with the events and R² that this means."""

    n: int
    n_shrinkage: int
    n_optimism: int
    n_overall_risk: int
    events: float
    events_per_parameter: float
    r2_cox_snell: float
    r2_max: float
    r2_nagelkerke: float


def required_sample_size(
    prevalence: float,
    n_parameters: int,
    c_statistic: float | None = None,
    r2_nagelkerke: float | None = None,
) -> SampleSize:
    """Returns Riley's three criteria and their maximum for a model with this outcome share and these parameters.

    The anticipated fit is a c-statistic or a Nagelkerke R² (not both; 0.15 where neither is given). The intercept
    is no parameter. Raises StudyError for values out of range.
    """
    if not 0 < prevalence < 1:
        raise StudyError(f"prevalence {prevalence}: expected between 0 and 1, both excluded.")
    if n_parameters < 1:
        raise StudyError(f"{n_parameters} parameters: expected 1 or more.")
    if c_statistic is not None and r2_nagelkerke is not None:
        raise StudyError("state the c-statistic or Nagelkerke's R², not both.")
    entropy = prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)
    r2_max = 1 - math.exp(2 * entropy)
    if c_statistic is not None:
        r2 = _r2_of(c_statistic, prevalence, entropy)
    else:
        r2 = _share(DEFAULT_R2_NAGELKERKE if r2_nagelkerke is None else r2_nagelkerke) * r2_max
    shrinkage = _patients(n_parameters, r2, SHRINKAGE)
    optimism = _patients(n_parameters, r2, r2 / (r2 + OPTIMISM * r2_max))
    overall = math.ceil((1.96 / MARGIN) ** 2 * prevalence * (1 - prevalence))
    n = max(shrinkage, optimism, overall)
    return SampleSize(
        n=n,
        n_shrinkage=shrinkage,
        n_optimism=optimism,
        n_overall_risk=overall,
        events=n * prevalence,
        events_per_parameter=n * prevalence / n_parameters,
        r2_cox_snell=r2,
        r2_max=r2_max,
        r2_nagelkerke=r2 / r2_max,
    )


def parameter_budget(
    n: int, n_events: int, c_statistic: float | None = None, r2_nagelkerke: float | None = None
) -> int:
    """Returns how many parameters (the intercept not counted) n patients with these events can bear; 0 for none.

    12 events in 95 patients bear none: the overall risk alone asks for 170 patients.
    """
    if not 0 < n_events < n:
        return 0
    low, high = 0, n  # each parameter asks for more than one patient
    while low < high:
        middle = (low + high + 1) // 2
        if required_sample_size(n_events / n, middle, c_statistic, r2_nagelkerke).n <= n:
            low = middle
        else:
            high = middle - 1
    return low


def _patients(n_parameters: int, r2: float, shrinkage: float) -> int:
    return math.ceil(n_parameters / ((shrinkage - 1) * math.log(1 - r2 / shrinkage)))


def _share(r2_nagelkerke: float) -> float:
    if not 0 < r2_nagelkerke < 1:
        raise StudyError(f"Nagelkerke's R² {r2_nagelkerke}: expected between 0 and 1, both excluded.")
    return r2_nagelkerke


def _r2_of(c_statistic: float, prevalence: float, entropy: float) -> float:
    """Cox–Snell R² of a linear predictor that is normal, with variance 1, in patients with and without events."""
    from scipy.integrate import quad

    if not 0.5 < c_statistic < 1:
        raise StudyError(f"c-statistic {c_statistic}: expected between 0.5 and 1, both excluded.")
    gap = math.sqrt(2) * float(ndtri(c_statistic))

    def gain(x: float) -> float:
        risk = float(expit(logit(prevalence) + gap * x - gap**2 / 2))
        event = prevalence * math.exp(-((x - gap) ** 2) / 2)
        none = (1 - prevalence) * math.exp(-(x**2) / 2)
        return (event * math.log(risk) + none * math.log1p(-risk)) / math.sqrt(2 * math.pi)

    mean = quad(gain, -9, gap + 9, epsabs=1e-13, epsrel=1e-12, limit=200)[0]
    return 1 - math.exp(-2 * (mean - entropy))
