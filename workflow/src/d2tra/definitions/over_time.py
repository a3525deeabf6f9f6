"""Criteria on the course of time: what others said at all visits up to the date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl
from pydantic import Field

from d2tra.definitions.facts import Choices, Facts, first_of_patient, latest, of_patient
from d2tra.definitions.judging import Question, answer
from d2tra.definitions.leaf import Leaf, day, days_before, text
from d2tra.definitions.reads import Read

if TYPE_CHECKING:
    from d2tra.definitions.criteria import Criterion


class OverTime(Leaf):
    """All of `criteria`, as they stood at every visit up to the date.

    `optional`: ids left out of their any_of where unknown; those of the definition, which its loader puts here.
    """

    criteria: tuple[Criterion, ...] = Field(min_length=1)
    optional: tuple[str, ...] = ()

    def leaves(self) -> Iterator[Leaf]:
        """Yields the criteria of the vocabulary that are asked at every visit."""
        return (node.leaf for child in self.criteria for node in child.walk() if node.leaf is not None)

    def asks_policy(self) -> bool:
        return any(leaf.asks_policy() for leaf in self.leaves())

    def reads(self, choices: Choices) -> tuple[Read, ...]:
        return tuple(Read(read.source) for leaf in self.leaves() for read in leaf.reads(choices))

    def stage(self, choices: Choices) -> int:  # noqa: ARG002
        return 3  # after all others

    def judge_visits(self, facts: Facts, patients: pl.Series) -> pl.DataFrame:
        """Returns patient_id, visit_date and `all_met` (null = unknown) of every visit of these patients, sorted."""
        own = pl.repeat(False, len(facts.names), eager=True).scatter(patients.unique(), True)
        where = own.gather(facts.dates["patient_id"])
        every = type(self.criteria[0])(all_of=self.criteria)
        all_met = answer(facts, {"all_met": Question(every, frozenset(self.optional), where)})
        visits = facts.dates.select("patient_id", visit_date="evaluation_date")
        return visits.hstack(all_met).filter(where)

    def shown(self) -> str:
        """The criteria by their ids, or in words."""
        return " and ".join(child.named() for child in self.criteria)


class Reached(OverTime):
    """All criteria met together at some visit up to the date: what was reached once stays reached."""

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        visit, met = pl.col("visit_date"), pl.col("all_met")
        visits = self.judge_visits(facts, dates["patient_id"])
        judged = dates
        for name, kind in (("reached_on", met), ("unknown_on", met.is_null())):
            days = visits.filter(kind).select("patient_id", visit.alias(name))
            judged = of_patient(judged, first_of_patient(days))
        reached, unknown = (
            (pl.col(name) <= pl.col("evaluation_date")).fill_null(False)
            for name in ("reached_on", "unknown_on")
        )
        return judged.with_columns(met=pl.when(reached).then(True).when(~unknown).then(False))

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:  # noqa: ARG002
        unknown = text("unknown at the visit of ", day("unknown_on"), ", which might have been the first")
        return judged.select(
            pl.when("met")
            .then(text("first at the visit of ", day("reached_on")))
            .when(pl.col("met").is_null())
            .then(unknown)
            .otherwise(pl.lit("at no visit so far"))
        ).to_series()

    def in_words(self) -> str:
        return f"at one visit so far: {self.shown()}"


class Persistent(OverTime):
    """All criteria met at every visit of the last so many days, and at the last visit before these."""

    at_least_days: int

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        visits, met = self.judge_visits(facts, dates["patient_id"]), pl.col("all_met")
        seen_before = visits.select("patient_id", since="visit_date")
        judged = latest(
            dates.with_columns(before=days_before("evaluation_date", self.at_least_days)),
            seen_before,
            "since",
            until="before",
        )
        for name, kind in (("not_met_on", ~met), ("unknown_on", met.is_null())):
            days = visits.filter(kind).select("patient_id", pl.col("visit_date").alias(name))
            judged = latest(judged, days, name)
        interrupted, unclear = (
            pl.col(name) >= pl.coalesce("since", pl.col(name)) for name in ("not_met_on", "unknown_on")
        )
        return judged.with_columns(
            met=pl.when(interrupted)
            .then(False)
            .when(pl.col("since").is_not_null() & ~unclear.fill_null(False))
            .then(True)
        )

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:  # noqa: ARG002
        too_new = text("no visit on or before ", day("before"), "; an earlier one would settle it")
        unknown = text("unknown at the visit of ", day("unknown_on"), "; that visit would settle it")
        return judged.select(
            pl.when("met")
            .then(text("at every visit since ", day("since")))
            .when(pl.col("met") == False)  # noqa: E712
            .then(text("not at the visit of ", day("not_met_on")))
            .when(pl.col("since").is_null())
            .then(too_new)
            .otherwise(unknown)
        ).to_series()

    def in_words(self) -> str:
        return f"at every visit for at least {self.at_least_days} days: {self.shown()}"
