"""Criteria on what was given and since when: drugs, mechanisms and courses begun, a new drug, adherence."""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import Field

from d2tra.codelists import BTS_KINDS
from d2tra.definitions.course_dates import nth_date
from d2tra.definitions.drug_criteria import NO_TREATMENTS
from d2tra.definitions.facts import KEY, Choices, Facts, days_between, latest, of_patient
from d2tra.definitions.judging import UNKNOWN
from d2tra.definitions.leaf import Leaf, Threshold, day, days_before, text
from d2tra.definitions.reads import Read, read_courses, read_starts
from d2tra.treatment.drug_names import recognised

Dmard = Literal["csdmard", "bdmard", "tsdmard"]
DISTINCT = {"drugs": "molecule", "mechanisms": "mechanism", "courses": None}
GROUPS = {
    ("csdmard", "bdmard", "tsdmard"): "DMARD",
    ("bdmard", "tsdmard"): "b/tsDMARD",
    ("bdmard",): "bDMARD",
    ("tsdmard",): "tsDMARD",
    ("csdmard",): "csDMARD",
}


class Exposure(Leaf):
    """So many distinct drugs, mechanisms or courses begun, whatever became of them; where `days_since` is stated, the
    last one needed that long ago. Never unknown where the extract has treatments."""

    count: Literal["drugs", "mechanisms", "courses"]
    kinds: tuple[Dmard, ...] = Field(min_length=1)
    at_least: int = Field(ge=1)
    days_since: Threshold | None = None

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        if facts.courses is None:
            return dates.with_columns(met=UNKNOWN)
        columns = ["patient_id", "kind", "start_date", "molecule", "mechanism"]
        courses = facts.courses.select(columns).filter(pl.col("kind").is_in(self.kinds))
        enough = nth_date(courses, DISTINCT[self.count], "start_date", self.at_least, "enough_on")
        judged = of_patient(dates, enough)
        met = pl.col("enough_on") <= pl.col("evaluation_date")
        if self.days_since is not None:
            met &= self.days_since.holds_whole(days_between(pl.col("enough_on"), pl.col("evaluation_date")))
        return judged.with_columns(met=met.fill_null(False))

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        if facts.courses is None:
            return judged.with_columns(reason=pl.lit(NO_TREATMENTS))["reason"]
        drug = "mechanism" if self.count == "mechanisms" else "molecule"
        begun = facts.courses.filter(pl.col("kind").is_in(self.kinds))
        begun = begun.sort("patient_id", "start_date", "molecule")
        if (distinct := DISTINCT[self.count]) is not None:
            begun = begun.unique(["patient_id", distinct], keep="first", maintain_order=True)
        named = (
            begun.join(judged.select(KEY), on="patient_id", maintain_order="left")
            .filter(pl.col("start_date") <= pl.col("evaluation_date"))
            .group_by(KEY, maintain_order=True)
            .agg(
                n=pl.len().cast(pl.String),
                named=text(pl.col(drug), " (", day("start_date"), ")").str.join(", "),
            )
        )
        counted = text(pl.col("n"), f" {self._what()} begun: ", pl.col("named"))
        return (
            judged.join(named, on=KEY, how="left", maintain_order="left")
            .select(pl.coalesce(counted, pl.lit(f"no {self._what()} begun")))
            .to_series()
        )

    def _what(self) -> str:
        drugs = f"{GROUPS.get(self.kinds, '/'.join(self.kinds))}s"
        return drugs if self.count == "drugs" else f"{self.count} of {drugs}"

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        since = read_starts(self.kinds) if self.days_since is not None else ()
        return (*read_courses(self.kinds), *since)

    def in_words(self) -> str:
        since = (
            f", the last of these {self.days_since.in_words()} days ago"
            if self.days_since is not None
            else ""
        )
        return f"at least {self.at_least} distinct {self._what()} begun{since}"


class NewBts(Leaf):
    """A b/tsDMARD begun in [t − within_days, t] that the patient never had before."""

    within_days: int

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        if facts.courses is None:
            return dates.with_columns(met=UNKNOWN)
        firsts = (
            facts.bts_courses.sort("patient_id", "start_date", "molecule")
            .unique(["patient_id", "molecule"], keep="first", maintain_order=True)
            .select("patient_id", begun_on="start_date", begun="molecule")
        )
        judged = latest(dates, firsts, "begun_on", self.within_days)
        return judged.with_columns(met=pl.col("begun_on").is_not_null())

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        if facts.courses is None:
            return judged.with_columns(reason=pl.lit(NO_TREATMENTS))["reason"]
        begun = text(pl.col("begun"), " begun on ", day("begun_on"))
        nothing = text("no new b/tsDMARD since ", day(days_before("evaluation_date", self.within_days)))
        return judged.select(pl.coalesce(begun, nothing)).to_series()

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return (*read_courses(), *read_starts(BTS_KINDS, self.within_days))

    def in_words(self) -> str:
        return f"a b/tsDMARD never given before, begun within {self.within_days} days"


class Adherence(Leaf):
    """The last b/tsDMARD record that tells, begun by the date, says adherent; unknown where none tells."""

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        if facts.treatments is None:
            return dates.with_columns(met=UNKNOWN)
        told = (
            recognised(facts.treatments.filter(pl.col("adherence").is_in(["adherent", "non_adherent"])))
            .filter(pl.col("kind").is_in(BTS_KINDS))
            .select(
                "patient_id", told_of="start_date", drug="molecule", met=pl.col("adherence") == "adherent"
            )
            # of rows that begin on one day, one without adherence decides
            .sort("patient_id", "told_of", "met", "drug", descending=[False, False, True, False])
        )
        return latest(dates, told, "told_of")

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        if facts.treatments is None:
            return judged.with_columns(reason=pl.lit(NO_TREATMENTS))["reason"]
        told = pl.when("met").then(pl.lit("adherent")).otherwise(pl.lit("not adherent"))
        found = text(told, " to ", pl.col("drug"), " (begun ", day("told_of"), ")")
        missing = pl.lit("no b/tsDMARD record tells of adherence; one would settle it")
        return judged.select(
            pl.coalesce(pl.when(pl.col("met").is_not_null()).then(found), missing)
        ).to_series()

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return (Read("treatments.adherence"),)

    def in_words(self) -> str:
        return "adherent, by the last b/tsDMARD record that tells of adherence"
