"""Criteria on what was assessed at a visit: activity, severity, quality of life, how problematic it is felt to be."""

from __future__ import annotations

from typing import Literal

import polars as pl

from d2tra.definitions.facts import Choices, Facts, latest_visit
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
    yes_no,
)
from d2tra.definitions.reads import Read, read_courses, read_visits

NAMES = {
    "haq_di": "HAQ-DI",
    "pain_mm": "pain (mm)",
    "fatigue_mm": "fatigue (mm)",
    "patient_global_mm": "patient global (mm)",
    "physician_global_mm": "physician global (mm)",
}
MEASURED_AS = {"haq_di": "haq_di_used"}  # the HAQ-DI as given, else from its categories


class LatestScore(LatestVisit):
    """A criterion on the latest visit that has any of the scores."""

    scores: tuple[str, ...]
    bands: tuple[str, ...]

    def available(self) -> pl.Expr:
        return pl.any_horizontal(pl.col(score).is_not_null() for score in self.scores)

    def missing(self) -> str:
        return f"no {', '.join(self.scores)} available: the components of one of them"


class Activity(LatestScore):
    """A composite score in one of `bands`. While a drug that suppresses the acute phase is taken, low scores show
    control only if one of `free_of_acute_phase` is among them; else the verdict is unknown."""

    free_of_acute_phase: tuple[str, ...]

    def met_at_visit(self) -> pl.Expr:
        active = pl.any_horizontal(
            pl.col(f"{score}_band").is_in(self.bands).fill_null(False) for score in self.scores
        )
        seen_through = pl.any_horizontal(
            pl.lit(False), *(pl.col(score).is_not_null() for score in self.free_of_acute_phase)
        )
        controlled = ~pl.col("acute_phase_suppressed") | seen_through
        return pl.when(active).then(True).when(controlled).then(False)

    def records(self) -> pl.Expr:
        shown = joined([text(f"{s} ", number(s), " (", pl.col(f"{s}_band"), ")") for s in self.scores])
        masked = text(
            shown,
            pl.when(pl.col("acute_phase_suppressed").is_null())
            .then(pl.lit("; no treatments to tell whether a drug suppresses the acute phase"))
            .otherwise(pl.lit("; a drug that suppresses the acute phase is taken")),
            f"; {' or '.join(self.free_of_acute_phase) or 'another score'} would settle it",
        )
        return pl.when(self.met_at_visit().is_null()).then(masked).otherwise(shown)

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        suppressing = read_courses()  # drugs that suppress the acute phase
        return (*read_visits(self.scores, self.within_days), *suppressing)

    def in_words(self) -> str:
        seen_through = " or ".join(self.free_of_acute_phase)
        return (
            f"any of {', '.join(self.scores)} {' or '.join(self.bands)} at the latest visit within {self.within_days} days "
            f"that has one of them (low scores{f' without {seen_through}' if seen_through else ''} are unknown while a drug "
            "suppresses the acute phase)"
        )


class Severity(LatestScore):
    """The first available of the study's severity scores in one of `bands`, at the latest visit with any of `scores`."""

    def met_at_visit(self) -> pl.Expr:
        return pl.col("severity").is_in(self.bands)

    def records(self) -> pl.Expr:
        return pl.coalesce(
            text("severity ", pl.col("severity")),
            pl.lit("no severity: none of the study's severity scores; the components of one would settle it"),
        )

    def reads(self, choices: Choices) -> tuple[Read, ...]:
        return read_visits([*self.scores, *choices.severity_score], self.within_days)

    def in_words(self) -> str:
        return f"severity {' or '.join(self.bands)} at the latest visit within {self.within_days} days that has a score"


class QualityOfLife(LatestVisit):
    """Any of the three above its threshold; one not recorded beside another does not make it unknown."""

    haq_di: Threshold
    pain_mm: Threshold
    fatigue_mm: Threshold

    def _thresholds(self) -> dict[str, Threshold]:
        return {name: getattr(self, name) for name in ("haq_di", "pain_mm", "fatigue_mm")}

    def available(self) -> pl.Expr:
        return pl.any_horizontal(
            pl.col(MEASURED_AS.get(name, name)).is_not_null() for name in self._thresholds()
        )

    def met_at_visit(self) -> pl.Expr:
        return pl.any_horizontal(
            limit.holds(pl.col(MEASURED_AS.get(name, name))).fill_null(False)
            for name, limit in self._thresholds().items()
        )

    def records(self) -> pl.Expr:
        return joined(
            [text(f"{NAMES[name]} ", number(MEASURED_AS.get(name, name))) for name in self._thresholds()]
        )

    def missing(self) -> str:
        return "no HAQ-DI, pain or fatigue: one of them"

    def reads(self, choices: Choices) -> tuple[Read, ...]:  # noqa: ARG002
        return read_visits(self._thresholds(), self.within_days)

    def in_words(self) -> str:
        limits = " or ".join(
            f"{NAMES[name]} {limit.in_words()}" for name, limit in self._thresholds().items()
        )
        return f"{limits} at the latest visit within {self.within_days} days that has one of them"


class Problematic(Leaf):
    """Either flag true at the latest visit with a flag; where none is recorded, what the study chose for that.

    `to: both`: both flags true at the latest visit that decides it (both are recorded, or one of them says no).
    Under `ignore` an unrecorded criterion is `dropped`: it counts as met and has no evidence.
    """

    within_days: int
    global_mm: Threshold  # used only where the study chose global_above_50

    to: Literal["either", "both"] = "either"

    def asks_policy(self) -> bool:
        return True

    def looks_at(self) -> tuple[str, ...]:
        flags = ("problematic_to_patient", "problematic_to_rheumatologist")
        return (*flags, "patient_global_mm", "physician_global_mm")

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        flags = [pl.col("problematic_to_patient"), pl.col("problematic_to_rheumatologist")]
        judged = self._latest_with(facts, dates, flags, "visit_date", "flagged")
        policy = facts.choices.if_criterion_3_unrecorded
        if policy == "global_above_50":
            high = [self.global_mm.holds(pl.col(f"{whose}_global_mm")) for whose in ("patient", "physician")]
            judged = self._latest_with(facts, judged, high, "global_date", "global_high")
            return judged.with_columns(met=pl.coalesce("flagged", "global_high"), dropped=pl.lit(False))
        instead = pl.lit(None if policy == "unknown" else True, dtype=pl.Boolean)
        unrecorded = pl.col("flagged").is_null()
        return judged.with_columns(
            met=pl.coalesce("flagged", instead),
            dropped=unrecorded if policy == "ignore" else pl.lit(False),
        )

    def _latest_with(
        self, facts: Facts, dates: pl.DataFrame, answers: list[pl.Expr], day_name: str, verdict: str
    ) -> pl.DataFrame:
        """Adds the latest visit that answers, and what: of either, no answer beside a no is no."""
        if self.to == "both":
            verdict_at_visit = pl.all_horizontal(answers)
            answered = verdict_at_visit.is_not_null()
        else:
            verdict_at_visit = pl.any_horizontal(answer.fill_null(False) for answer in answers)
            answered = pl.any_horizontal(answer.is_not_null() for answer in answers)
        return latest_visit(facts, dates, answered, self.within_days, day_name, **{verdict: verdict_at_visit})

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        flags = text(
            "to the patient: ",
            yes_no("problematic_to_patient"),
            "; to the rheumatologist: ",
            yes_no("problematic_to_rheumatologist"),
        )
        recorded = show_visit(facts, judged, "visit_date", flags).select(
            text(pl.col("shown"), " at the visit of ", day("visit_date"))
        )
        of_both = " of both" if self.to == "both" else ""
        unrecorded = judged.select(
            text(f"not recorded{of_both} since ", day(days_before("evaluation_date", self.within_days)))
        )
        return recorded.to_series().zip_with(
            judged["flagged"].is_not_null(), unrecorded.to_series() + self._instead(facts, judged)
        )

    def _instead(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        policy = facts.choices.if_criterion_3_unrecorded
        if policy == "unknown":
            return pl.Series(
                [f"; {'either flag' if self.to == 'either' else 'both flags'} at a visit would settle it"]
            )
        if policy != "global_above_50":
            return pl.Series([f"; counted as met, as the study chose (if_criterion_3_unrecorded: {policy})"])
        globals_ = joined(
            [text(f"{NAMES[name]} ", number(name)) for name in ("patient_global_mm", "physician_global_mm")]
        )
        used = text(
            "; ", pl.col("shown"), " at the visit of ", day("global_date"), " stands in, as the study chose"
        )
        wanted = "a flag or a global score" if self.to == "either" else "both flags or both global scores"
        neither = pl.lit(f" and no global score either; {wanted} at a visit would settle it")
        return (
            show_visit(facts, judged, "global_date", globals_).select(pl.coalesce(used, neither)).to_series()
        )

    def reads(self, choices: Choices) -> tuple[Read, ...]:
        asked = ["problematic_to_patient", "problematic_to_rheumatologist"]
        if choices.if_criterion_3_unrecorded == "global_above_50":
            asked += ["patient_global_mm", "physician_global_mm"]
        return read_visits(asked, self.within_days)

    def in_words(self) -> str:
        whom, a_score = ("or", "a global score") if self.to == "either" else ("and", "both global scores")
        return (
            f"problematic to the patient {whom} the rheumatologist at the latest visit within {self.within_days} days that "
            f"records {self.to} (where none does: as the study's if_criterion_3_unrecorded says; its global_above_50 means "
            f"{a_score} {self.global_mm.in_words()} mm)"
        )
