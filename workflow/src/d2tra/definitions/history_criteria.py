"""Criteria on how long and how well: activity never low, the mean of several visits, how long the patient is known."""

from __future__ import annotations

import datetime as dt
from typing import Self

import polars as pl
from pydantic import Field, model_validator

from d2tra.codelists import BTS_KINDS
from d2tra.definitions.drug_criteria import NO_TREATMENTS
from d2tra.definitions.facts import (
    Choices,
    Facts,
    days_between,
    first_of_patient,
    latest_visit,
    of_patient,
    visit_before,
)
from d2tra.definitions.judging import UNKNOWN
from d2tra.definitions.leaf import Leaf, Threshold, day, days_before, number, text
from d2tra.definitions.reads import Read, read_visits
from d2tra.errors import nearest
from d2tra.extract.schemas import COLUMNS
from d2tra.scores.settings import load_score_settings

DMARD_KINDS = ("csdmard", *BTS_KINDS)
MEASURED_AS = {"crp_mg_l": "crp_mg_l_used", "esr_mm_h": "esr_mm_h_used", "haq_di": "haq_di_used"}


class NeverLow(Leaf):
    """A score in none of `bands` at any visit since the first DMARD was begun.

    One visit in such a band makes it false for good. Unknown until the scores known since then reach over so many days:
    what was not measured is not known to have been high.
    """

    score: str
    bands: tuple[str, ...]
    known_over_days: Threshold

    def looks_at(self) -> tuple[str, ...]:
        return (self.score, f"{self.score}_band")

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        if facts.courses is None:
            return dates.with_columns(met=UNKNOWN)
        begun = facts.courses.select("patient_id", "kind", "start_date")
        dmards = begun.filter(pl.col("kind").is_in(DMARD_KINDS))
        first = first_of_patient(dmards).drop("kind")
        since = of_patient(facts.dates.select("patient_id"), first)["start_date"]
        known = pl.col(self.score).is_not_null() & (pl.col("visit_date") >= since)
        low = known & pl.col(f"{self.score}_band").is_in(self.bands)
        firsts = facts.visits.select("patient_id", known_from="visit_date").filter(
            facts.visits.select(known).to_series()
        )
        judged = latest_visit(facts, latest_visit(facts, dates, known), low, day="low_on")
        judged = of_patient(judged, first_of_patient(firsts))
        known_over = days_between(pl.col("known_from"), pl.col("visit_date"))
        long_enough = self.known_over_days.holds_whole(known_over)
        return judged.with_columns(
            met=pl.when(pl.col("low_on").is_not_null()).then(False).when(long_enough).then(True)
        )

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        if facts.courses is None:
            return judged.with_columns(reason=pl.lit(NO_TREATMENTS))["reason"]
        bands = " or ".join(self.bands)
        low = text(f"{self.score} {bands} at the visit of ", day("low_on"))
        never = text(
            f"{self.score} never {bands} at the visits that have it, ",
            day("known_from"),
            " to ",
            day("visit_date"),
        )
        short = text(never, f"; {self.score} over {self.known_over_days.in_words()} days would settle it")
        found = pl.coalesce(low, pl.when("met").then(never).otherwise(short))
        missing = pl.lit(
            f"no {self.score} at any visit since the first DMARD; its components would settle it"
        )
        return judged.select(pl.coalesce(found, missing)).to_series()

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return read_visits([self.score])

    def in_words(self) -> str:
        return (
            f"{self.score} never {' or '.join(self.bands)} since the first DMARD was begun, known over "
            f"{self.known_over_days.in_words()} days (over fewer: unknown)"
        )


class MeanOfVisits(Leaf):
    """The mean of a value at the last so many visits that have it, all in [t − within_days, t]; unknown at fewer.

    `first_of`: at each visit the first that is known of these.
    """

    first_of: tuple[str, ...] = Field(min_length=1)
    visits: int = Field(ge=1)
    within_days: int
    mean: Threshold

    @model_validator(mode="after")
    def _names_values(self) -> Self:
        measured = [name for name, column in COLUMNS["visits"].items() if column.kind in ("int", "float")]
        known = [*load_score_settings().scores, *measured]
        for name in self.first_of:
            if name not in known:
                raise ValueError(f"{name!r} is no score and no measurement of a visit{nearest(name, known)}")
        return self

    def looks_at(self) -> list[str]:
        return [MEASURED_AS.get(name, name) for name in self.first_of]

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        value = facts.visits.select(pl.coalesce(self.looks_at())).to_series()
        rows = [visit_before(facts, dates, value.is_not_null(), nth) for nth in range(self.visits)]
        days = facts.visits["visit_date"]
        judged = dates.with_columns(
            mean_of=pl.sum_horizontal([value.gather(row) for row in rows], ignore_nulls=False) / self.visits,
            since=days.gather(rows[-1]),
            visit_date=days.gather(rows[0]),
        )
        all_in_window = days_between(pl.col("since"), pl.col("evaluation_date")) <= self.within_days
        return judged.with_columns(met=pl.when(all_in_window).then(self.mean.holds(pl.col("mean_of"))))

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:  # noqa: ARG002
        names = " or ".join(self.first_of)
        at_visits = (
            text(" at the visit of ", day("visit_date"))
            if self.visits == 1
            else text(f" over {self.visits} visits from ", day("since"), " to ", day("visit_date"))
        )
        found = text(f"{names} ", number("mean_of"), at_visits)
        few = "no visit" if self.visits == 1 else f"fewer than {self.visits} visits"
        start = day(days_before("evaluation_date", self.within_days))
        missing = text(f"{few} with {names} since ", start, "; more would settle it")
        known = pl.col("met").is_not_null()
        return judged.select(pl.when(known).then(found).otherwise(missing)).to_series()

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return read_visits(self.first_of, self.within_days)

    def in_words(self) -> str:
        which = (
            self.first_of[0] if len(self.first_of) == 1 else f"the first known of {', '.join(self.first_of)}"
        )
        value = f"{which} {self.mean.in_words()}"
        if self.visits == 1:
            return f"{value} at the latest visit within {self.within_days} days that has it"
        return f"{value} in the mean of the last {self.visits} visits that have it, all within {self.within_days} days"


class FollowUp(Leaf):
    """So many days since the patient's first visit."""

    days: Threshold

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        first = first_of_patient(facts.dates).select("patient_id", first_visit="evaluation_date")
        judged = of_patient(dates, first)
        return judged.with_columns(
            met=self.days.holds_whole(days_between(pl.col("first_visit"), pl.col("evaluation_date")))
        )

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:  # noqa: ARG002
        n_days = days_between(pl.col("first_visit"), pl.col("evaluation_date")).cast(pl.String)
        return judged.select(text(n_days, " days since the first visit on ", day("first_visit"))).to_series()

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return (Read("visits.visit_date"),)

    def in_words(self) -> str:
        return f"{self.days.in_words()} days since the patient's first visit"


class SinceDiagnosis(Leaf):
    """So many days since the diagnosis (an earlier one counts from `not_before`); unknown without its date."""

    days: Threshold
    not_before: dt.date | None = None

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        diagnosis = facts.patients.select("patient_id", counted_from=pl.col("diagnosis_date"))
        if self.not_before is not None:
            later = pl.when(pl.col("counted_from").is_not_null()).then(
                pl.max_horizontal("counted_from", pl.lit(self.not_before))
            )
            diagnosis = diagnosis.with_columns(counted_from=later)
        judged = of_patient(dates, diagnosis)
        n_days = days_between(pl.col("counted_from"), pl.col("evaluation_date"))
        return judged.with_columns(met=self.days.holds_whole(n_days))

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:  # noqa: ARG002
        n_days = days_between(pl.col("counted_from"), pl.col("evaluation_date")).cast(pl.String)
        found = text(n_days, " days since ", day("counted_from"))
        missing = pl.lit("no date of diagnosis; it would settle it")
        return judged.select(pl.coalesce(found, missing)).to_series()

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return (Read("patients.diagnosis_date"),)

    def in_words(self) -> str:
        floor = f" (or {self.not_before}, where that is later)" if self.not_before is not None else ""
        return f"{self.days.in_words()} days since the diagnosis{floor}"
