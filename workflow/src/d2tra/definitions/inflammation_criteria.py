"""Criteria on whether inflammation is behind it: objective signs, synovitis in a swollen joint, activity that is felt only."""

from __future__ import annotations

import polars as pl

from d2tra.definitions.facts import Choices, Facts, latest, latest_visit
from d2tra.definitions.imaging_criteria import Signs, findings
from d2tra.definitions.leaf import (
    LatestVisit,
    Leaf,
    Threshold,
    day,
    days_before,
    joined,
    number,
    show_visit,
    text,
)
from d2tra.definitions.reads import Read, read_courses, read_imaging, read_visits

PROJECT_READING = "-like (project reading)"


class ObjectiveInflammation(Signs):
    """As `signs`, but normal blood beside a swollen joint is unknown while a drug suppresses the acute phase."""

    def verdict_at_visit(self) -> pl.Expr:
        positive, swollen = self.visit.positive(), self.visit.sjc28.holds(pl.col("sjc28"))
        masked = swollen & ~positive & pl.col("acute_phase_suppressed").fill_null(True)
        return pl.when(~masked).then(positive)

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        masked = judged.select(
            text(
                "a swollen joint with normal CRP and ESR at the visit of ",
                day("visit_date"),
                ", while a drug that suppresses the acute phase is taken; ultrasound or MRI would settle it",
            )
        ).to_series()
        is_masked = judged["met"].is_null() & judged["visit_date"].is_not_null()
        return masked.zip_with(is_masked, super().explain(facts, judged))

    def reads(self, choices: Choices) -> tuple[Read, ...]:
        return (*super().reads(choices), *read_courses())  # a drug that suppresses the acute phase

    def in_words(self) -> str:
        return f"{super().in_words()} (normal blood beside a swollen joint is unknown while a drug suppresses the acute phase)"


class SynovitisInSwollenJoint(Leaf):
    """Power Doppler in a patient with a swollen joint; without ultrasound, swollen joints and CRP stand in.

    The extract does not tell which joints are swollen. The findings of the latest ultrasound day are taken together with
    the swollen joint count of the latest visit that has one. The reason says PIRRA or NIRRA only where the deciding
    findings name their joint, else PIRRA-like or NIRRA-like.
    """

    within_days: int
    power_doppler_grade: Threshold
    sjc28: Threshold
    crp_mg_l: Threshold  # raised; only used without ultrasound

    def looks_at(self) -> tuple[str, ...]:
        return ("sjc28", "crp_mg_l_used")

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        judged = latest_visit(
            facts,
            dates,
            pl.col("sjc28").is_not_null(),
            self.within_days,
            swollen=self.sjc28.holds(pl.col("sjc28")),
            raised=self.crp_mg_l.holds(pl.col("crp_mg_l_used")),
            suppressed=pl.col("acute_phase_suppressed").fill_null(True),
        )
        judged = latest(judged, self._ultrasound_days(facts), "imaging_date", self.within_days)
        by_ultrasound = (
            pl.when(~pl.col("doppler"))
            .then(False)
            .otherwise(pl.col("swollen"))  # none of it, or where swollen
        )
        neither = ~pl.col("swollen") & ~pl.col("raised") & ~pl.col("suppressed")
        instead = pl.when(pl.col("swollen") & pl.col("raised")).then(True).when(neither).then(False)
        return judged.with_columns(
            met=pl.when(pl.col("imaging_date").is_not_null()).then(by_ultrasound).otherwise(instead)
        )

    def _ultrasound_days(self, facts: Facts) -> pl.DataFrame:
        """patient_id, imaging_date, doppler (a finding is positive), named (the deciding ones name their joint), findings."""
        positive = self.power_doppler_grade.holds(pl.col("value"))
        has_joint = pl.col("joint").is_not_null()
        shown = text(number("value"), pl.coalesce(text(" (", pl.col("joint"), ")"), pl.lit("")))
        return (
            findings(facts, ["power_doppler_grade"])
            .sort("patient_id", "imaging_date", "value", "joint", descending=[False, False, True, False])
            .group_by("patient_id", "imaging_date", maintain_order=True)
            .agg(
                doppler=positive.any(),
                named=pl.when(positive.any()).then((positive & has_joint).any()).otherwise(has_joint.all()),
                findings=text("power Doppler grade ", shown.unique(maintain_order=True).str.join(", ")),
            )
        )

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        at_visit = joined([text("sjc28 ", number("sjc28")), text("CRP ", number("crp_mg_l_used"), " mg/L")])
        scanned = pl.col("imaging_date").is_not_null()
        kind = pl.when("met").then(pl.lit("PIRRA")).otherwise(pl.lit("NIRRA"))
        like = pl.when(scanned & pl.col("named")).then(pl.lit("")).otherwise(pl.lit(PROJECT_READING))
        ultrasound = pl.coalesce(
            text(pl.col("findings"), " on ", day("imaging_date")),
            text("no ultrasound since ", day(days_before("evaluation_date", self.within_days))),
        )
        visit = pl.coalesce(text(pl.col("shown"), " at the visit of ", day("visit_date")), pl.lit("no sjc28"))
        records = text(ultrasound, "; ", visit)
        settles = pl.when(scanned).then(pl.lit("a swollen joint count")).otherwise(pl.lit("an ultrasound"))
        return (
            show_visit(facts, judged, "visit_date", at_visit)
            .select(
                pl.when(pl.col("met").is_null())
                .then(text(records, "; ", settles, " would settle it"))
                .otherwise(text(kind, like, ": ", records))
            )
            .to_series()
        )

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        at_visit = read_visits(["sjc28", "crp_mg_l"], self.within_days)
        return (*at_visit, *read_imaging(["power_doppler_grade"], self.within_days), *read_courses())

    def in_words(self) -> str:
        return (
            f"within {self.within_days} days: power Doppler grade {self.power_doppler_grade.in_words()} on the latest day of "
            f"ultrasound and sjc28 {self.sjc28.in_words()} at the latest visit; without ultrasound sjc28 "
            f"{self.sjc28.in_words()} and CRP {self.crp_mg_l.in_words()} mg/L at that visit, false only where neither holds "
            "and no drug suppresses the acute phase (findings without joint and this stand-in: project reading)"
        )


class SubjectiveOnly(LatestVisit):
    """Active by DAS28 with no swollen joint and normal CRP, at the latest visit where that is known (config/scores.yaml)."""

    def available(self) -> pl.Expr:
        return pl.col("subjective_only").is_not_null()

    def met_at_visit(self) -> pl.Expr:
        return pl.col("subjective_only")

    def records(self) -> pl.Expr:
        return joined([text(f"{name} ", number(name)) for name in ("das28_esr", "das28_crp", "sjc28")])

    def missing(self) -> str:
        return "no DAS28 with sjc28 and CRP"

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return read_visits(["subjective_only"], self.within_days)

    def in_words(self) -> str:
        return f"DAS28 active, yet no swollen joint and normal CRP, at the latest visit within {self.within_days} days"
