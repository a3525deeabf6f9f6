"""Logistic regression on a frame of patients: a row per term and level, with what was found before the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from d2tra.errors import StudyError, nearest
from d2tra.models import checks
from d2tra.models.design import INTERCEPT, Column, Design, NotEstimableError, design_matrix
from d2tra.models.methods import METHODS, Numbers, correct_intercept

NAMES = (*METHODS, "auto")
STATUSES = {"met": True, "not_met": False, "not_assessable": None}
FEWEST_EVENTS_PER_PARAMETER = 10  # below it, `auto` is Firth's method
ROWS = {
    "definition": pl.String,
    "term": pl.String,
    "level": pl.String,
    "reference": pl.String,
    "n": pl.Int64,
    "n_events": pl.Int64,
    "method": pl.String,
    "estimate": pl.Float64,
    "std_error": pl.Float64,
    "odds_ratio": pl.Float64,
    "ci_low": pl.Float64,
    "ci_high": pl.Float64,
    "p_value": pl.Float64,
    "note": pl.String,
    "smallest_cell": pl.Int64,
}


@dataclass(frozen=True)
class Fitted:
    """The rows of a fit (see fit_logistic) and the facts of its _fit.json; `problem` says why nothing was fitted.

    `design` and `event` (bool) are the complete cases, `peak` the log odds per fitted column where the (penalised)
    likelihood is highest; None where there is no one fit. `pooled` and the fit of each of
    the `imputations`: of imputed data, see fit_imputed.
    """

    rows: pl.DataFrame
    method: str
    n: int
    n_events: int
    n_parameters: int
    converged: bool | None
    separated: list[str]
    c_statistic: float | None
    dropped: dict[str, int]
    empty_cells: list[dict[str, object]]
    problem: str | None
    design: Design | None = None
    event: np.ndarray | None = None
    peak: np.ndarray | None = None
    pooled: pl.DataFrame | None = None
    imputations: tuple[Fitted, ...] = ()

    def risk_coefficients(self) -> np.ndarray | None:
        """Returns the log odds that risks come from: of logit, or of Firth's method with FLIC's intercept; None
        where nothing was fitted."""
        if self.design is None or self.event is None or self.peak is None:
            return None
        if self.method == "logit":
            return self.peak
        return correct_intercept(self.design.matrix, self.event, self.peak)


def fit_logistic(
    data: pl.DataFrame,
    outcome: str,
    terms: Sequence[str],
    method: str = "firth",
    references: Mapping[str, str] | None = None,
    unit_steps: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Returns one row per term × level, the intercept first: the columns of models/<model>.csv.

    `definition` is null here. `level` and `reference` are null for numbers ("per 10" where the unit step is 10);
    booleans are true against false; string and Enum terms need their reference named. `n` and `n_events` count the
    level's patients, for the intercept and numbers all complete cases. `estimate` and `std_error` are log odds;
    `odds_ratio`, `ci_low`, `ci_high` (95 %) are on the odds-ratio scale. Each categorical term opens with its
    reference level (odds ratio 1, note "reference"). Null estimates have their reason in `note`; "separated" marks
    estimates that maximum likelihood would put at infinity. `smallest_cell` is the smallest positive count of the
    term's table against the outcome, for disclosure control.

    Methods: firth (profile penalised-likelihood limits and penalised likelihood ratio p-values; standard errors
    as logistf ≥ 1.24), logit (maximum likelihood, Wald; nothing is estimated where the data are separated), flic
    (Firth with its intercept corrected so that the mean risk is the observed one; the intercept's limits and p
    are Wald's), auto (firth below 10 events per parameter or where separated, else logit).
    The outcome is boolean, 0/1, or met/not_met/not_assessable; rows where it or a term is unknown are left out.
    Raises StudyError for unknown columns and methods, a missing reference, and a collinear column, by name.
    """
    return fit(data, outcome, terms, method, references, unit_steps).rows


def fit(
    data: pl.DataFrame,
    outcome: str,
    terms: Sequence[str],
    method: str = "firth",
    references: Mapping[str, str] | None = None,
    unit_steps: Mapping[str, float] | None = None,
) -> Fitted:
    """Returns the rows of fit_logistic with the facts of the fit; raises as fit_logistic does."""
    if method not in NAMES:
        raise StudyError(f"no method {method!r}{nearest(method, NAMES)}; known: {', '.join(NAMES)}.")
    if outcome in terms:
        raise StudyError(f"{outcome!r} is both the outcome and a factor.")
    event = read_outcome(data, outcome)
    design = design_matrix(data.filter(event.is_not_null()), terms, references, unit_steps)
    y = event.drop_nulls().filter(design.complete).to_numpy()
    n, n_events, n_parameters = len(y), int(y.sum()), len(design.fitted) - 1
    problem = _why_not(n, n_events, n_parameters, terms, design)
    separated: tuple[Column, ...] = ()
    if problem is None:
        _refuse_collinear(design)
        separated = checks.find_separated_columns(design, y)
    if method == "auto":
        method = "firth" if has_few_events(y, n_parameters) or separated or problem else "logit"
    if problem is None and method == "logit" and separated:
        names = ", ".join(column.label for column in separated if column.term != INTERCEPT)
        problem = f"separated: maximum likelihood is infinite ({names})"
    levels = checks.count_levels(design, y)
    numbers = None if problem else METHODS[method](design.matrix, y)
    return Fitted(
        rows=_rows(design, levels, (n, n_events), method, numbers, separated, problem),
        method=method,
        n=n,
        n_events=n_events,
        n_parameters=n_parameters,
        converged=numbers.converged if numbers else None,
        separated=list(dict.fromkeys(c.term for c in separated if c.term != INTERCEPT)),
        c_statistic=c_statistic(y, design.matrix @ numbers.estimate) if numbers else None,
        dropped={outcome: event.null_count(), **design.dropped},
        empty_cells=checks.find_empty_cells(levels).to_dicts(),
        problem=problem,
        design=design,
        event=y,
        peak=numbers.peak if numbers else None,
    )


def has_few_events(y: np.ndarray, n_parameters: int) -> bool:
    """Returns whether `auto` is Firth's method for want of events (or of non-events) alone."""
    n_events = int(y.sum())
    return n_parameters > 0 and min(n_events, len(y) - n_events) / n_parameters < FEWEST_EVENTS_PER_PARAMETER


def read_outcome(data: pl.DataFrame, outcome: str) -> pl.Series:
    """Returns the outcome as true, false or null (unknown), from a Boolean, 0/1 or status column."""
    if outcome not in data.columns:
        raise StudyError(f"no outcome {outcome!r} among the columns{nearest(outcome, data.columns)}")
    values = data[outcome]
    if values.dtype in (pl.String, pl.Categorical) or isinstance(values.dtype, pl.Enum):
        if values.cast(pl.String).drop_nulls().is_in(list(STATUSES)).all():
            return values.cast(pl.String).replace_strict(STATUSES, return_dtype=pl.Boolean)
    elif values.dtype in (pl.Boolean, pl.Null):
        return values.cast(pl.Boolean)
    elif (
        values.dtype.is_numeric()
        and values.cast(pl.Float64).fill_nan(None).drop_nulls().is_in([0.0, 1.0]).all()
    ):
        return values.cast(pl.Float64).fill_nan(None).cast(pl.Boolean)
    raise StudyError(f"outcome {outcome!r} holds other values than true/false, 0/1 or {', '.join(STATUSES)}.")


def c_statistic(event: np.ndarray, score: np.ndarray) -> float | None:
    """Returns the share of event/non-event pairs (0–1) in which the event has the higher score, ties half."""
    ranks, place = np.unique(np.round(score, 10), return_inverse=True)  # equal patients stay ties
    events = np.bincount(place[event], minlength=len(ranks))
    others = np.bincount(place[~event], minlength=len(ranks))
    pairs = events.sum() * others.sum()
    return float(events @ (others.cumsum() - others / 2) / pairs) if pairs else None


def _why_not(n: int, n_events: int, n_parameters: int, terms: Sequence[str], design: Design) -> str | None:
    if n == 0:
        unrecorded = [term for term in terms if 0 < design.dropped[term] == len(design.complete)]
        return "no complete cases" + (f": {', '.join(unrecorded)} not recorded" if unrecorded else "")
    if n_events in (0, n):
        return "no patient has the outcome" if n_events == 0 else "every patient has the outcome"
    return None if n_parameters else "no factor varies"


def _refuse_collinear(design: Design) -> None:
    sentences = checks.find_collinear(design)
    if sentences:
        raise NotEstimableError(
            f"{len(sentences)} collinear column(s): {'; '.join(sentences)}. Leave one of them out of the model."
        )


def _rows(
    design: Design,
    levels: pl.DataFrame,
    overall: tuple[int, int],
    method: str,
    numbers: Numbers | None,
    separated: tuple[Column, ...],
    problem: str | None,
) -> pl.DataFrame:
    """One row per column of the design, the reference level before the first level of its term."""
    counts = {(r["term"], r["level"]): (r["n"], r["n_events"]) for r in levels.to_dicts()}
    place = {column: j for j, column in enumerate(design.fitted)}
    rows, seen = [], set()
    for column in design.columns:
        cells = [cell for (term, _), cell in counts.items() if term == column.term] or [overall]
        common = {
            "term": column.term,
            "reference": column.reference,
            "method": method,
            "smallest_cell": min((x for n, k in cells for x in (k, n - k) if x > 0), default=None),
        }
        if column.reference is not None and column.term not in seen:
            n, n_events = counts.get((column.term, column.reference), (0, 0))
            unit = {"estimate": 0.0, "odds_ratio": 1.0} if numbers else {}
            rows.append(
                {
                    **common,
                    "level": column.reference,
                    "n": n,
                    "n_events": n_events,
                    "note": "reference",
                    **unit,
                }
            )
        seen.add(column.term)
        n, n_events = counts.get((column.term, column.level), (0, 0)) if column.reference else overall
        found = _of_column(numbers, place.get(column), column in separated, bool(separated))
        if not found:
            found = {"note": column.problem or problem}
        rows.append({**common, "level": column.level, "n": n, "n_events": n_events, **found})
    return pl.DataFrame(rows, schema=ROWS)


def _of_column(
    numbers: Numbers | None, j: int | None, is_separated: bool, any_separated: bool
) -> dict[str, object]:
    """The estimate of one column with its note; empty where there is none."""
    if numbers is None or j is None:
        return {}
    low, high = float(numbers.low[j]), float(numbers.high[j])
    wide = max(abs(float(numbers.estimate[j])), abs(low), abs(high)) > np.log(1000)
    notes = [
        "separated" if is_separated else "separated jointly" if any_separated and wide else "",
        "" if numbers.converged else "not converged",
        "" if np.isfinite([low, high]).all() else "limit not found",
    ]
    return {
        "estimate": float(numbers.estimate[j]),
        "std_error": float(numbers.std_error[j]),
        "odds_ratio": _exp(numbers.estimate[j]),
        "ci_low": _exp(low),
        "ci_high": _exp(high),
        "p_value": float(numbers.p_value[j]),
        "note": "; ".join(filter(None, notes)) or None,
    }


def _exp(log_odds: float) -> float | None:
    return float(np.exp(min(log_odds, 700.0))) if np.isfinite(log_odds) else None
