"""Does a year stand off the year before, or a clinic off the others? A change of form, unit or habit shows here."""

from __future__ import annotations

import numpy as np
import polars as pl

from d2tra.extract.catalogue.facts import Counted, Facts, Group, NotApplicableError


def median_shift(
    facts: Facts, table: str, column: str, by: Group, iqrs: float, values_at_least: int
) -> Counted:
    """Years (clinics) whose median stands off that of the year before (of the other clinics' medians) by more
    interquartile ranges: the middle one of those within each year (clinic)."""
    facts.filled(table, column)
    rows = facts.rows(table)
    if by not in rows.columns:
        raise NotApplicableError(f"the rows tell of no {by}")
    of, value = rows.drop_nulls([by, column]).group_by(by), pl.col(column)
    spread = value.quantile(0.75, "linear") - value.quantile(0.25, "linear")
    groups = of.agg(n=pl.len(), median=value.median(), spread=spread).sort(by)
    groups = groups.filter(pl.col("n") >= values_at_least)
    if groups.height < 2:
        raise NotApplicableError(f"fewer than two {by}s with {values_at_least} values")
    limit = iqrs * float(np.median(groups["spread"]))
    if not limit:
        raise NotApplicableError("the middle half of the values is one value")
    medians = groups["median"].to_numpy()
    others = [np.median(np.delete(medians, place)) for place in range(len(medians))]
    compared = groups.with_columns(before=pl.col("median").shift(1) if by == "year" else pl.Series(others))
    compared = compared.drop_nulls("before")
    failing = compared.filter((pl.col("median") - pl.col("before")).abs() > limit)
    names = [f"{group} (median {median:g})" for group, median in failing.select(by, "median").iter_rows()]
    return Counted(compared.height, failing.height, f"{by}s", ", ".join(names))


def rows_shift(facts: Facts, table: str, column: str, times: float, rows_at_least: int) -> Counted:  # noqa: ARG001
    """Years with so many times more, or fewer, rows than the year before, where one of the two has enough rows.

    The first and the last year are left out: the extract may cut them short.
    """
    whole = facts.grouped(table, "year").drop_nulls("year").select("year", "n").head(-1).tail(-1)
    pairs = whole.with_columns(before=pl.col("n").shift(1)).drop_nulls()
    pairs = pairs.filter(pl.max_horizontal("n", "before") >= rows_at_least)
    if pairs.is_empty():
        raise NotApplicableError(f"no two whole years with {rows_at_least} rows")
    ratio = pl.col("n") / pl.col("before")
    failing = pairs.filter((ratio > times) | (ratio < 1 / times))
    names = [f"{year} ({n} rows)" for year, n in failing.select("year", "n").iter_rows()]
    return Counted(pairs.height, failing.height, "years", ", ".join(names))
