"""Criteria on drug courses: mechanisms that failed, and the conventional drugs before the first b/tsDMARD."""

from __future__ import annotations

import polars as pl

from d2tra.definitions.course_dates import CountsFailures, date_failures, is_first_of_value, judge_failures
from d2tra.definitions.facts import (
    KEY,
    Choices,
    Facts,
    first_of_patient,
    is_first_of_patient,
    latest,
    of_patient,
)
from d2tra.definitions.judging import UNKNOWN
from d2tra.definitions.leaf import Leaf, day, text
from d2tra.definitions.reads import Read, read_courses
from d2tra.treatment.courses import outcome_at

NO_TREATMENTS = "the extract has no treatments; the drug history would settle it"
CSDMARD_HISTORY = (*read_courses(["csdmard"]), Read("patients.csdmard_contraindicated"))


class FailedMechanisms(CountsFailures, Leaf):
    """Enough distinct mechanisms among failed b/tsDMARD courses; unknown if the possibly failed ones would be enough."""

    at_least: int

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        if facts.courses is None:
            return dates.with_columns(met=UNKNOWN)
        return judge_failures(dates, date_failures(facts.bts_courses, self), "mechanism", self.at_least)

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        if facts.courses is None:
            return judged.with_columns(reason=pl.lit(NO_TREATMENTS))["reason"]
        courses = outcome_at(facts.bts_courses, judged.select(KEY), facts.rules)
        failed = courses.filter(self.failed())
        others = courses.filter(self.possibly_failed()).join(failed, on=[*KEY, "mechanism"], how="anti")
        n_mechanisms = failed.group_by(KEY).agg(n=pl.col("mechanism").n_unique())
        n = pl.col("n").fill_null(0)
        plural = pl.when(n == 1).then(pl.lit("")).otherwise(pl.lit("s"))
        counted = text(n.cast(pl.String), " mechanism", plural, " failed")
        shown = text(counted, pl.coalesce(text(": ", pl.col("failed")), pl.lit("")))
        unknown = text(
            shown, "; possibly also ", pl.col("possible"), "; its stop date and reason would settle it"
        )
        return (
            judged.join(
                _by_mechanism(failed, failure_in_words(), "failed"), on=KEY, how="left", maintain_order="left"
            )
            .join(
                _by_mechanism(others, possibility_in_words(), "possible"),
                on=KEY,
                how="left",
                maintain_order="left",
            )
            .join(n_mechanisms, on=KEY, how="left", maintain_order="left")
            .select(pl.when(pl.col("met").is_null()).then(unknown).otherwise(shown))
            .to_series()
        )

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return read_courses()

    def in_words(self) -> str:
        return f"at least {self.at_least} distinct mechanisms among failed b/tsDMARD courses ({self.counting_in_words()})"


class CsdmardPrerequisite(Leaf):
    """A csDMARD begun by the first b/tsDMARD, or csDMARDs contraindicated; never false: early records are incomplete."""

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        return _met_or_unknown(count_csdmards(facts, dates), pl.col("n_csdmards") >= 1)

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        return _explain_csdmards(facts, judged, "an earlier csDMARD")

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return CSDMARD_HISTORY

    def in_words(self) -> str:
        return "a csDMARD started on or before the first b/tsDMARD, or csDMARDs contraindicated; otherwise unknown"


class CsdmardsBeforeBts(Leaf):
    """Enough csDMARDs, a certain one among them, begun by the first b/tsDMARD, or csDMARDs contraindicated; never false."""

    at_least: int
    including: str

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        judged = count_csdmards(facts, dates, self.including)
        return _met_or_unknown(judged, (pl.col("n_csdmards") >= self.at_least) & pl.col("includes"))

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        return _explain_csdmards(
            facts, judged, f"{self.at_least} earlier csDMARDs including {self.including}"
        )

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return CSDMARD_HISTORY

    def in_words(self) -> str:
        return (
            f"at least {self.at_least} csDMARDs including {self.including} started on or before the first b/tsDMARD, or "
            "csDMARDs contraindicated; otherwise unknown"
        )


def count_failures(facts: Facts, dates: pl.DataFrame, counting: CountsFailures) -> pl.DataFrame:
    """Returns `dates` (one per patient) with, as at each date: n_mechanisms and n_drugs that had failed, and n_presumed
    (failed courses that are presumed so)."""
    columns = ["patient_id", "failed_on", "mechanism", "molecule", "outcome"]
    dated = date_failures(facts.bts_courses, counting).select(columns)
    failed = of_patient(dated, dates.select("patient_id", "evaluation_date")).filter(
        pl.col("failed_on") <= pl.col("evaluation_date")
    )
    counts = failed.group_by("patient_id").agg(
        n_mechanisms=pl.col("mechanism").n_unique().cast(pl.Int64),
        n_drugs=pl.col("molecule").n_unique().cast(pl.Int64),
        n_presumed=(pl.col("outcome") == "presumed_failed").sum().cast(pl.Int64),
    )
    counted = of_patient(dates, counts)
    return counted.with_columns(pl.col("n_mechanisms", "n_drugs", "n_presumed").fill_null(0))


def count_csdmards(facts: Facts, dates: pl.DataFrame, molecule: str = "methotrexate") -> pl.DataFrame:
    """Returns `dates` (sorted) with first_bts (start of the first b/tsDMARD; null: none yet), until (that day, else the
    date itself), n_csdmards (distinct csDMARDs started by then), includes (`molecule` among them), contraindicated.

    Counts are null where the extract has no treatments.
    """
    contraindicated = facts.patients.select(
        "patient_id", contraindicated=pl.col("csdmard_contraindicated").fill_null(False)
    )
    judged = of_patient(dates, contraindicated)
    if facts.courses is None:
        nothing = {"first_bts": pl.Date, "until": pl.Date, "n_csdmards": pl.Int64, "includes": pl.Boolean}
        return judged.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in nothing.items())
    bts = facts.bts_courses.select("patient_id", first_bts="start_date")
    judged = of_patient(judged, first_of_patient(bts)).with_columns(
        until=pl.min_horizontal("evaluation_date", "first_bts"),
        first_bts=pl.when(pl.col("first_bts") <= pl.col("evaluation_date")).then("first_bts"),
    )
    begun = facts.courses.select("patient_id", "kind", "start_date", "molecule")
    begun = begun.filter(pl.col("kind") == "csdmard")
    begun = begun.filter(is_first_of_value("molecule"))
    row = pl.int_range(pl.len())
    firsts = begun.select(
        "patient_id",
        csdmard_date="start_date",
        n_csdmards=row - pl.when(is_first_of_patient(begun)).then(row).forward_fill() + 1,
    )
    its_first = begun.filter(pl.col("molecule") == molecule).select("patient_id", its_first="start_date")
    return (
        of_patient(latest(judged, firsts, "csdmard_date", until="until"), its_first)
        .with_columns(
            pl.col("n_csdmards").fill_null(0),
            includes=(pl.col("its_first") <= pl.col("until")).fill_null(False),
        )
        .drop("its_first")
    )


def _met_or_unknown(judged: pl.DataFrame, enough: pl.Expr) -> pl.DataFrame:
    """Never false: hospital records of earlier csDMARDs are often incomplete."""
    return judged.with_columns(met=pl.when(pl.col("contraindicated") | enough.fill_null(False)).then(True))


def _explain_csdmards(facts: Facts, judged: pl.DataFrame, missing: str) -> pl.Series:
    if facts.courses is None:
        found = pl.lit(NO_TREATMENTS)
        shown = judged
    else:
        started = facts.courses.filter(pl.col("kind") == "csdmard").select(
            "patient_id", "molecule", "start_date"
        )
        named = (
            started.sort("patient_id", "start_date", "molecule")
            .unique(["patient_id", "molecule"], keep="first", maintain_order=True)
            .join(judged.select(*KEY, "until"), on="patient_id")
            .filter(pl.col("start_date") <= pl.col("until"))
            .group_by(KEY, maintain_order=True)
            .agg(named=text(pl.col("molecule"), " (started ", day("start_date"), ")").str.join(", "))
        )
        shown = judged.join(named, on=KEY, how="left", maintain_order="left")
        by_then = pl.coalesce(
            text(" on or before the first b/tsDMARD (", day("first_bts"), ")"), pl.lit(", no b/tsDMARD yet")
        )
        recorded = text(pl.coalesce("named", pl.lit("no csDMARD recorded")), by_then)
        settles = text(recorded, f"; {missing} or a recorded contraindication would settle it")
        found = pl.when("met").then(recorded).otherwise(settles)
    reason = pl.when("contraindicated").then(pl.lit("csDMARDs are contraindicated")).otherwise(found)
    return shown.select(reason).to_series()


def _by_mechanism(courses: pl.DataFrame, course_in_words: pl.Expr, name: str) -> pl.DataFrame:
    """One row per patient and date: `tnf (adalimumab, …; etanercept, …), il6r (tocilizumab, …)`, in order of stopping."""
    in_order = courses.sort(*KEY, "course_stop_date", "molecule", "start_date", nulls_last=True)
    return (
        in_order.group_by(*KEY, "mechanism", maintain_order=True)
        .agg(drugs=course_in_words.str.join("; "))
        .group_by(KEY, maintain_order=True)
        .agg(text(pl.col("mechanism"), " (", pl.col("drugs"), ")").str.join(", ").alias(name))
    )


def failure_in_words() -> pl.Expr:
    """Returns a failed course of `outcome_at` as `adalimumab, stopped 2017-01-01, inefficacy`."""
    presumed = pl.col("outcome") == "presumed_failed"
    why = pl.when(presumed).then(pl.lit("presumed failed: no reason recorded, another b/tsDMARD followed"))
    return text(
        pl.col("molecule"), ", stopped ", day("course_stop_date"), ", ", why.otherwise("course_stop_reason")
    )


def possibility_in_words() -> pl.Expr:
    """Returns a possibly failed course of `outcome_at` in words."""
    stopped = pl.coalesce(text("stopped ", day("course_stop_date")), pl.lit("no stop date"))
    too_short = (
        pl.when(pl.col("outcome") == "too_short")
        .then(pl.lit(" after too short an exposure"))
        .otherwise(pl.lit(""))
    )
    return text(
        pl.col("molecule"),
        ", ",
        stopped,
        ", ",
        pl.coalesce("course_stop_reason", pl.lit("no reason recorded")),
        too_short,
    )
