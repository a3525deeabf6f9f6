"""Rubin's rules: one estimate from the estimates of several imputed data sets.

Rubin 1987, with the degrees of freedom of Barnard & Rubin 1999 (Biometrika 86:948). Agrees with mice::pool 3.15.
"""

from __future__ import annotations

import math

import polars as pl
from scipy.special import stdtr, stdtrit

from d2tra.errors import StudyError, nearest

KEYS = ("definition", "term", "level", "reference")
NEEDED = {"term": pl.String, "estimate": pl.Float64, "std_error": pl.Float64}
SMALLEST_SHARE = 1e-4  # of the variance due to missing values, in the degrees of freedom only: as mice does
POOLED = ["estimate", "std_error", "df", "fmi", "riv", "ci_low", "ci_high", "p_value"]


def pool_estimates(
    estimates: pl.DataFrame, n: float | None = None, n_parameters: int | None = None
) -> pl.DataFrame:
    """Returns one row per term (and definition, level, reference, where given), in the order they first come.

    Takes one row per imputation × term: `term`, `estimate`, `std_error` (log odds from fit_logistic; any scale on
    which the estimate is about normal) and, if there, `imputation`, by which rows given twice are found.
    `n` is the number of patients in each imputed data set; None or infinite: the large-sample degrees of freedom.
    `n_parameters` counts the parameters of each fit, intercept included; None: the estimated terms of a definition.

    Gives n_imputations, estimate, std_error, df (Barnard–Rubin), fmi (fraction of missing information, 0–1), riv
    (relative increase in variance, ≥ 0), ci_low, ci_high (95 %, t, on the scale of the estimate), p_value, pooling
    ("rubin") and note: the notes of the fits, and why a row is null (a term that some imputation could not estimate
    is not pooled over the others). Reference levels keep estimate 0, all else null.
    Raises StudyError for missing columns, fewer than two imputations, rows given twice, a standard error that is not
    above 0, and no more patients than parameters.
    """
    rows = _read(estimates)
    keys = [key for key in KEYS if key in rows.columns]
    n_imputations = _count_imputations(rows, keys)
    found = rows.group_by(keys, maintain_order=True).agg(
        n_estimated=(pl.col("estimate").is_not_null() & pl.col("std_error").is_not_null()).sum(),
        estimate=pl.col("estimate").mean(),
        within=(pl.col("std_error") ** 2).mean(),
        between=pl.col("estimate").var(),
        note=pl.col("note").drop_nulls().unique(maintain_order=True).str.join("; "),
    )
    is_reference = pl.lit(False)
    if {"level", "reference"} <= {*keys}:
        is_reference = (pl.col("level") == pl.col("reference")).fill_null(False)
    counted = found.with_columns(
        is_reference=is_reference,
        is_pooled=pl.col("n_estimated") == n_imputations,
        n_imputations=pl.lit(n_imputations, pl.Int64),
        complete_df=_complete_df(n, n_parameters, keys),
    )
    _refuse_too_few_patients(counted, n)
    return _with_intervals(_by_rubin(counted)).select(
        *keys, "n_imputations", *POOLED, pooling=pl.lit("rubin"), note=_note()
    )


def _read(estimates: pl.DataFrame) -> pl.DataFrame:
    """The rows with what cannot be used as null; a note column is added where there is none."""
    for name in NEEDED:
        if name not in estimates.columns:
            raise StudyError(
                f"estimates to pool: no column {name!r}{nearest(name, estimates.columns)} "
                f"They need {', '.join(NEEDED)}, one row per imputation × term."
            )
    note = pl.col("note") if "note" in estimates.columns else pl.lit(None)
    rows = estimates.with_columns(
        *(pl.col(name).cast(kind) for name, kind in NEEDED.items()), note=note.cast(pl.String)
    ).with_columns(
        pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in ("estimate", "std_error")
    )
    wrong = rows.filter(pl.col("std_error") <= 0).height
    if wrong:
        raise StudyError(
            f"estimates to pool: the standard error is 0 or below in {wrong} of {rows.height} rows."
        )
    return rows


def _count_imputations(rows: pl.DataFrame, keys: list[str]) -> int:
    if "imputation" in rows.columns:
        twice = rows.select("imputation", *keys).is_duplicated().sum()
        if twice:
            raise StudyError(
                f"estimates to pool: {twice} of {rows.height} rows share their imputation and term with another; "
                "one row per imputation × term is expected."
            )
        found = rows["imputation"].n_unique()
    else:
        found = max(rows.group_by(keys).len()["len"].to_list(), default=0)
    if found < 2:
        raise StudyError(
            f"estimates to pool: {'one imputation only' if found else 'no rows'}; Rubin's rules need two or more."
        )
    return found


def _complete_df(n: float | None, n_parameters: int | None, keys: list[str]) -> pl.Expr:
    """The degrees of freedom had nothing been missing; null where n is not stated."""
    if n is None or math.isinf(n):
        return pl.lit(None, pl.Float64)
    if n_parameters is not None:
        return pl.lit(n - n_parameters, pl.Float64)
    n_terms = (pl.col("n_estimated") > 0).sum()
    return (n - (n_terms.over("definition") if "definition" in keys else n_terms)).cast(pl.Float64)


def _refuse_too_few_patients(counted: pl.DataFrame, n: float | None) -> None:
    fewest = counted.filter("is_pooled")["complete_df"].min()
    if n is not None and isinstance(fewest, float) and fewest <= 0:
        raise StudyError(
            f"estimates to pool: n is {n:g} patients for {n - fewest:g} parameters; more patients are needed."
        )


def _by_rubin(counted: pl.DataFrame) -> pl.DataFrame:
    m, df = pl.col("n_imputations"), pl.col("complete_df")
    share = pl.max_horizontal(pl.col("riv") / (1 + pl.col("riv")), SMALLEST_SHARE)
    by_imputations = (m - 1) / share**2
    by_patients = (df + 1) / (df + 3) * df * (1 - share)
    return (
        counted.with_columns(spread=(1 + 1 / m) * pl.col("between"))
        .with_columns(
            riv=pl.col("spread") / pl.col("within"), std_error=(pl.col("within") + pl.col("spread")).sqrt()
        )
        .with_columns(
            df=pl.when(df.is_null())
            .then(by_imputations)
            .otherwise(by_imputations * by_patients / (by_imputations + by_patients))
        )
        .with_columns(fmi=(pl.col("riv") + 2 / (pl.col("df") + 3)) / (1 + pl.col("riv")))
    )


def _with_intervals(found: pl.DataFrame) -> pl.DataFrame:
    """Interval and p from the t distribution; null in every number of a row that is not pooled."""
    df = found["df"].to_numpy()
    t = (found["estimate"] / found["std_error"]).abs().to_numpy()
    quantile, tail = pl.Series(stdtrit(df, 0.975)), pl.Series(2 * stdtr(df, -t))
    return found.with_columns(
        ci_low=pl.col("estimate") - quantile * pl.col("std_error"),
        ci_high=pl.col("estimate") + quantile * pl.col("std_error"),
        p_value=tail,
    ).with_columns(
        pl.when(pl.col("is_pooled") | (pl.col("is_reference") & pl.lit(name == "estimate"))).then(name).alias(name)
        for name in POOLED
    )  # fmt: skip


def _note() -> pl.Expr:
    missed = pl.col("n_imputations") - pl.col("n_estimated")
    reason = pl.when((missed > 0) & ~pl.col("is_reference")).then(
        pl.format("not pooled: no estimate in {} of {} imputations", missed, "n_imputations")
    )
    said = pl.when(pl.col("note") != "").then("note")
    joined = pl.concat_str(said, reason, separator="; ", ignore_nulls=True)
    return pl.when(joined != "").then(joined)
