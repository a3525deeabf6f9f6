"""Which courses count as failed, and from which day: what has failed stays failed, so days tell it for every date."""

from __future__ import annotations

from typing import Self

import polars as pl

from d2tra.config import Closed
from d2tra.definitions.facts import STRIDE, of_patient
from d2tra.extract.schemas import in_order
from d2tra.treatment.courses import is_failed, is_possibly_failed


class CountsFailures(Closed):
    """Which courses count as failed: the two parameters of every criterion that counts failures."""

    count_intolerance: bool
    count_presumed: bool

    def without_presumed(self) -> Self:
        return self.model_copy(update={"count_presumed": False})

    def failed(self) -> pl.Expr:
        """Over the columns that `outcome_at` gives."""
        return is_failed(self.count_intolerance, self.count_presumed)

    def possibly_failed(self) -> pl.Expr:
        """Failed, or not known not to be."""
        return is_possibly_failed(self.count_intolerance, self.count_presumed)

    def counting_in_words(self) -> str:
        counted = {"intolerance": self.count_intolerance, "presumed failures": self.count_presumed}
        return ", ".join(f"{what} {'counted' if yes else 'not counted'}" for what, yes in counted.items())


def date_failures(courses: pl.DataFrame, counting: CountsFailures) -> pl.DataFrame:
    """Returns the courses with failed_on and possible_on: the day from which a course counts as failed, and as possibly
    failed (null = never).

    `courses`: those of the facts, with the outcome that each has in the end. What has failed stays failed, so these two
    days tell what `outcome_at` tells at any date.
    """
    stop, presumed = pl.col("course_stop_date"), pl.col("outcome") == "presumed_failed"
    presumed_on = pl.max_horizontal("course_stop_date", "presumed_from")
    # until the next drug started, a drug given in cycles had merely run out
    possible_on = (
        pl.when(pl.col("outcome") == "ongoing")
        .then("start_date")
        .when(presumed & pl.col("has_imputed_stop"))
        .then(presumed_on)
        .otherwise(stop)
    )
    return courses.with_columns(
        failed_on=pl.when(counting.failed()).then(pl.when(presumed).then(presumed_on).otherwise(stop)),
        possible_on=pl.when(counting.possibly_failed()).then(possible_on),
    )


def is_first_of_value(column: str) -> pl.Expr:
    """Returns whether a row is the first of its patient with that value of the column (Boolean; null is a value).

    Numbers are compared, as words would take ten times as long.
    """
    value = pl.col(column).cast(pl.Categorical).to_physical().cast(pl.Int64).fill_null(-1)
    return (pl.col("patient_id").cast(pl.Int64) * STRIDE + value).is_first_distinct()


def nth_date(rows: pl.DataFrame, distinct: str | None, name: str, n: int, called: str) -> pl.DataFrame:
    """Returns patient_id and, called so, the day on which the n-th distinct value (None: the n-th row) had its first
    `name` (null days do not count); no row where there are fewer. Sorted by patient."""
    needed = ["patient_id", name] if distinct is None else ["patient_id", name, distinct]
    dated = in_order(rows.select(needed).filter(pl.col(name).is_not_null()), "patient_id", name).lazy()
    if distinct is not None:
        dated = dated.filter(is_first_of_value(distinct))
    patient = pl.col("patient_id")
    enough = (patient == patient.shift(n - 1)).fill_null(False)
    no_more = (patient != patient.shift(n)).fill_null(True)
    return dated.filter(enough & no_more).select("patient_id", pl.col(name).alias(called)).collect()


def judge_failures(dates: pl.DataFrame, dated: pl.DataFrame, distinct: str | None, n: int) -> pl.DataFrame:
    """Returns `dates` with `met`: so many distinct values had failed by then; null where the possibly failed ones would
    make it so many. `dated`: as `date_failures` gives it."""
    judged = dates
    for name in ("failed_on", "possible_on"):
        enough = nth_date(dated, distinct, name, n, f"enough_{name}")
        judged = of_patient(judged, enough)
    failed, possible = (
        (pl.col(f"enough_{name}") <= pl.col("evaluation_date")).fill_null(False)
        for name in ("failed_on", "possible_on")
    )
    return judged.with_columns(met=pl.when(failed).then(True).when(~possible).then(False))
