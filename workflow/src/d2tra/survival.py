"""Time to an event: Kaplan–Meier, and Aalen–Johansen where events compete; both with delayed entry.

Agrees with R's survival 3.5 (survfit) on the reference numbers of tests/data/reference. Of somebody who enters late
only the time after entry counts: at risk at t are those with entry < t ≤ exit. Who is censored at t was at risk at t.
With delayed entry few may be at risk at first, and an event then throws the whole curve: look at n_risk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from d2tra.errors import StudyError, nearest
from d2tra.estimates import Interval, Z

INTERVALS = ("log", "log-log", "plain")
INCIDENCE: dict[str, type[pl.DataType]] = {
    "time": pl.Float64,
    "n_risk": pl.Int64,
    "n_event": pl.Int64,
    "incidence": pl.Float64,
    "std_error": pl.Float64,
    "ci_low": pl.Float64,
    "ci_high": pl.Float64,
}
CAST = {pl.Categorical: pl.String, pl.Enum: pl.String, pl.Boolean: pl.Int64}
Values = Sequence[float] | pl.Series | np.ndarray


class _Spells(NamedTuple):
    """Who was seen from when to when, and the distinct times of leaving with the number at risk at each."""

    entry: np.ndarray
    leave: np.ndarray
    time: np.ndarray
    at_risk: np.ndarray


def kaplan_meier(time: Values, event: Values, entry: Values | None = None, ci: str = "log") -> pl.DataFrame:
    """Returns the survival curve: one row per distinct time at which somebody left, in order; none for nobody.

    `time`: when each was last seen, in any unit; `event`: true or 1 = the event, false or 0 = censored; `entry`: from
    when each was seen (None: from the start). `ci`: log (survfit's default), log-log or plain.
    Columns: time, n_risk, n_event, n_censored, survival (0–1), std_error (Greenwood, of the survival), ci_low and
    ci_high (95 %). Limits are null where the scale has none (log-log at 1, log at 0), the error too once survival is 0.
    Raises StudyError for unequal lengths, missing values, an unknown interval, or who leaves before or when they enter.
    """
    spells = _spells(time, entry, ci)
    is_event = _aligned(event, "events", spells)
    if not np.isin(is_event, (0, 1)).all():
        raise StudyError(
            "an event is 1 (happened) or 0 (censored); for several kinds use cumulative_incidence."
        )
    n_event, n_left = _count(spells, is_event == 1), _count(spells)
    survival = np.cumprod(1 - n_event / spells.at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(n_event / (spells.at_risk * (spells.at_risk - n_event)))
        error = np.where(survival > 0, survival * np.sqrt(greenwood), np.nan)
    low, high = _limits(survival, error, ci)
    return pl.DataFrame(
        {
            "time": spells.time,
            "n_risk": spells.at_risk,
            "n_event": n_event,
            "n_censored": n_left - n_event,
            "survival": survival,
            "std_error": error,
            "ci_low": low,
            "ci_high": high,
        },
        nan_to_null=True,
    )


def time_until(curve: pl.DataFrame, share: float = 0.5) -> Interval:
    """Returns when `share` (0–1) of a Kaplan–Meier curve had the event, with its 95 % limits: the first time at which no
    more than the rest go on, in the curve, its lower and its upper limit. Infinity: not reached; None: an empty curve.

    Where a step ends exactly on the share R gives the middle of that step and the next; here its first time stands.
    """
    if curve.is_empty():
        return Interval(None, None, None)
    rest = 1 - share + 1e-12
    found = (curve.filter(pl.col(name) <= rest)["time"].min() for name in ("survival", "ci_low", "ci_high"))
    return Interval(*(float("inf") if time is None else float(time) for time in found))  # type: ignore[arg-type]


def cumulative_incidence(
    time: Values,
    event: Values | Sequence[str],
    entry: Values | None = None,
    ci: str = "log",
    censored: int | str = 0,
) -> pl.DataFrame:
    """Returns the Aalen–Johansen probability of each kind of event while the others compete; no row for nobody.

    `time`, `entry`, `ci` as in kaplan_meier; `event`: the kind, as numbers or words, of which `censored` means none yet.
    Columns: event, time (every distinct time of leaving), n_risk, n_event (of this kind), incidence (0–1), std_error
    (infinitesimal jackknife, as survfit), ci_low and ci_high (95 %; null where the scale has none: log at 0). Sorted by event,
    time; a kind that nobody had has no rows. Raises StudyError as kaplan_meier.
    """
    spells = _spells(time, entry, ci)
    kinds = pl.Series("event", event if len(event) else [censored])
    kinds = kinds.cast(CAST.get(kinds.dtype.base_type(), kinds.dtype))
    if (kinds.dtype == pl.String) != isinstance(censored, str):
        raise StudyError(f"no kind of event can be {censored!r}, which stands for censored: name what does.")
    if kinds.null_count() or len(event) != len(spells.leave):
        raise StudyError(
            f"{len(event) - kinds.null_count()} kinds of event for {len(spells.leave)} people: give each one, "
            f"{censored!r} for none."
        )
    happened = (kinds != censored).to_numpy()[: len(event)]
    curves = [pl.DataFrame(schema={"event": kinds.dtype, **INCIDENCE})]
    for kind in kinds.filter(kinds != censored).unique().sort():
        curve = _incidence(spells, happened, (kinds == kind).to_numpy(), ci)
        curves.append(curve.select(pl.lit(kind, kinds.dtype).alias("event"), *INCIDENCE))
    return pl.concat(curves)


def _incidence(spells: _Spells, happened: np.ndarray, of_kind: np.ndarray, ci: str) -> pl.DataFrame:
    n_event = _count(spells, of_kind)
    survival = np.cumprod(1 - _count(spells, happened) / spells.at_risk)
    incidence = np.cumsum(np.append(1.0, survival[:-1]) * n_event / spells.at_risk)
    error = np.sqrt(_jackknife_variance(spells, happened, of_kind, survival, incidence))
    low, high = _limits(incidence, error, ci)
    columns = (spells.time, spells.at_risk, n_event, incidence, error, low, high)
    return pl.DataFrame(dict(zip(INCIDENCE, columns, strict=True)), schema=INCIDENCE, nan_to_null=True)


def _jackknife_variance(
    spells: _Spells, happened: np.ndarray, of_kind: np.ndarray, survival: np.ndarray, incidence: np.ndarray
) -> np.ndarray:
    """The sum over people of the square of each one's influence on the incidence F, at every time t.

    While somebody stays, a time s adds (F(t) − F(s))·b(s) − dF(s)/n(s), b = d/(n(n − d)), to the influence; so it is
    x + y·F(t), where x and y are running sums over s less what they were at entry, and stand still after leaving.
    """
    n, n_times = spells.at_risk, len(spells.time)
    d, before = _count(spells, happened), np.append(1.0, survival[:-1])
    gain = before * _count(spells, of_kind) / n
    slope = np.divide(d, n * (n - d), out=np.zeros(n_times), where=n > d)
    ran_x = np.append(0.0, np.cumsum(-incidence * slope - gain / n))
    ran_y = np.append(0.0, np.cumsum(slope))
    first = np.searchsorted(spells.time, spells.entry, side="right")
    last = np.searchsorted(spells.time, spells.leave)
    x_entry, y_entry = ran_x[first], ran_y[first]

    # Who has an event leaves the sums before that time, and adds that time's own share.
    until = last + ~happened
    x = (
        ran_x[until]
        - x_entry
        + np.where(happened, (of_kind * before[last] - gain[last] + incidence[last]) / n[last], 0)
    )
    y = ran_y[until] - y_entry - np.where(happened, 1 / n[last], 0)

    def left(value: np.ndarray) -> np.ndarray:
        return np.cumsum(np.bincount(last, value, n_times))

    def staying(value: np.ndarray) -> np.ndarray:
        return np.cumsum(np.bincount(first, value, n_times)) - left(value)

    gone = left(x**2) + 2 * incidence * left(x * y) + incidence**2 * left(y**2)
    ran = ran_x[1:] + ran_y[1:] * incidence
    at_entry = staying(x_entry) + incidence * staying(y_entry)
    square = (
        staying(x_entry**2) + 2 * incidence * staying(x_entry * y_entry) + incidence**2 * staying(y_entry**2)
    )
    return np.maximum(gone + staying(np.ones(len(x))) * ran**2 - 2 * ran * at_entry + square, 0.0)


def _spells(time: Values, entry: Values | None, ci: str) -> _Spells:
    if ci not in INTERVALS:
        raise StudyError(f"no interval {ci!r} for a curve{nearest(ci, INTERVALS)}; known: {INTERVALS}.")
    leave = np.asarray(time, dtype=float)
    seen_from = np.full(len(leave), -np.inf) if entry is None else np.asarray(entry, dtype=float)
    if len(seen_from) != len(leave):
        raise StudyError(f"{len(seen_from)} times of entry for {len(leave)} times: give each person both.")
    missing = ~np.isfinite(leave) | np.isnan(seen_from)
    if missing.any():
        raise StudyError(
            f"{missing.sum()} of {len(leave)} people without a time: leave them out and count them."
        )
    if (seen_from >= leave).any():
        raise StudyError(
            f"{(seen_from >= leave).sum()} of {len(leave)} people leave when or before they enter: no time to observe; "
            "correct the dates, or leave them out and count them."
        )
    times = np.unique(leave)
    entered = np.searchsorted(np.sort(seen_from), times)
    return _Spells(seen_from, leave, times, entered - np.searchsorted(np.sort(leave), times))


def _aligned(values: Values, what: str, spells: _Spells) -> np.ndarray:
    if len(values) != len(spells.leave):
        raise StudyError(f"{len(values)} {what} for {len(spells.leave)} times: give each person one of each.")
    return np.asarray(values, dtype=float)


def _count(spells: _Spells, chosen: np.ndarray | None = None) -> np.ndarray:
    """How many (of the chosen) left at each time."""
    leave = spells.leave if chosen is None else spells.leave[chosen]
    return np.bincount(np.searchsorted(spells.time, leave), minlength=len(spells.time))


def _limits(share: np.ndarray, error: np.ndarray, ci: str) -> tuple[np.ndarray, np.ndarray]:
    """95 % limits on the scale, cut at 0 and 1; NaN where the scale has none."""
    if ci == "plain":
        return np.maximum(share - Z * error, 0.0), np.minimum(share + Z * error, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(np.where((share == 0) | ((share == 1) & (ci == "log-log")), np.nan, share))
        if ci == "log":
            margin = Z * error / share
            return np.exp(log - margin), np.minimum(np.exp(log + margin), 1.0)
        margin = Z * error / (share * -log)
        return np.exp(log * np.exp(margin)), np.exp(log * np.exp(-margin))
