"""Criteria on failed drugs beside `failed_mechanisms`: distinct drugs or courses, and every mechanism available at the date."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import polars as pl

from d2tra.definitions.course_dates import CountsFailures, date_failures, judge_failures
from d2tra.definitions.drug_criteria import NO_TREATMENTS, failure_in_words, possibility_in_words
from d2tra.definitions.facts import FAR_FUTURE, KEY, Choices, Facts, latest, of_patient
from d2tra.definitions.judging import UNKNOWN
from d2tra.definitions.leaf import Leaf, text
from d2tra.definitions.reads import Read, read_courses
from d2tra.treatment.courses import outcome_at
from d2tra.treatment.sequence import mechanism_availability

NOBODY = "availability.csv lists no mechanism for the disease; dates there would settle it"


class FailedDrugs(CountsFailures, Leaf):
    """Enough distinct b/tsDMARDs (or courses of them) failed, whatever their mechanisms; unknown if the possibly failed
    ones would be enough."""

    at_least: int
    count: Literal["drugs", "courses"]

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        if facts.courses is None:
            return dates.with_columns(met=UNKNOWN)
        distinct = "molecule" if self.count == "drugs" else None
        return judge_failures(dates, date_failures(facts.bts_courses, self), distinct, self.at_least)

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        if facts.courses is None:
            return judged.with_columns(reason=pl.lit(NO_TREATMENTS))["reason"]
        courses = outcome_at(facts.bts_courses, judged.select(KEY), facts.rules)
        failed = courses.filter(self.failed())
        course = [*KEY, "molecule"] + (["start_date"] if self.count == "courses" else [])
        others = courses.filter(self.possibly_failed()).join(failed, on=course, how="anti")
        shown = text(f"failed {self.count}: ", pl.coalesce("failed", pl.lit("none")))
        possible = text(
            shown, "; possibly also ", pl.col("possible"), "; its stop date and reason would settle it"
        )
        return (
            judged.join(
                _listed(failed, failure_in_words(), "failed"), on=KEY, how="left", maintain_order="left"
            )
            .join(
                _listed(others, possibility_in_words(), "possible"), on=KEY, how="left", maintain_order="left"
            )
            .select(pl.when(pl.col("met").is_null()).then(possible).otherwise(shown))
            .to_series()
        )

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return read_courses()

    def in_words(self) -> str:
        return f"at least {self.at_least} b/tsDMARD {self.count} failed, of whatever mechanism ({self.counting_in_words()})"


class FailedAllAvailable(CountsFailures, Leaf):
    """A b/tsDMARD of every mechanism failed that was available for the patient's disease at the date.

    Available: counted and licensed by then, by config/codelists/availability.csv. Unknown if the possibly failed ones
    would make it every one. Not met before the first one was available.
    """

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        if facts.courses is None:
            return dates.with_columns(met=UNKNOWN)
        listed = facts.patients.select(
            "patient_id", listed=pl.col("disease").is_in(_available()["disease"].implode())
        )
        judged = latest(dates, self._changes(facts), "changed_on")
        judged = of_patient(judged, listed)
        changed = pl.col("changed_on").is_not_null()
        return judged.with_columns(
            met=pl.when("listed").then(pl.when(changed).then("all_failed").otherwise(False))
        )

    def _changes(self, facts: Facts) -> pl.DataFrame:
        """patient_id, changed_on, all_failed: the verdict on the days that change it, of those in whom all possibly failed.

        Between two licences only failures change it, and each of these stays: a mechanism more makes it false again.
        """
        dated = date_failures(facts.bts_courses, self).filter(pl.col("possible_on").is_not_null())
        ends, possible, failed = [], [], []
        for (disease,), listed in _available().group_by("disease", maintain_order=True):
            patients = facts.patients.filter(pl.col("disease") == disease).select("patient_id")
            firsts = [
                pl.col(name).filter(pl.col("mechanism") == mechanism).min().alias(f"{name} {mechanism}")
                for name in ("failed_on", "possible_on")
                for mechanism in listed["mechanism"]
            ]
            wide = dated.join(patients, on="patient_id", how="semi").group_by("patient_id").agg(firsts)
            licences = listed["available_from"].unique().sort()
            for since, until in zip(licences, [*licences[1:], FAR_FUTURE], strict=True):
                known = listed.filter(pl.col("available_from") <= since)["mechanism"]
                all_failed, all_possible = (
                    _last(since, [f"{name} {mechanism}" for mechanism in known])
                    for name in ("failed_on", "possible_on")
                )
                rows = wide.select("patient_id", failed=all_failed, possible=all_possible).filter(
                    pl.col("possible") < until
                )
                ends.append(rows.select("patient_id", changed_on=pl.lit(until), all_failed=pl.lit(False)))
                possible.append(rows.select("patient_id", changed_on="possible", all_failed=UNKNOWN))
                failed.append(
                    rows.filter(pl.col("failed") < until).select(
                        "patient_id", changed_on="failed", all_failed=pl.lit(True)
                    )
                )
        return pl.concat([*ends, *possible, *failed])  # of one day the last one counts

    def _mechanisms(self, facts: Facts) -> pl.DataFrame:
        """patient_id, mechanism, failed_on, possible_on: the first of each mechanism."""
        dated = date_failures(facts.bts_courses, self)
        return dated.group_by("patient_id", "mechanism").agg(pl.col("failed_on", "possible_on").min())

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        if facts.courses is None:
            return judged.with_columns(reason=pl.lit(NO_TREATMENTS))["reason"]
        at_dates = judged.select(*KEY).join(facts.patients.select("patient_id", "disease"), on="patient_id")
        verdict = _known_by("evaluation_date")
        state = (
            pl.when(verdict.is_null())
            .then(pl.lit("possibly failed"))
            .when(verdict)
            .then(pl.lit("failed"))
            .otherwise(pl.lit("not failed"))
        )
        shown = (
            at_dates.join(_available(), on="disease")
            .filter(pl.col("available_from") <= pl.col("evaluation_date"))
            .join(self._mechanisms(facts), on=["patient_id", "mechanism"], how="left")
            .sort(*KEY, "available_from", "mechanism")
            .group_by(KEY, maintain_order=True)
            .agg(text(pl.col("mechanism"), " ", state).str.join(", ").alias("shown"))
        )
        available = text("available by then: ", pl.col("shown"))
        unknown = text(available, "; stop dates and reasons would settle it")
        found = pl.when(pl.col("met").is_null()).then(unknown).otherwise(available)
        nothing = (
            pl.when("listed").then(pl.lit("no mechanism was available by then")).otherwise(pl.lit(NOBODY))
        )
        return (
            judged.join(shown, on=KEY, how="left", maintain_order="left")
            .select(pl.coalesce(found, nothing))
            .to_series()
        )

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return (*read_courses(), Read("patients.disease"))

    def in_words(self) -> str:
        return (
            "a b/tsDMARD of every mechanism failed that availability.csv counts as available for the disease at the date "
            f"({self.counting_in_words()})"
        )


def _last(since: dt.date, days: list[str]) -> pl.Expr:
    """The latest of the days, or `since` where that is later; null where one of them is."""
    every = pl.all_horizontal(pl.col(name).is_not_null() for name in days)
    return pl.when(every).then(pl.max_horizontal(pl.lit(since), *days))


def _available() -> pl.DataFrame:
    return mechanism_availability().filter("counted").select("disease", "mechanism", "available_from")


def _known_by(date: str) -> pl.Expr:
    """Whether the mechanism had failed by the date; null where it only possibly had."""
    failed, possible = (
        (pl.col(name) <= pl.col(date)).fill_null(False) for name in ("failed_on", "possible_on")
    )
    return pl.when(failed).then(True).when(~possible).then(False)


def _listed(courses: pl.DataFrame, in_words: pl.Expr, name: str) -> pl.DataFrame:
    """One row per patient and date: the courses in words, in order of stopping."""
    in_order = courses.sort(*KEY, "course_stop_date", "molecule", "start_date", nulls_last=True)
    return in_order.group_by(KEY, maintain_order=True).agg(text("", in_words).str.join("; ").alias(name))
