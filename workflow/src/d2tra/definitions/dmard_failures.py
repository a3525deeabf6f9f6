"""Failures of csDMARDs, and of csDMARDs and b/tsDMARDs together."""

from __future__ import annotations

import polars as pl

from d2tra.codelists import BTS_KINDS, dmards
from d2tra.definitions.course_dates import date_failures, nth_date
from d2tra.definitions.drug_criteria import CSDMARD_HISTORY, NO_TREATMENTS, CountsFailures
from d2tra.definitions.facts import KEY, Choices, Facts, days_between, latest, of_patient, patient_and_day
from d2tra.definitions.judging import UNKNOWN
from d2tra.definitions.leaf import Leaf, Threshold, day, text
from d2tra.definitions.reads import Read, read_courses
from d2tra.treatment.courses import outcome_at

COURSE = ["patient_id", "molecule", "start_date"]
RECORDED = ["failed_inefficacy", "failed_intolerance"]


class FailedCsdmards(CountsFailures, Leaf):
    """Enough csDMARDs failed, or csDMARDs contraindicated; never false: early records are incomplete.

    A csDMARD that went on while a b/tsDMARD was added is presumed to have failed.
    """

    at_least: int

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        contraindicated = facts.patients.select(
            "patient_id", contraindicated=pl.col("csdmard_contraindicated").fill_null(False)
        )
        judged = of_patient(dates, contraindicated)
        if facts.courses is None:
            return judged.with_columns(met=pl.when("contraindicated").then(True))
        enough = nth_date(self._dated(facts), "molecule", "failed_on", self.at_least, "enough_on")
        judged = of_patient(judged, enough)
        failed = (pl.col("enough_on") <= pl.col("evaluation_date")).fill_null(False)
        return judged.with_columns(met=pl.when(pl.col("contraindicated") | failed).then(True))

    def _dated(self, facts: Facts) -> pl.DataFrame:
        """The csDMARD courses with failed_on: the day of the recorded failure, or of the b/tsDMARD added before."""
        assert facts.courses is not None, "ask for courses only where the extract has treatments"
        csdmards = facts.courses.filter(pl.col("kind") == "csdmard")
        dated = date_failures(bts_added(csdmards, facts.bts_courses), self)
        discounted = pl.col("outcome").is_in(RECORDED) & ~self.failed()
        added = pl.when(pl.lit(self.count_presumed) & ~discounted).then("bts_start")
        return dated.with_columns(failed_on=pl.min_horizontal("failed_on", added))

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        contraindicated = pl.when("contraindicated").then(pl.lit("csDMARDs are contraindicated"))
        if facts.courses is None:
            return judged.select(pl.coalesce(contraindicated, pl.lit(NO_TREATMENTS))).to_series()
        failed = _listed(
            dmard_outcomes(facts, judged.select(KEY)).filter(pl.col("kind") == "csdmard", self.failed()),
            "molecule",
            "failed",
        )
        listed = judged.join(failed, on=KEY, how="left", maintain_order="left")
        recorded = pl.coalesce(
            text("failed: ", pl.col("failed")), pl.lit("no csDMARD recorded to have failed")
        )
        wanted = (
            "an earlier csDMARD failure"
            if self.at_least == 1
            else f"{self.at_least} earlier csDMARD failures"
        )
        settles = text(recorded, f"; {wanted} or a recorded contraindication would settle it")
        found = pl.when("met").then(recorded).otherwise(settles)
        return listed.select(pl.coalesce(contraindicated, found)).to_series()

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return CSDMARD_HISTORY

    def in_words(self) -> str:
        return (
            f"at least {self.at_least} csDMARD failed ({self.counting_in_words()}; one that went on while a b/tsDMARD was "
            "added is presumed to have failed), or csDMARDs contraindicated; otherwise unknown"
        )


class FailedModesOfAction(CountsFailures, Leaf):
    """Enough distinct modes of action failed, those of csDMARDs too, enough of them of b/tsDMARDs.

    False only where too few b/tsDMARDs can have failed: an earlier csDMARD may not be recorded.
    """

    at_least: int
    of_bts: int
    csdmard_days: Threshold  # a csDMARD stopped for inefficacy before that was too short to judge

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        if facts.courses is None:
            return dates.with_columns(met=UNKNOWN)
        mode, is_bts = pl.col("mode"), pl.col("mechanism").is_not_null()
        counts = (
            self._outcomes(facts)
            .group_by(KEY, maintain_order=True)
            .agg(
                n_modes=mode.filter(self.failed()).n_unique(),
                n_bts=mode.filter(self.failed() & is_bts).n_unique(),
                n_bts_possible=mode.filter(self.possibly_failed() & is_bts).n_unique(),
            )
        )
        judged = latest(dates, counts.rename({"evaluation_date": "changed_on"}), "changed_on").with_columns(
            pl.col("n_modes", "n_bts", "n_bts_possible").fill_null(0)
        )
        enough = (pl.col("n_modes") >= self.at_least) & (pl.col("n_bts") >= self.of_bts)
        too_few = pl.col("n_bts_possible") < self.of_bts
        return judged.with_columns(met=pl.when(enough).then(True).when(too_few).then(False))

    def _outcomes(self, facts: Facts, dates: pl.DataFrame | None = None) -> pl.DataFrame:
        """As `dmard_outcomes`, a csDMARD given for too short a time being `too_short`, as a b/tsDMARD is."""
        n_days = days_between(pl.col("start_date"), pl.col("course_stop_date"))
        too_short = (
            (pl.col("kind") == "csdmard")
            & (pl.col("outcome") == "failed_inefficacy")
            & ~self.csdmard_days.holds_whole(n_days)
        )
        outcome = pl.when(too_short).then(pl.lit("too_short")).otherwise("outcome")
        return dmard_outcomes(facts, dates).with_columns(outcome=outcome)

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        if facts.courses is None:
            return judged.with_columns(reason=pl.lit(NO_TREATMENTS))["reason"]
        courses = self._outcomes(facts, judged.select(KEY))
        failed = courses.filter(self.failed())
        others = courses.filter(self.possibly_failed()).join(failed, on=[*KEY, "mode"], how="anti")
        counted = text(
            pl.col("n_modes").cast(pl.String),
            " modes of action failed, ",
            pl.col("n_bts").cast(pl.String),
            " of b/tsDMARDs",
        )
        shown = text(counted, pl.coalesce(text(": ", pl.col("failed")), pl.lit("")))
        possible = pl.coalesce(text("; possibly also ", pl.col("possible")), pl.lit(""))
        unknown = text(shown, possible, "; further failures, of an earlier csDMARD too, would settle it")
        return (
            judged.join(_listed(failed, "mode", "failed"), on=KEY, how="left", maintain_order="left")
            .join(_listed(others, "mode", "possible"), on=KEY, how="left", maintain_order="left")
            .select(pl.when(pl.col("met").is_null()).then(unknown).otherwise(shown))
            .to_series()
        )

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return read_courses(("csdmard", *BTS_KINDS))

    def in_words(self) -> str:
        return (
            f"at least {self.at_least} distinct modes of action failed, at least {self.of_bts} of them of b/tsDMARDs "
            f"({self.counting_in_words()}; csDMARDs stopped for inefficacy after {self.csdmard_days.in_words()} days); false "
            "only where too few b/tsDMARDs can have failed"
        )


def dmard_outcomes(facts: Facts, dates: pl.DataFrame | None = None) -> pl.DataFrame:
    """Returns the csDMARD and b/tsDMARD courses as they had ended at `dates` (patient_id, evaluation_date; None: on every
    day that changes it), as `outcome_at` gives them, with `mode` (mechanism of a b/tsDMARD, moa_class of a csDMARD) and
    `added_on`: a b/tsDMARD was added by then to a csDMARD that went on. Such a csDMARD is presumed_failed, unless its own
    failure is recorded. Source: clinical reference 5, rule 15.
    """
    assert facts.courses is not None, "ask for courses only where the extract has treatments"
    csdmards = facts.courses.filter(pl.col("kind") == "csdmard")
    courses = pl.concat([facts.bts_courses, csdmards])
    added = bts_added(csdmards, facts.bts_courses).select(*COURSE, "bts_start")
    if dates is None:
        changes = [
            courses.select("patient_id", evaluation_date=pl.col(name))
            for name in ("start_date", "course_stop_date")
        ]
        dates = pl.concat(changes).drop_nulls().unique(maintain_order=True)
    added_on = (pl.col("bts_start") <= pl.col("evaluation_date")).fill_null(False)
    presumed = added_on & ~pl.col("outcome").is_in(RECORDED)
    return (
        outcome_at(courses, dates, facts.rules)
        .join(added, on=COURSE, how="left", maintain_order="left")
        .join(dmards().select("molecule", "moa_class"), on="molecule", how="left", maintain_order="left")
        .with_columns(
            mode=pl.coalesce("mechanism", "moa_class"),
            added_on=added_on,
            outcome=pl.when(presumed).then(pl.lit("presumed_failed")).otherwise("outcome"),
        )
        .drop("bts_start", "moa_class")
    )


def bts_added(csdmards: pl.DataFrame, bts_courses: pl.DataFrame) -> pl.DataFrame:
    """Returns the csDMARD courses with bts_start: the first day after their start on which a b/tsDMARD was begun while they
    went on (null: none)."""
    key = patient_and_day(pl.col("start_date"))
    starts = bts_courses.select(key=key, added_to="patient_id", bts_start="start_date").sort("key")
    following = (
        csdmards.with_columns(key=key)
        .sort("key", maintain_order=True)
        .join_asof(starts, on="key", strategy="forward", allow_exact_matches=False, check_sortedness=False)
    )
    goes_on = pl.col("course_stop_date").is_null() | (pl.col("bts_start") < pl.col("course_stop_date"))
    own = pl.col("added_to") == pl.col("patient_id")
    return following.with_columns(bts_start=pl.when(own & goes_on).then("bts_start")).drop("key", "added_to")


def _listed(courses: pl.DataFrame, by: str, name: str) -> pl.DataFrame:
    """One row per patient and date: `tnf (adalimumab, stopped 2017-01-01, inefficacy), …`, in order of stopping."""
    stopped = pl.coalesce(text("stopped ", day("stop_date")), pl.lit("not stopped"))
    told = pl.coalesce(
        pl.when("added_on", pl.col("outcome") == "presumed_failed").then(pl.lit("a b/tsDMARD was added")),
        "stop_reason",
        "course_stop_reason",
        pl.lit("no reason recorded"),
    )
    short = pl.when(pl.col("outcome") == "too_short").then(pl.lit(" after too short an exposure"))
    ended = text(stopped, ", ", told, pl.coalesce(short, pl.lit("")))
    drug = ended if by == "molecule" else text(pl.col("molecule"), ", ", ended)
    in_order = courses.sort(*KEY, "stop_date", "molecule", "start_date", nulls_last=True)
    return (
        in_order.group_by(*KEY, by, maintain_order=True)
        .agg(drugs=drug.str.join("; "))
        .group_by(KEY, maintain_order=True)
        .agg(text(pl.col(by), " (", pl.col("drugs"), ")").str.join(", ").alias(name))
    )
