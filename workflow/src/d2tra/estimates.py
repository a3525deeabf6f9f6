"""Proportions, differences, 2×2 agreement and two exact or rank tests: each an estimate with its 95 % interval.

Agrees with R 4.2.2 (base, binom 1.1, PropCIs 0.3) to 1e-12 on the reference numbers of tests/data/reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from d2tra.errors import StudyError, nearest

Z = 1.959963984540054  # the 97.5 % point of the standard normal distribution
METHODS = ("wilson", "clopper_pearson", "exact", "agresti_coull", "jeffreys")
MOST_TABLES = 4_000_000  # tables that fisher_exact lists before it gives up; about a second and 100 MB


class Interval(NamedTuple):
    """An estimate with its 95 % limits; all None where nothing was observed (n = 0)."""

    estimate: float | None
    ci_low: float | None
    ci_high: float | None


def proportion(k: int, n: int, method: str = "wilson") -> Interval:
    """Returns k / n with its 95 % interval, each 0–1; None where n is 0.

    `method`: wilson (Wilson 1927, without continuity correction), clopper_pearson (also called exact),
    agresti_coull (cut at 0 and 1), jeffreys (equal-tailed, 0 and 1 at the ends: Brown, Cai & DasGupta 2001).
    Raises StudyError for an unknown method, ValueError where not 0 ≤ k ≤ n.
    """
    if method not in METHODS:
        raise StudyError(
            f"no interval {method!r} for a proportion{nearest(method, METHODS)}; known: {METHODS}."
        )
    if not 0 <= k <= n:
        raise ValueError(f"a proportion of {k} in {n}")
    if n == 0:
        return Interval(None, None, None)
    low, high = _limits(k, n, method)
    return Interval(k / n, float(low) if k else 0.0, float(high) if k < n else 1.0)


def difference(k1: int, n1: int, k2: int, n2: int) -> Interval:
    """Returns k1/n1 − k2/n2 with its 95 % interval, each −1 to 1; None where either group is empty.

    Newcombe 1998 (Stat Med 17:873), method 10: the Wilson limits of both proportions, combined.
    """
    first, second = proportion(k1, n1), proportion(k2, n2)
    if None in (*first, *second):
        return Interval(None, None, None)
    p1, low1, high1 = np.array(first, dtype=float)
    p2, low2, high2 = np.array(second, dtype=float)
    gap = p1 - p2
    below, above = np.hypot(p1 - low1, high2 - p2), np.hypot(high1 - p1, p2 - low2)
    return Interval(float(gap), float(gap - below), float(gap + above))


def wilson_low(k: str | pl.Expr, n: str | pl.Expr) -> pl.Expr:
    """Returns the lower Wilson limit (0–1) of k in n, column by column; null where either is null or n is 0."""
    return _wilson(k, n, -1)


def wilson_high(k: str | pl.Expr, n: str | pl.Expr) -> pl.Expr:
    """Returns the upper Wilson limit (0–1) of k in n, column by column; null where either is null or n is 0."""
    return _wilson(k, n, +1)


def fisher_exact(table: Sequence[Sequence[int]]) -> float | None:
    """Returns the two-sided p of Fisher's exact test for a table of two rows or two columns, as R's fisher.test.

    Sums the probabilities of all tables with these margins that are no likelier than this one (within 1e-7,
    relative). None where a margin leaves nothing to compare, or the tables are more than MOST_TABLES.
    """
    counts = np.asarray(table, dtype=np.int64)
    if counts.ndim != 2 or 2 not in counts.shape or (counts < 0).any():
        raise ValueError("Fisher's test takes a table of counts with two rows or two columns")
    if counts.shape[1] != 2:
        counts = counts.T
    counts = counts[counts.sum(axis=1) > 0]
    if len(counts) < 2 or not counts.sum(axis=0).all():
        return None
    logs = _log_probabilities(counts.sum(axis=1), int(counts[:, 0].sum()))
    if logs is None:
        return None
    observed = _log_choose(counts.sum(axis=1), counts[:, 0]).sum()
    weights = np.exp(logs - logs.max())
    return float(min(weights[logs <= observed + 1e-7].sum() / weights.sum(), 1.0))


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Returns the two-sided p of the Mann–Whitney test: normal approximation, tie-corrected, with continuity
    correction (R's wilcox.test(exact = FALSE)). None where a group is empty or all values are equal."""
    from scipy.stats import mannwhitneyu  # slow to import, and few need it

    if not len(first) or not len(second) or len({*first, *second}) == 1:
        return None
    return float(mannwhitneyu(first, second, method="asymptotic").pvalue)


def kappa(
    both: int, only_first: int, only_second: int, neither: int, kind: Literal["cohen", "gwet"] = "cohen"
) -> Interval:
    """Returns the chance-corrected agreement (−1 to 1) of two yes/no judgements with its 95 % Wald interval.

    `cohen`: Cohen 1960 with the standard error of Fleiss, Cohen & Everitt 1969; `gwet`: AC1, Gwet 2008 (delta
    method). None where nothing was judged or chance alone explains all (both judges constant).
    """
    cells = np.array([[neither, only_second], [only_first, both]], dtype=float)
    n = cells.sum()
    if n == 0:
        return Interval(None, None, None)
    shares = cells / n
    first, second = shares.sum(axis=1), shares.sum(axis=0)
    if kind == "cohen":
        chance, slope = float(first @ second), second[:, None] + first[None, :]
    else:
        yes = (first[1] + second[1]) / 2
        chance, slope = float(2 * yes * (1 - yes)), (1 - 2 * yes) * np.array([[0.0, 1.0], [1.0, 2.0]])
    if chance == 1:
        return Interval(None, None, None)
    agreed = float(np.trace(shares))
    value = (agreed - chance) / (1 - chance)
    gradient = (np.eye(2) * (1 - chance) - (1 - agreed) * slope) / (1 - chance) ** 2
    variance = ((shares * gradient**2).sum() - (shares * gradient).sum() ** 2) / n
    margin = Z * float(np.sqrt(max(variance, 0.0)))
    return Interval(value, max(value - margin, -1.0), min(value + margin, 1.0))


def _limits(k: int, n: int, method: str) -> tuple[float, float]:
    from scipy.special import betaincinv

    p = k / n
    if method == "jeffreys":
        return betaincinv(k + 0.5, n - k + 0.5, 0.025), betaincinv(k + 0.5, n - k + 0.5, 0.975)
    if method in ("clopper_pearson", "exact"):
        low = betaincinv(k, n - k + 1, 0.025) if k else 0.0
        return low, betaincinv(k + 1, n - k, 0.975) if k < n else 1.0
    centre = (k + Z**2 / 2) / (n + Z**2)
    if method == "agresti_coull":
        margin = Z * np.sqrt(centre * (1 - centre) / (n + Z**2))
        return max(centre - margin, 0.0), min(centre + margin, 1.0)
    margin = Z * np.sqrt(p * (1 - p) * n + Z**2 / 4) / (n + Z**2)
    return centre - margin, centre + margin


def _wilson(k: str | pl.Expr, n: str | pl.Expr, sign: int) -> pl.Expr:
    k = (pl.col(k) if isinstance(k, str) else k).cast(pl.Float64)
    n = (pl.col(n) if isinstance(n, str) else n).cast(pl.Float64)
    limit = (k + Z**2 / 2 + sign * Z * (k * (n - k) / n + Z**2 / 4).sqrt()) / (n + Z**2)
    end = k == (0 if sign < 0 else n)
    return pl.when(n > 0).then(pl.when(end).then(float(sign > 0)).otherwise(limit))


def _log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    from scipy.special import gammaln

    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def _log_probabilities(rows: np.ndarray, column: int) -> np.ndarray | None:
    """The log weight of every table with these row sums whose first column sums to `column`."""
    used, logs = np.zeros(1, dtype=np.int64), np.zeros(1)
    for row, rest in zip(rows, rows[::-1].cumsum()[::-1] - rows, strict=True):
        taken = np.arange(row + 1)
        if len(used) * len(taken) > MOST_TABLES:
            return None
        total = (used[:, None] + taken).ravel()
        possible = (total <= column) & (total >= column - rest)
        logs = (logs[:, None] + _log_choose(np.full_like(taken, row), taken)).ravel()[possible]
        used = total[possible]
    return logs
