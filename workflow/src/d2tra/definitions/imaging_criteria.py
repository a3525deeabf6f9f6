"""Criteria that look at images: signs of inflammation (with the visit's joints and blood), radiographic progression."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from d2tra.config import Closed
from d2tra.definitions.facts import Choices, Facts, days_between, latest, latest_visit
from d2tra.definitions.leaf import Leaf, Threshold, day, days_before, joined, number, show_visit, text
from d2tra.definitions.reads import Read, read_imaging, read_visits

MODALITY = {
    "power_doppler_grade": "ultrasound",
    "osteitis": "mri",
    "synovitis": "mri",
    "sharp_van_der_heijde": "xray",
}


class JointsAndBlood(Closed):
    """Swollen joints together with a raised CRP or ESR (the visit's own, or borrowed from the laboratory)."""

    sjc28: Threshold
    crp_mg_l: Threshold
    esr_mm_h: Threshold

    def available(self) -> pl.Expr:
        blood = pl.col("crp_mg_l_used").is_not_null() | pl.col("esr_mm_h_used").is_not_null()
        return pl.col("sjc28").is_not_null() & blood

    def positive(self) -> pl.Expr:
        """Of an available visit; a marker not known beside one that is known does not make it unknown."""
        crp, esr = self.crp_mg_l.holds(pl.col("crp_mg_l_used")), self.esr_mm_h.holds(pl.col("esr_mm_h_used"))
        return self.sjc28.holds(pl.col("sjc28")) & (crp.fill_null(False) | esr.fill_null(False))

    def in_words(self) -> str:
        return (
            f"sjc28 {self.sjc28.in_words()} with CRP {self.crp_mg_l.in_words()} mg/L or ESR {self.esr_mm_h.in_words()} "
            "mm/h at the latest such visit"
        )


class Signs(Leaf):
    """Objective signs: joints and blood of the latest visit that has them, or findings of the latest imaging day."""

    within_days: int
    visit: JointsAndBlood
    imaging: dict[str, Threshold]  # measure → positive from

    def looks_at(self) -> tuple[str, ...]:
        return ("sjc28", "crp_mg_l_used", "esr_mm_h_used")

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        judged = latest_visit(
            facts, dates, self.visit.available(), self.within_days, visit_positive=self.verdict_at_visit()
        )
        judged = latest(judged, imaging_days(facts, self.imaging), "imaging_date", self.within_days)
        either = pl.any_horizontal(
            pl.col(part).fill_null(False) for part in ("visit_positive", "imaging_positive")
        )
        looked_at = pl.col("visit_positive").is_not_null() | pl.col("imaging_positive").is_not_null()
        return judged.with_columns(met=pl.when(looked_at).then(either))

    def verdict_at_visit(self) -> pl.Expr:
        """Whether a visit with joints and blood is positive."""
        return self.visit.positive()

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        at_visit = joined(
            [
                text("sjc28 ", number("sjc28")),
                text("CRP ", number("crp_mg_l_used"), " mg/L"),
                text("ESR ", number("esr_mm_h_used"), " mm/h"),
            ]
        )
        missing = text(
            "neither sjc28 with CRP or ESR nor an ultrasound or MRI finding between ",
            day(days_before("evaluation_date", self.within_days)),
            " and ",
            day("evaluation_date"),
            "; either would settle it",
        )
        visit = text(pl.col("shown"), " at the visit of ", day("visit_date"))
        image = text(pl.col("findings"), " on ", day("imaging_date"))
        found = joined([visit, image], "; ")
        return (
            show_visit(facts, judged, "visit_date", at_visit)
            .select(pl.when(pl.col("met").is_null()).then(missing).otherwise(found))
            .to_series()
        )

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        at_visit = read_visits(JointsAndBlood.model_fields, self.within_days)
        return (*at_visit, *read_imaging(self.imaging, self.within_days))

    def in_words(self) -> str:
        images = " or ".join(f"{measure} {limit.in_words()}" for measure, limit in self.imaging.items())
        return f"within {self.within_days} days: {self.visit.in_words()}, or {images} on the latest day with such a finding"


def imaging_days(facts: Facts, limits: Mapping[str, Threshold]) -> pl.DataFrame:
    """Returns one row per patient and day with a finding of one of the measures, sorted: imaging_positive (a finding
    keeps its limit), findings (in words)."""
    positive = pl.any_horizontal(
        (pl.col("measure") == measure) & limit.holds(pl.col("value")) for measure, limit in limits.items()
    )
    shown = text(pl.col("measure"), " ", number("value"))
    return (
        findings(facts, list(limits))
        .sort("patient_id", "imaging_date", "measure", "value")
        .group_by("patient_id", "imaging_date", maintain_order=True)
        .agg(imaging_positive=positive.any(), findings=shown.unique(maintain_order=True).str.join(", "))
    )


class Radiographic(Leaf):
    """A rise of the van der Heijde-modified Sharp score per year, over any pair of readings close enough in time."""

    within_days: int
    pair_up_to_days: int
    year_days: int
    rise_per_year: Threshold

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        pairs = self._pairs(facts)
        rising = pairs.filter(self.rise_per_year.holds(pl.col("rise"))).rename(
            lambda name: _called(name, "rising")
        )
        judged = latest(
            latest(dates, pairs, "later", self.within_days), rising, "rising_later", self.within_days
        )
        rises, exists = pl.col("rising_later").is_not_null(), pl.col("later").is_not_null()
        return judged.with_columns(met=pl.when(rises).then(True).when(exists).then(False))

    def _pairs(self, facts: Facts) -> pl.DataFrame:
        """patient_id, later, earlier, rise (points per year); of one later day the steepest pair stands last."""
        readings = findings(facts, ["sharp_van_der_heijde"]).select("patient_id", "imaging_date", "value")
        apart = days_between(pl.col("imaging_date"), pl.col("later"))
        rise = (
            (pl.col("later_value") - pl.col("value"))
            * self.year_days
            / pl.max_horizontal(apart, self.year_days)
        )
        return (
            readings.join(readings.rename({"imaging_date": "later", "value": "later_value"}), on="patient_id")
            .filter((apart > 0) & (apart <= self.pair_up_to_days))
            .select("patient_id", "later", earlier="imaging_date", rise=rise)
            .sort("patient_id", "later", "rise", "earlier")
        )

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:  # noqa: ARG002
        def shown(prefix: str) -> pl.Expr:
            return text(
                f"Sharp score {'rises' if prefix else 'changes'} by ",
                number(f"{prefix}rise"),
                " a year between ",
                day(f"{prefix}earlier"),
                " and ",
                day(f"{prefix}later"),
            )

        missing = text(
            f"no two Sharp readings up to {self.pair_up_to_days} days apart, the later one since ",
            day(days_before("evaluation_date", self.within_days)),
            "; a second reading would settle it",
        )
        return judged.select(pl.coalesce(shown("rising_"), shown(""), missing)).to_series()

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return read_imaging(["sharp_van_der_heijde"], self.within_days + self.pair_up_to_days)

    def in_words(self) -> str:
        return (
            f"van der Heijde-modified Sharp score rises by {self.rise_per_year.in_words()} points a year between two "
            f"readings up to {self.pair_up_to_days} days apart, the later one within {self.within_days} days"
        )


def findings(facts: Facts, measures: list[str]) -> pl.DataFrame:
    """Returns the imaging rows with a value of these measures, by the modality they belong to."""
    modality = pl.col("measure").replace_strict(MODALITY, default=None, return_dtype=pl.String)
    return facts.imaging.filter(
        pl.col("measure").is_in(measures) & (pl.col("modality") == modality) & pl.col("value").is_not_null()
    )


def _called(name: str, prefix: str) -> str:
    return name if name == "patient_id" else f"{prefix}_{name}"
