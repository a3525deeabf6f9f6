"""The criterion on glucocorticoids: a daily dose that has not come down below a limit."""

from __future__ import annotations

import polars as pl

from d2tra.definitions.facts import FAR_FUTURE, FAR_PAST, Choices, Facts, days_between, latest
from d2tra.definitions.leaf import Leaf, Threshold, day, days_before, number, text
from d2tra.definitions.reads import Read

ONE_DAY = pl.duration(days=1)
NO_TREATMENTS = "the extract has no treatments; glucocorticoid records would settle it"


class Glucocorticoid(Leaf):
    """Every day of [t − days, t] at a prednisolone-equivalent dose that reaches `dose_mg`.

    A short run of days that no row of a molecule covers, between days that its rows cover, has the lower dose of the
    two days around it. A day without any row counts 0 mg. A known dose that reaches the limit is enough, whatever a
    second, unrecorded dose was.
    """

    days: int
    dose_mg: Threshold
    bridged_gap_days: int

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        if facts.glucocorticoids is None:
            return dates.with_columns(met=pl.lit(None, dtype=pl.Boolean))
        spans = dose_spans(facts.glucocorticoids, self.bridged_gap_days)
        high = self.dose_mg.holds(pl.col("known_mg"))
        low = spans.filter(~high & (pl.col("n_unknown") == 0))
        unclear = spans.filter(~high & (pl.col("n_unknown") > 0))
        judged = self._last_day_in(dates, low.select("patient_id", "first", "last", low_mg="known_mg"), "low")
        judged = self._last_day_in(judged, unclear.select("patient_id", "first", "last"), "unclear")
        taken = pl.col("patient_id").is_in(facts.glucocorticoids["patient_id"].unique().implode())
        never = pl.lit(False if facts.records_glucocorticoids else None, dtype=pl.Boolean)
        every_day = (
            pl.when(pl.col("low_day").is_not_null())
            .then(False)
            .when(pl.col("unclear_day").is_null())
            .then(True)
        )
        return judged.with_columns(met=pl.when(taken).then(every_day).otherwise(never), taken=taken)

    def _last_day_in(self, dates: pl.DataFrame, spans: pl.DataFrame, kind: str) -> pl.DataFrame:
        """Adds <kind>_day: the last day of the window that one of the spans covers; null where none does."""
        judged = latest(dates, spans, "first")
        last = pl.when(pl.col("last").is_not_null()).then(pl.min_horizontal("last", "evaluation_date"))
        in_window = days_between(last, pl.col("evaluation_date")) <= self.days
        return judged.with_columns(pl.when(in_window).then(last).alias(f"{kind}_day")).drop("first", "last")

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        if facts.glucocorticoids is None:
            return judged.with_columns(reason=pl.lit(NO_TREATMENTS))["reason"]
        since = text(day(days_before("evaluation_date", self.days)), " to ", day("evaluation_date"))
        limit = f"{self.dose_mg.in_words()} mg"
        recorded = (
            pl.when("met")
            .then(text(f"{limit} of prednisolone equivalent on every day from ", since))
            .when(pl.col("met").is_null())
            .then(text("the daily dose on ", day("unclear_day"), " is not recorded; it would settle it"))
            .otherwise(
                text(number("low_mg"), " mg of prednisolone equivalent on ", day("low_day"), f", not {limit}")
            )
        )
        never = (
            "no glucocorticoid recorded, by a site that records them"
            if facts.records_glucocorticoids
            else "no glucocorticoid recorded for anyone; whether the site records them would settle it"
        )
        return judged.with_columns(reason=pl.when("taken").then(recorded).otherwise(pl.lit(never)))["reason"]

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return (Read("courses.glucocorticoid", self.days),)

    def in_words(self) -> str:
        return (
            f"{self.dose_mg.in_words()} mg/day of prednisolone equivalent on every one of the last {self.days + 1} days "
            f"(gaps of up to {self.bridged_gap_days} days between rows of a molecule are bridged at the lower dose)"
        )


def dose_spans(rows: pl.DataFrame, bridged_gap_days: int) -> pl.DataFrame:
    """Returns patient_id, first, last, known_mg, n_unknown: spans of days of one total dose, without holes, sorted.

    `rows`: patient_id, molecule, start_date, stop_date (null = open), dose_mg (null = not recorded). The spans of a
    patient run from the beginning of time to its end; known_mg sums the doses known, n_unknown counts the others.
    """
    rows = rows.with_columns(pl.col("stop_date").fill_null(FAR_FUTURE))
    covered = pl.concat([rows, _bridges(rows, bridged_gap_days)])
    known = pl.col("dose_mg").fill_null(0.0)
    unknown = pl.col("dose_mg").is_null().cast(pl.Int64)
    starts = covered.select("patient_id", first="start_date", mg=known, unknown=unknown)
    ends = covered.filter(pl.col("stop_date") < FAR_FUTURE).select(
        "patient_id", first=pl.col("stop_date") + ONE_DAY, mg=-known, unknown=-unknown
    )
    before = rows.select("patient_id").unique(maintain_order=True)
    before = before.with_columns(first=pl.lit(FAR_PAST), mg=pl.lit(0.0), unknown=pl.lit(0, dtype=pl.Int64))
    changes = (
        pl.concat([before, starts, ends])
        .sort("patient_id", "first", maintain_order=True)
        .group_by("patient_id", "first", maintain_order=True)
        .agg(pl.col("mg", "unknown").sum())
    )
    return changes.select(
        "patient_id",
        "first",
        last=(pl.col("first").shift(-1).over("patient_id") - ONE_DAY).fill_null(FAR_FUTURE),
        known_mg=pl.col("mg").cum_sum().over("patient_id"),
        n_unknown=pl.col("unknown").cum_sum().over("patient_id"),
    )


def _bridges(rows: pl.DataFrame, bridged_gap_days: int) -> pl.DataFrame:
    """Returns a row for every short gap of a molecule, with the lower of the doses on the day before and after it."""
    molecule = ["patient_id", "molecule"]
    covered_until = pl.col("stop_date").cum_max().shift(1).over(molecule)
    gaps = (
        rows.sort(*molecule, "start_date", "stop_date", maintain_order=True)
        .with_columns(before=covered_until)
        .filter(days_between(pl.col("before"), pl.col("start_date")).is_between(2, bridged_gap_days + 1))
        .select(*molecule, "before", after="start_date")
    )
    doses = [_dose_on(rows, gaps, side) for side in ("before", "after")]
    return gaps.select(
        *molecule,
        start_date=pl.col("before") + ONE_DAY,
        stop_date=pl.col("after") - ONE_DAY,
        dose_mg=pl.when(doses[0].is_not_null() & doses[1].is_not_null()).then(pl.min_horizontal(*doses)),
    ).select(rows.columns)


def _dose_on(rows: pl.DataFrame, gaps: pl.DataFrame, side: str) -> pl.Series:
    """Returns the molecule's dose on that side's day of each gap; null where a dose of the day is not recorded."""
    open_on_day = pl.col("start_date").le(pl.col(side)) & pl.col("stop_date").ge(pl.col(side))
    dose = pl.when(pl.col("dose_mg").null_count() == 0).then(pl.col("dose_mg").sum())
    key = ["patient_id", "molecule", side]
    doses = gaps.join(rows, on=["patient_id", "molecule"]).filter(open_on_day).group_by(key).agg(dose)
    return gaps.join(doses, on=key, how="left", maintain_order="left")["dose_mg"].alias(side)
