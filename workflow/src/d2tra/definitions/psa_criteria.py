"""Criteria of psoriatic arthritis: its domains, its targets, its signs of inflammation, and failures that csDMARDs share."""

from __future__ import annotations

from typing import Self

import polars as pl
from pydantic import Field, model_validator

from d2tra.codelists import concept_codes, diagnosis_concepts, dmards
from d2tra.definitions.drug_criteria import NO_TREATMENTS, UNKNOWN, CountsFailures
from d2tra.definitions.facts import KEY, Facts, days_between, latest
from d2tra.definitions.imaging_criteria import MODALITY, imaging_days
from d2tra.definitions.leaf import LatestVisit, Leaf, Threshold, day, days_before, joined, number, text
from d2tra.errors import StudyError, nearest
from d2tra.extract.schemas import COLUMNS
from d2tra.treatment.courses import outcome_at

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
        return pl.any_horizontal(pl.col(name).is_not_null() for name in self.any_of)

    def met_at_visit(self) -> pl.Expr:
        return pl.any_horizontal(
            limit.holds(pl.col(name)).fill_null(False) for name, limit in self.any_of.items()
        )

    def records(self) -> pl.Expr:
        return joined([text(f"{IN_WORDS.get(name, name)} ", number(name)) for name in self.any_of])

    def missing(self) -> str:
        names = " or ".join(IN_WORDS.get(name, name) for name in self.any_of)
        return f"not recorded: {names}; a value"

    def in_words(self) -> str:
        limits = " or ".join(
            f"{IN_WORDS.get(name, name)} {limit.in_words()}" for name, limit in self.any_of.items()
        )
        return f"{limits} at the latest visit within {self.within_days} days that has a value"


class TargetMissed(LatestVisit):
    """A yes-or-no target (minimal disease activity) known not to be reached."""

    target: str

    def available(self) -> pl.Expr:
        return pl.col(self.target).is_not_null()

    def met_at_visit(self) -> pl.Expr:
        return ~pl.col(self.target)

    def records(self) -> pl.Expr:
        reached = pl.when(pl.col(self.target)).then(pl.lit("reached")).otherwise(pl.lit("not reached"))
        return text(f"{self.target} ", reached)

    def missing(self) -> str:
        return f"{self.target} not known: enough of its items"

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
            .agg(recorded_date=pl.col("recorded_date").min(), undated=pl.col("recorded_date").null_count() > 0)
        )
        at_index = facts.index_dates.select("patient_id", index_date="evaluation_date")
        judged = dates.join(recorded, on="patient_id", how="left", maintain_order="left").join(
            at_index, on="patient_id", how="left", maintain_order="left"
        )
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

    def in_words(self) -> str:
        return f"a recorded diagnosis of {' or '.join(self.concepts)} (unknown where the site has no diagnoses)"


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
        return f"no recorded diagnosis of {' or '.join(self.concepts)}; one that is recorded leaves it unknown"


class FailedCsdmards(CountsFailures, Leaf):
    """Enough csDMARDs failed, or csDMARDs contraindicated; never false: early records are incomplete.

    A csDMARD that went on while a b/tsDMARD was added is presumed to have failed.
    """

    at_least: int

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        contraindicated = facts.patients.select(
            "patient_id", contraindicated=pl.col("csdmard_contraindicated").fill_null(False)
        )
        judged = dates.join(contraindicated, on="patient_id", how="left", maintain_order="left")
        if facts.courses is None:
            return judged.with_columns(met=pl.when("contraindicated").then(True))
        counts = self._outcomes(facts).group_by(KEY).agg(n=pl.col("molecule").filter(self.failed()).n_unique())
        judged = latest(judged, counts.rename({"evaluation_date": "changed_on"}), "changed_on")
        judged = judged.with_columns(pl.col("n").fill_null(0))
        return judged.with_columns(
            met=pl.when(pl.col("contraindicated") | (pl.col("n") >= self.at_least)).then(True)
        )

    def _outcomes(self, facts: Facts, dates: pl.DataFrame | None = None) -> pl.DataFrame:
        return dmard_outcomes(facts, dates).filter(pl.col("kind") == "csdmard")

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        contraindicated = pl.when("contraindicated").then(pl.lit("csDMARDs are contraindicated"))
        if facts.courses is None:
            return judged.select(pl.coalesce(contraindicated, pl.lit(NO_TREATMENTS))).to_series()
        failed = _listed(self._outcomes(facts, judged.select(KEY)).filter(self.failed()), "molecule", "failed")
        listed = judged.join(failed, on=KEY, how="left", maintain_order="left")
        recorded = pl.coalesce(text("failed: ", pl.col("failed")), pl.lit("no csDMARD recorded to have failed"))
        wanted = (
            "an earlier csDMARD failure" if self.at_least == 1 else f"{self.at_least} earlier csDMARD failures"
        )
        settles = text(recorded, f"; {wanted} or a recorded contraindication would settle it")
        found = pl.when("met").then(recorded).otherwise(settles)
        return listed.select(pl.coalesce(contraindicated, found)).to_series()

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
            & ~self.csdmard_days.holds(n_days)
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
    starts = facts.bts_courses.select("patient_id", bts_start="start_date")
    during = (pl.col("bts_start") > pl.col("start_date")) & (
        pl.col("course_stop_date").is_null() | (pl.col("bts_start") < pl.col("course_stop_date"))
    )
    course = ["patient_id", "molecule", "start_date"]
    added = csdmards.join(starts, on="patient_id").filter(during).group_by(course).agg(pl.col("bts_start").min())
    if dates is None:
        changes = [
            courses.select("patient_id", evaluation_date=pl.col(name))
            for name in ("start_date", "course_stop_date")
        ]
        dates = pl.concat(changes).drop_nulls().unique(maintain_order=True)
    added_on = (pl.col("bts_start") <= pl.col("evaluation_date")).fill_null(False)
    presumed = added_on & ~pl.col("outcome").is_in(["failed_inefficacy", "failed_intolerance"])
    return (
        outcome_at(courses, dates)
        .join(added, on=course, how="left", maintain_order="left")
        .join(dmards().select("molecule", "moa_class"), on="molecule", how="left", maintain_order="left")
        .with_columns(
            mode=pl.coalesce("mechanism", "moa_class"),
            added_on=added_on,
            outcome=pl.when(presumed).then(pl.lit("presumed_failed")).otherwise("outcome"),
        )
        .drop("bts_start", "moa_class")
    )


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
