"""Could the values of a column be so, whatever their dates?"""

from __future__ import annotations

import polars as pl

from d2tra.extract.catalogue.facts import Counted, Facts, NotApplicableError, column_of

NEAR = 1e-6  # numbers closer than this are the same


def outside(
    facts: Facts, table: str, column: str, low: float | None = None, high: float | None = None
) -> Counted:
    """Values below `low` or above `high`; the limits themselves are plausible."""
    values = facts.filled(table, column)
    if low is not None:
        return Counted(len(values), int((values < low).sum()))
    return Counted(len(values), int((values > high).sum()))


def age_outside(facts: Facts, table: str, column: str, low: int, high: int) -> Counted:
    """Years of birth with an age at the extract's cut below `low` or above `high` years."""
    ages = facts.cut.year - facts.filled(table, column)
    return Counted(len(ages), int(((ages < low) | (ages > high)).sum()))


def commonest(facts: Facts, table: str, column: str, values_at_least: int) -> Counted:
    """Cells that hold the column's most frequent value."""
    values = facts.filled(table, column, values_at_least)
    return Counted(len(values), int(values.value_counts()["count"].max()))  # type: ignore[arg-type]


def multiples(facts: Facts, table: str, column: str, step: float, values_at_least: int) -> Counted:
    """Values other than 0 that are multiples of a step: rounded by eye, or put where the scale has a mark."""
    values = facts.filled(table, column)
    values = values.filter(values != 0)
    if len(values) < values_at_least:
        raise NotApplicableError(f"fewer than {values_at_least} values other than 0")
    return Counted(len(values), int(_is_multiple(values, step).sum()))


def off_steps(facts: Facts, table: str, column: str, step: float) -> Counted:
    """Values between the steps that the instrument can give."""
    values = facts.filled(table, column)
    return Counted(len(values), int((~_is_multiple(values, step)).sum()))


def equal_to(
    facts: Facts, table: str, column: str, values_at_least: int, value: float | None = None
) -> Counted:
    """Cells that hold one value; none named: the highest that the column takes."""
    values = facts.filled(table, column, values_at_least)
    asked = column_of(table, column).high if value is None else value
    if asked is None:
        raise ValueError(f"{column} has no highest value to compare with")
    return Counted(len(values), int((values == asked).sum()))


def words(facts: Facts, table: str, column: str, among: list[str]) -> Counted:
    """Cells that hold one of these words."""
    values = facts.filled(table, column)
    return Counted(len(values), int(values.is_in(among).sum()))


def outliers(facts: Facts, table: str, column: str, iqrs: float, values_at_least: int) -> Counted:
    """Values further below the lower or above the upper quartile than so many interquartile ranges (Tukey's outer fences: 3)."""
    values = facts.filled(table, column, values_at_least)
    lower, upper = quartiles(values)
    if lower == upper:
        raise NotApplicableError("the middle half of the values is one value")
    reach = iqrs * (upper - lower)
    return Counted(len(values), int(((values < lower - reach) | (values > upper + reach)).sum()))


def above_other(facts: Facts, table: str, column: str, other: str) -> Counted:
    """Rows in which the column is more than one that it is a part of."""
    both = facts.rows(table).select(column, other).drop_nulls()
    return Counted(both.height, both.filter(pl.col(column) > pl.col(other)).height, "rows")


def bmi_differs(facts: Facts, table: str, column: str, above: float) -> Counted:
    """Recorded BMI further off weight / height² of the same row than this many kg/m²."""
    computed = pl.col("weight_kg") / (pl.col("height_cm") / 100) ** 2
    off = facts.rows(table).select(off=(pl.col(column) - computed).abs()).drop_nulls()
    return Counted(off.height, off.filter(pl.col("off") > above + NEAR).height, "rows")


def censored(facts: Facts, table: str, column: str) -> Counted:
    """Results given as `<x` or `>x` rather than as a number."""
    results = facts.rows(table).drop_nulls(column)
    return Counted(results.height, int(results["is_censored"].sum()))


def quartiles(values: pl.Series) -> tuple[float, float]:
    """Returns the lower and upper quartile of values of which there is at least one (R's type 7)."""
    lower, upper = values.alias("of").to_frame().select(
        low=pl.col("of").quantile(0.25, "linear"), high=pl.col("of").quantile(0.75, "linear")
    ).row(0)  # fmt: skip
    return lower, upper


def _is_multiple(values: pl.Series, step: float) -> pl.Series:
    parts = values.cast(pl.Float64) / step
    return (parts - parts.round(0)).abs() < NEAR
