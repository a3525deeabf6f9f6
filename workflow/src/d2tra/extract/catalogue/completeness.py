"""What is empty: over all rows, in a year, in a clinic, in a patient's whole history."""

from __future__ import annotations

import polars as pl

from d2tra.extract.catalogue.facts import Counted, Facts, Group, NotApplicableError

DECIMALS = 6  # of percent: what is below is no more than the rounding of the machine


def empty_in(facts: Facts, table: str, column: str, by: Group, above: float, rows_at_least: int) -> Counted:
    """Years (or clinics) with enough rows of whose cells more than `above` percent are empty."""
    facts.filled(table, column)
    groups = facts.grouped(table, by).drop_nulls(by).filter(pl.col("n") >= rows_at_least)
    empty = groups.select(by, share=_percent_empty(pl.col(column), pl.col("n")))
    return _named(empty, by, pl.col("share") > above)


def empty_shift(
    facts: Facts, table: str, column: str, by: Group, above: float, rows_at_least: int
) -> Counted:
    """Years whose share of empty cells stands off that of the year before (clinics: off all rows) by more percent points."""
    facts.filled(table, column)
    groups = facts.grouped(table, by).drop_nulls(by).filter(pl.col("n") >= rows_at_least)
    share = _percent_empty(pl.col(column), pl.col("n"))
    whole = _percent_empty(pl.col(column).sum(), pl.col("n").sum())
    shifts = groups.select(by, share=share, off=(share - (share.shift(1) if by == "year" else whole)).abs())
    shifts = shifts.drop_nulls("off") if by == "year" else shifts.filter(pl.len() > 1)
    return _named(shifts, by, pl.col("off").round(DECIMALS) > above)


def patients_without(facts: Facts, table: str, column: str) -> Counted:
    """Patients without any value of the column, or any row of the table, in their whole history."""
    rows = facts.rows(table)
    if column:
        facts.filled(table, column)
        rows = rows.drop_nulls(column)
    everyone = facts.rows("patients")["patient_id"]
    n_with = rows["patient_id"].n_unique()
    return Counted(len(everyone), len(everyone) - n_with, "patients")


def empty_where(facts: Facts, table: str, column: str, filled: str, holds: str | None = None) -> Counted:
    """Cells that are empty although another column of the row is filled (or holds this word)."""
    rows = facts.rows(table)
    asked = rows.filter(pl.col(filled).is_not_null() if holds is None else pl.col(filled) == holds)
    return Counted(asked.height, asked[column].null_count(), "rows")


def _percent_empty(filled: pl.Expr, n: pl.Expr) -> pl.Expr:
    """A difference of these is rounded too: 90 − 60 must be 30."""
    return (100 * (n.cast(pl.Int64) - filled.cast(pl.Int64)) / n).round(DECIMALS)


def _named(shares: pl.DataFrame, by: Group, fails: pl.Expr) -> Counted:
    """The count of groups that fail, which of them, and how many percent of their cells are empty."""
    if shares.is_empty():
        raise NotApplicableError(f"too few rows to compare any {by}")
    failing = shares.filter(fails)
    # a clinic's name is the department's own word, and stays in private/ with the rest
    names = [f"{group} ({share:.0f} % empty)" for group, share in failing.select(by, "share").iter_rows()]
    return Counted(shares.height, failing.height, f"{by}s", ", ".join(names))
