"""Criteria that psoriatic arthritis asks for: domains, targets, signs of inflammation, and other conditions."""

from __future__ import annotations

from typing import Self

import polars as pl
from pydantic import Field, model_validator

from d2tra.codelists import concept_codes, diagnosis_concepts
from d2tra.definitions.facts import KEY, Choices, Facts, latest, of_patient
from d2tra.definitions.history_criteria import MEASURED_AS
from d2tra.definitions.imaging_criteria import MODALITY, imaging_days
from d2tra.definitions.judging import UNKNOWN
from d2tra.definitions.leaf import LatestVisit, Leaf, Threshold, day, days_before, joined, number, text
from d2tra.definitions.reads import Read, read_courses, read_imaging, read_visits
from d2tra.errors import StudyError, nearest
from d2tra.extract.schemas import COLUMNS
from d2tra.scores.settings import load_score_settings

MEASURES = [name for name, column in COLUMNS["visits"].items() if column.kind in ("int", "float")]
IN_WORDS = {
    "skin_bsa_percent": "skin area (%)",
    "pasi": "PASI",
    "enthesitis_count": "tender entheses",
    "lei_count": "Leeds enthesitis index",
    "tender_dactylitis": "dactylitic digits",
    "pain_mm": "pain (mm)",
}


class Measured(LatestVisit):
    """Any of the measurements beyond its limit; one not recorded beside another does not make it unknown."""

    any_of: dict[str, Threshold] = Field(min_length=1)  # column of visits → limit

    @model_validator(mode="after")
    def _names_measurements(self) -> Self:
        for name in self.any_of:
            if name not in MEASURES:
                raise ValueError(f"{name!r} is no measurement of a visit{nearest(name, MEASURES)}")
        return self

    def available(self) -> pl.Expr:
        return pl.any_horizontal(_used(name).is_not_null() for name in self.any_of)

    def met_at_visit(self) -> pl.Expr:
        return pl.any_horizontal(
            limit.holds(_used(name)).fill_null(False) for name, limit in self.any_of.items()
        )

    def records(self) -> pl.Expr:
        return joined([text(f"{IN_WORDS.get(name, name)} ", number(_used(name))) for name in self.any_of])

    def missing(self) -> str:
        names = " or ".join(IN_WORDS.get(name, name) for name in self.any_of)
        return f"not recorded: {names}; a value"

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return read_visits(self.any_of, self.within_days)

    def in_words(self) -> str:
        limits = " or ".join(
            f"{IN_WORDS.get(name, name)} {limit.in_words()}" for name, limit in self.any_of.items()
        )
        return f"{limits} at the latest visit within {self.within_days} days that has a value"


class TargetMissed(LatestVisit):
    """A yes-or-no target (minimal disease activity) known not to be reached."""

    target: str

    @model_validator(mode="after")
    def _names_a_target(self) -> Self:
        targets = [name for name, score in load_score_settings().scores.items() if score.items]
        if self.target not in targets:
            raise ValueError(
                f"{self.target!r} is no yes-or-no score{nearest(self.target, targets)}; known: {', '.join(targets)}"
            )
        return self

    def available(self) -> pl.Expr:
        return pl.col(self.target).is_not_null()

    def met_at_visit(self) -> pl.Expr:
        return ~pl.col(self.target)

    def records(self) -> pl.Expr:
        reached = pl.when(pl.col(self.target)).then(pl.lit("reached")).otherwise(pl.lit("not reached"))
        return text(f"{self.target} ", reached)

    def missing(self) -> str:
        return f"{self.target} not known: enough of its items"

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return read_visits([self.target], self.within_days)

    def in_words(self) -> str:
        return f"{self.target} not reached at the latest visit within {self.within_days} days where that is known"


class SwollenJoints(LatestVisit):
    """A swollen joint (of 66, or of 28 where that is enough) together with a raised CRP or ESR.

    No swollen joint among 28 does not tell of the feet, so only 66 joints can show that there is none. Normal blood is
    no evidence while a drug that suppresses the acute phase is taken: then a swollen joint leaves it unknown.
    """

    joints: Threshold
    crp_mg_l: Threshold
    esr_mm_h: Threshold

    def _swollen(self) -> pl.Expr:
        of_66, of_28 = self.joints.holds(pl.col("sjc66")), self.joints.holds(pl.col("sjc28"))
        return pl.when(of_28.fill_null(False)).then(True).otherwise(of_66)

    def _raised(self) -> pl.Expr:
        crp, esr = self.crp_mg_l.holds(pl.col("crp_mg_l_used")), self.esr_mm_h.holds(pl.col("esr_mm_h_used"))
        return crp.fill_null(False) | esr.fill_null(False)

    def available(self) -> pl.Expr:
        blood = pl.col("crp_mg_l_used").is_not_null() | pl.col("esr_mm_h_used").is_not_null()
        return self._swollen().is_not_null() & blood

    def met_at_visit(self) -> pl.Expr:
        masked = self._swollen() & ~self._raised() & pl.col("acute_phase_suppressed").fill_null(True)
        return pl.when(~masked).then(self._swollen() & self._raised())

    def records(self) -> pl.Expr:
        shown = joined(
            [
                text("sjc66 ", number("sjc66")),
                text("sjc28 ", number("sjc28")),
                text("CRP ", number("crp_mg_l_used"), " mg/L"),
                text("ESR ", number("esr_mm_h_used"), " mm/h"),
            ]
        )
        masked = text(shown, "; a drug may suppress the acute phase; imaging would settle it")
        return pl.when(self.met_at_visit().is_null()).then(masked).otherwise(shown)

    def missing(self) -> str:
        return "no swollen joint count with CRP or ESR: both"

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        at_visit = read_visits(["sjc66", "sjc28", "crp_mg_l", "esr_mm_h"], self.within_days)
        return (*at_visit, *read_courses())  # a drug that suppresses the acute phase

    def in_words(self) -> str:
        return (
            f"swollen joints (of 66 or 28) {self.joints.in_words()} with CRP {self.crp_mg_l.in_words()} mg/L or ESR "
            f"{self.esr_mm_h.in_words()} mm/h at the latest visit within {self.within_days} days that has both (normal blood "
            "beside a swollen joint is unknown while a drug suppresses the acute phase)"
        )


class ImagingSigns(Leaf):
    """A positive finding on the latest day within the window with a finding of one of the measures."""

    within_days: int
    any_of: dict[str, Threshold] = Field(min_length=1)  # measure → positive from

    @model_validator(mode="after")
    def _names_measures(self) -> Self:
        for name in self.any_of:
            if name not in MODALITY:
                raise ValueError(f"{name!r} is no measure of an image{nearest(name, MODALITY)}")
        return self

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        judged = latest(dates, imaging_days(facts, self.any_of), "imaging_date", self.within_days)
        return judged.with_columns(met="imaging_positive")

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:  # noqa: ARG002
        start = day(days_before("evaluation_date", self.within_days))
        missing = text(
            f"no {', '.join(self.any_of)} between ", start, " and ", day("evaluation_date"), "; one would settle it"
        )  # fmt: skip
        found = text(pl.col("findings"), " on ", day("imaging_date"))
        return judged.select(pl.coalesce(found, missing)).to_series()

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return read_imaging(self.any_of, self.within_days)

    def in_words(self) -> str:
        images = " or ".join(f"{measure} {limit.in_words()}" for measure, limit in self.any_of.items())
        return f"{images} on the latest day within {self.within_days} days with such a finding"


class Diagnosed(Leaf):
    """A code of one of the concepts recorded by the date; none is no where the site has diagnoses, else unknown.

    A code without a date counts at the patient's last visit; before, it leaves the criterion unknown.
    """

    concepts: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_concepts(self) -> Self:
        try:
            for concept in self.concepts:
                concept_codes(concept)
        except StudyError as problem:
            raise ValueError(str(problem)) from None
        return self

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        if facts.diagnoses is None:
            return dates.with_columns(met=UNKNOWN)
        recorded = (
            diagnosis_concepts(facts.diagnoses)
            .filter(pl.col("concept").is_in(self.concepts))
            .group_by("patient_id")
            .agg(
                recorded_date=pl.col("recorded_date").min(), undated=pl.col("recorded_date").null_count() > 0
            )
        )
        at_index = facts.index_dates.select("patient_id", index_date="evaluation_date")
        judged = of_patient(of_patient(dates, recorded), at_index)
        by_then = (pl.col("recorded_date") <= pl.col("evaluation_date")).fill_null(False)
        undated = pl.col("undated").fill_null(False)
        at_last_visit = pl.when(pl.col("evaluation_date") == pl.col("index_date")).then(True)
        met = pl.when(by_then).then(True).when(undated).then(at_last_visit).otherwise(pl.lit(False))
        return judged.select(*KEY, met=met)

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        missing = f"the extract has no diagnoses; those of {', '.join(self.concepts)} would settle it"
        if facts.diagnoses is None:
            return judged.with_columns(reason=pl.lit(missing))["reason"]
        shown = text(pl.col("concept"), " (", pl.coalesce(day("recorded_date"), pl.lit("no date")), ")")
        listed = (
            diagnosis_concepts(facts.diagnoses)
            .filter(pl.col("concept").is_in(self.concepts))
            .join(judged.select(KEY), on="patient_id")
            .filter((pl.col("recorded_date") <= pl.col("evaluation_date")).fill_null(True))
            .sort(*KEY, "recorded_date", "concept", nulls_last=True)
            .unique([*KEY, "concept"], keep="first", maintain_order=True)
            .group_by(KEY, maintain_order=True)
            .agg(listed=text("recorded: ", shown.str.join(", ")))
        )
        none = f"none recorded of {', '.join(self.concepts)}"
        reasons = judged.join(listed, on=KEY, how="left", maintain_order="left")
        return reasons.select(pl.col("listed").fill_null(none)).to_series()

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return tuple(Read(f"diagnoses.{concept}") for concept in self.concepts)

    def in_words(self) -> str:
        return (
            f"a recorded diagnosis of {' or '.join(self.concepts)} (unknown where the site has no diagnoses)"
        )


class FreeOf(Diagnosed):
    """None of the concepts recorded; one that is recorded leaves it unknown, since a code does not tell what it explains."""

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        judged = super().judge(facts, dates)
        return judged.with_columns(met=pl.when(~pl.col("met")).then(True))

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        reasons = super().explain(facts, judged)
        settles = "; a review of the patient would tell whether that explains it better"
        coexists = judged["met"].is_null() & reasons.str.starts_with("recorded")
        return (reasons + settles).zip_with(coexists, reasons)

    def in_words(self) -> str:
        return (
            f"no recorded diagnosis of {' or '.join(self.concepts)}; one that is recorded leaves it unknown"
        )


def _used(name: str) -> pl.Expr:
    """The value as the scores use it: HAQ-DI from its categories, ESR and CRP from the laboratory, where it is empty."""
    return pl.col(MEASURED_AS.get(name, name))
