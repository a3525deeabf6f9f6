"""Two groups side by side: standardised differences, and the tests that a cohort declares."""

from __future__ import annotations

import numpy as np
import polars as pl

from d2tra.estimates import fisher_exact, mann_whitney
from d2tra.risk_factor_plan import Characteristic


def standardised_difference(
    first: pl.Series, second: pl.Series, characteristic: Characteristic
) -> float | None:
    """Returns the size (≥ 0) of the difference in units of the pooled standard deviation; null where not estimable.

    Numbers: difference of means; yes/no and categories: Yang & Dalton 2012 (SAS Global Forum 335), all levels
    together. The pooled variance is the mean of the two groups' variances (Austin 2009). Missing values are left out.
    """
    first, second = first.drop_nulls(), second.drop_nulls()
    if not len(first) or not len(second):
        return None
    if characteristic.coding == "number":
        gap = _mean(first) - _mean(second)
        spread = np.sqrt((_variance(first) + _variance(second)) / 2)
        return _ratio(abs(gap), float(spread))
    shares = [
        np.array([(values == level).mean() for level in levels_of(characteristic)], dtype=float)
        for values in (first, second)
    ]
    shares = [share[1:] for share in shares]
    spreads = [np.diag(share) - np.outer(share, share) for share in shares]
    covariance = (spreads[0] + spreads[1]) / 2
    gap_of = shares[0] - shares[1]
    if not gap_of.any():
        return 0.0
    present = np.diag(covariance) > 0
    if not present.any() or gap_of[~present].any():
        return None
    squared = gap_of[present] @ np.linalg.pinv(covariance[np.ix_(present, present)]) @ gap_of[present]
    return float(np.sqrt(squared))


def p_value(
    first: pl.Series, second: pl.Series, characteristic: Characteristic, tests: tuple[str, ...]
) -> float | None:
    """Returns the p-value of the declared test: Fisher's exact for yes/no and categories, Mann–Whitney (tie-corrected
    normal approximation) for numbers; null where none is declared or there is nothing to compare."""
    first, second = first.drop_nulls(), second.drop_nulls()
    if characteristic.coding == "number":
        if "mann_whitney" not in tests:
            return None
        return mann_whitney(first.to_list(), second.to_list())
    if "fisher" not in tests:
        return None
    counts = [
        [int((values == level).sum()) for level in levels_of(characteristic)] for values in (first, second)
    ]
    return fisher_exact(counts)


def smallest_count(first: pl.Series, second: pl.Series, characteristic: Characteristic) -> int | None:
    """Returns the smallest positive count of patients behind a comparison of the two groups."""
    first, second = first.drop_nulls(), second.drop_nulls()
    if characteristic.coding == "number":
        counts = [len(first), len(second)]
    else:
        counts = [int((v == level).sum()) for v in (first, second) for level in levels_of(characteristic)]
    return min((count for count in counts if count > 0), default=None)


def levels_of(characteristic: Characteristic) -> list[bool] | list[str]:
    """Returns the levels of a yes/no or a category as they stand in the analysis set."""
    return [False, True] if characteristic.coding == "yes_no" else characteristic.levels


def _mean(values: pl.Series) -> float:
    return float(np.mean(values.to_numpy().astype(float)))


def _variance(values: pl.Series) -> float:
    return float(np.var(values.to_numpy().astype(float), ddof=1)) if len(values) > 1 else 0.0


def _ratio(gap: float, spread: float) -> float | None:
    if gap == 0:
        return 0.0
    return gap / spread if spread > 0 else None
