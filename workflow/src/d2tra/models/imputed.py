"""A model fitted to each imputed data set and pooled: by Rubin's rules, Firth's limits and p-values by CLIP."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from d2tra.errors import StudyError
from d2tra.models import checks
from d2tra.models.clip import combine_p_values, combine_profiles
from d2tra.models.design import NotEstimableError, design_matrix
from d2tra.models.imputation import Imputed, MultipleImputation, impute_analysis_set, sorted_by_identity
from d2tra.models.logistic import ROWS, Fitted, fit, read_outcome
from d2tra.models.pooled import pool_estimates

KEYS = ["term", "level"]
NUMBERS = ("estimate", "std_error", "ci_low", "ci_high", "p_value")
IN_WORDS = {"clip": "CLIP", "rubin": "Rubin's rules"}


@dataclass(frozen=True)
class ImputedSet:
    """`known`: the patients whose outcome is known, as they are, in the order of the imputed frames; `n_left_out`: how
    many are left out because it is not."""

    known: pl.DataFrame
    n_left_out: int
    imputed: Imputed
    plan: MultipleImputation


def impute_for_model(
    data: pl.DataFrame,
    outcome: str,
    terms: Sequence[str],
    plan: MultipleImputation,
    model: str,
    seed: int | None,
) -> ImputedSet | None:
    """Returns the imputed sets of the terms for one outcome; None where no patient with a known outcome lacks one.

    Patients whose outcome is unknown are left out: an outcome that is imputed says nothing of its factors (von Hippel
    2007). Each model × outcome has its own stream of random numbers. StudyError without a seed.
    """
    event = read_outcome(data, outcome)
    known = sorted_by_identity(data.filter(event.is_not_null()))
    if not sum(known[term].null_count() for term in terms if term in known.columns):
        return None
    if seed is None:
        raise StudyError(f"model {model}: multiple imputation needs a seed; give one.")
    own_seed = [seed, zlib.crc32(f"{model}/{outcome}".encode())]
    return ImputedSet(
        known, event.null_count(), impute_analysis_set(known, outcome, terms, plan, own_seed), plan
    )


def fit_imputed(
    sets: ImputedSet,
    outcome: str,
    terms: Sequence[str],
    method: str,
    references: Mapping[str, str],
    unit_steps: Mapping[str, float],
) -> Fitted:
    """Returns the pooled fit; design, event and peak are None.

    Its rows are those of fit_logistic: `n` and `n_events` of a level count the patients in whom it is recorded (not
    imputed) and the outcome known; std_error is Rubin's; the note names m and the pooling. Its `pooled`: term, level,
    pooling (clip: limits and p-values; rubin), df (Barnard–Rubin), fmi (0–1), riv. The c-statistic is the mean over
    the sets. Raises as fit_logistic does.
    """
    options = (outcome, terms, method, references, unit_steps)
    fits = [fit(frame, *options) for frame in sets.imputed.frames]
    if len({found.method for found in fits}) > 1:  # `auto` saw separation in some sets only
        fits = [fit(f, outcome, terms, "firth", references, unit_steps) for f in sets.imputed.frames]
    first = fits[0]
    pooled = _pool(fits)
    counts = _counts_of_recorded(sets.known, outcome, terms, references, unit_steps)
    told = pooled.filter(pl.col("std_error").is_not_null())
    return Fitted(
        rows=_rows(first.rows, pooled, counts, len(fits)),
        method=first.method,
        n=first.n,
        n_events=first.n_events,
        n_parameters=max(found.n_parameters for found in fits),
        converged=_all_of([found.converged for found in fits]),
        separated=list(dict.fromkeys(term for found in fits for term in found.separated)),
        c_statistic=_mean([found.c_statistic for found in fits]),
        dropped={**first.dropped, outcome: sets.n_left_out},
        empty_cells=_empty_cells(counts),
        problem=next((found.problem for found in fits if found.problem), None),
        pooled=told.select(*KEYS, "pooling", "df", "fmi", "riv"),
        imputations=tuple(fits),
    )


def facts_of_imputation(
    plan: MultipleImputation, sets: ImputedSet | None, fits: Sequence[Fitted]
) -> dict[str, Any]:
    """Returns the object `imputation` of _fit.json; where no value is missing, nothing was imputed or pooled.

    `scale_reduction`: variable → how much narrower the imputed means would lie if the chains ran on for ever (Gelman &
    Rubin 1992, over the later half of the iterations; the worst level; near 1 where the chains mix; null where nothing
    moves or fewer than two iterations are left).
    """
    return {
        **plan.model_dump(),
        "n_imputed": sets.imputed.n_imputed if sets else {},
        "scale_reduction": _scale_reduction(sets.imputed.trace) if sets else {},
        "left_unknown": sets.imputed.left_unknown if sets else {},
        "pooled": [row for found in fits if found.pooled is not None for row in found.pooled.to_dicts()],
    }


def _scale_reduction(trace: pl.DataFrame) -> dict[str, float | None]:
    later = trace.filter(2 * pl.col("iteration") > pl.col("iteration").max())
    of_chain = later.group_by("variable", "level", "imputation", maintain_order=True).agg(
        middle=pl.col("mean").mean(), spread=pl.col("mean").var(), length=pl.len()
    )
    within, length = pl.col("spread").mean(), pl.col("length").first()
    total = (length - 1) / length * within + pl.col("middle").var()
    found = of_chain.group_by("variable", "level", maintain_order=True).agg(
        scale=pl.when(within > 0).then((total / within).sqrt())
    )
    return dict(found.group_by("variable", maintain_order=True).agg(pl.col("scale").max()).rows())


def _rows(first: pl.DataFrame, pooled: pl.DataFrame, counts: pl.DataFrame, m: int) -> pl.DataFrame:
    """The pooled numbers in the rows of the first fit, with the counts of what is recorded."""
    said = pl.when(pl.col("std_error").is_not_null()).then(
        pl.format("imputed (m = {}), pooled by {}", pl.lit(m), pl.col("pooling").replace(IN_WORDS))
    )
    joined = first.select("term", "level", "reference", "n", "n_events", "method", "smallest_cell")
    for numbers in (pooled, counts):
        joined = joined.join(numbers, on=KEYS, how="left", nulls_equal=True, maintain_order="left")
    limits = {"odds_ratio": "estimate", "ci_low": "ci_low", "ci_high": "ci_high"}
    return joined.with_columns(
        *(pl.col(log_odds).clip(upper_bound=700).exp().alias(name) for name, log_odds in limits.items()),
        *(pl.coalesce(f"{name}_recorded", name).alias(name) for name in ("n", "n_events", "smallest_cell")),
        definition=pl.lit(None, pl.String),
        note=pl.concat_str(pl.col("note").replace("", None), said, separator="; ", ignore_nulls=True).replace(
            "", None
        ),
    ).select(pl.col(name).cast(kind) for name, kind in ROWS.items())


def _pool(fits: list[Fitted]) -> pl.DataFrame:
    """term, level, estimate, std_error, ci_low, ci_high (log odds), p_value, df, fmi, riv, pooling, note."""
    every = pl.concat(found.rows.with_columns(imputation=pl.lit(i)) for i, found in enumerate(fits))
    every = every.drop("definition")
    notes = every.group_by(*KEYS, maintain_order=True).agg(
        note=pl.col("note").drop_nulls().unique(maintain_order=True).str.join("; ")
    )
    if not every.filter(pl.col("std_error").is_not_null()).height:
        nothing = {name: pl.lit(None, pl.Float64) for name in (*NUMBERS, "df", "fmi", "riv")}
        return notes.with_columns(**nothing, pooling=pl.lit(None, pl.String))
    n, n_parameters = fits[0].n, fits[0].n_parameters + 1
    if n <= n_parameters:
        raise NotEstimableError(f"{n} patients for {n_parameters} parameters, the intercept among them.")
    rubin = pool_estimates(every, n=n, n_parameters=n_parameters)
    rubin = rubin.select(*KEYS, *NUMBERS, "df", "fmi", "riv", "pooling", "note")
    return rubin if fits[0].method == "logit" else _with_profiles(rubin, every, fits)


def _with_profiles(rubin: pl.DataFrame, every: pl.DataFrame, fits: list[Fitted]) -> pl.DataFrame:
    """Limits and p-values by CLIP in place of Rubin's, where every fit has the profile; FLIC's intercept has none."""
    designs = [found.design for found in fits if found.design is not None]
    events = [found.event.astype(float) for found in fits if found.event is not None]
    labels = [(column.term, column.level) for column in designs[0].fitted]
    same = all(design.fitted == designs[0].fitted for design in designs)
    rows = rubin.to_dicts()
    is_pooled = {(r["term"], r["level"]) for r in rows if r["std_error"] is not None}
    asked = [
        j for j, label in enumerate(labels)
        if same and label in is_pooled and not (j == 0 and fits[0].method == "flic")
    ]  # fmt: skip
    if not asked:
        return rubin
    of_term = dict(every.group_by(*KEYS, maintain_order=True))
    groups = [of_term[labels[j]] for j in asked]
    estimates = np.column_stack([group["estimate"] for group in groups])
    p_values = combine_p_values(estimates, np.column_stack([group["p_value"] for group in groups]))
    own = np.stack(
        [np.log(group.select("ci_low", "ci_high").to_numpy().astype(float)) for group in groups], 1
    )
    limits = combine_profiles([design.matrix for design in designs], events, asked, own)
    by_label = {labels[j]: k for k, j in enumerate(asked)}
    for row in rows:
        k = by_label.get((row["term"], row["level"]))
        if k is not None:
            low, high = (float(end) if np.isfinite(end) else None for end in limits[k])
            row |= {"ci_low": low, "ci_high": high, "p_value": float(p_values[k]), "pooling": "clip"}
            if (low is None or high is None) and "limit not found" not in (row["note"] or ""):
                row["note"] = "; ".join(filter(None, [row["note"], "limit not found"]))
    return pl.DataFrame(rows, schema=rubin.schema)


def _counts_of_recorded(
    known: pl.DataFrame,
    outcome: str,
    terms: Sequence[str],
    references: Mapping[str, str],
    unit_steps: Mapping[str, float],
) -> pl.DataFrame:
    """term, level, n_recorded, n_events_recorded, smallest_cell_recorded: every level of every term by itself."""
    event = read_outcome(known, outcome)
    counted = [
        pl.DataFrame(schema={"term": pl.String, "level": pl.String, "n": pl.Int64, "n_events": pl.Int64})
    ]
    for term in terms:
        design = design_matrix(known, [term], references, unit_steps)
        if term in design.coded.columns and design.coded.schema[term] == pl.String:
            counted.append(checks.count_levels(design, event.filter(design.complete).to_numpy()))
    others = pl.col("n") - pl.col("n_events")
    cells = pl.concat_list("n_events", others).list.eval(pl.element().filter(pl.element() > 0)).list.min()
    return (
        pl.concat(counted)
        .with_columns(smallest_cell=cells.min().over("term"))
        .rename({name: f"{name}_recorded" for name in ("n", "n_events", "smallest_cell")})
    )  # fmt: skip


def _empty_cells(counts: pl.DataFrame) -> list[dict[str, object]]:
    levels = counts.select(*KEYS, n="n_recorded", n_events="n_events_recorded")
    return checks.find_empty_cells(levels).to_dicts()


def _all_of(verdicts: Sequence[bool | None]) -> bool | None:
    judged = [verdict for verdict in verdicts if verdict is not None]
    return all(judged) if judged else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
