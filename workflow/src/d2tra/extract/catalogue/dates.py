"""Could the dates be so: weekdays, placeholders, order against the patient's life, rows that go missing for a while?"""

from __future__ import annotations

import polars as pl

from d2tra.extract.catalogue.facts import Counted, Facts, NotApplicableError
from d2tra.extract.schemas import ROW_DATES

SATURDAY = 6


def at_weekend(facts: Facts, table: str, column: str, values_at_least: int) -> Counted:
    """Dates on a Saturday or Sunday."""
    days = facts.filled(table, column, values_at_least)
    return Counted(len(days), int((days.dt.weekday() >= SATURDAY).sum()))


def on_day(
    facts: Facts, table: str, column: str, day: int, values_at_least: int, month: int | None = None
) -> Counted:
    """Dates on one day of the month (of one month): a year or month known only, and filled up."""
    days = facts.filled(table, column, values_at_least)
    hit = days.dt.day() == day
    hit = hit & (days.dt.month() == month) if month else hit
    return Counted(len(days), int(hit.sum()))


def before_birth(facts: Facts, table: str, column: str) -> Counted:
    """Dates in a year before the patient's year of birth."""
    return _compared(facts, table, column, pl.col("day").dt.year() < pl.col("birth_year_of_patient"))


def before_date(facts: Facts, table: str, column: str, other: str, years: int = 0) -> Counted:
    """Dates more than so many years before another of the patient's dates."""
    earliest = pl.col(f"{other}_of_patient").dt.offset_by(f"-{years}y")
    return _compared(facts, table, column, pl.col("day") < earliest)


def after_date(facts: Facts, table: str, column: str, other: str) -> Counted:
    """Dates after another of the patient's dates; of a month (death_month): after its end."""
    limit = pl.col(f"{other}_of_patient")
    late = pl.col("day").dt.strftime("%Y-%m") > limit if other == "death_month" else pl.col("day") > limit
    return _compared(facts, table, column, late)


def months_without(facts: Facts, table: str, column: str, rows_at_least: int) -> Counted:  # noqa: ARG001
    """Months without a row, in the time that holds the middle nine tenths of the rows: a few old ones tell little."""
    days = facts.filled(table, ROW_DATES[table], rows_at_least).sort()
    tail = len(days) // 20
    days = days.slice(tail, len(days) - 2 * tail)
    months = days.dt.truncate("1mo").unique()
    number = 12 * months.dt.year() + months.dt.month()
    n_months = int(number.max() - number.min() + 1)  # type: ignore[operator]
    return Counted(n_months, n_months - len(months), "months")


def no_row_near(facts: Facts, table: str, column: str, other: str, days: int) -> Counted:
    """Rows without a row of another table of the same patient within so many days, before or after."""
    rows = facts.rows(table).select("patient_id", day=column).sort("day")
    near = facts.rows(other).select("patient_id", day=ROW_DATES[other]).drop_nulls().sort("day")
    found = rows.join_asof(
        near.with_columns(found=True), on="day", by="patient_id", strategy="nearest", tolerance=f"{days}d",
        check_sortedness=False,
    )  # fmt: skip
    return Counted(found.height, found["found"].null_count(), "rows")


def _compared(facts: Facts, table: str, column: str, fails: pl.Expr) -> Counted:
    """Cells of which the comparison can be made, and of how many it fails."""
    judged = facts.with_patients(table, column).select(fails=fails).drop_nulls()
    if judged.is_empty():
        raise NotApplicableError("no date to compare with")
    return Counted(judged.height, int(judged["fails"].sum()))
