"""What every criterion can do: judge a patient at a date, give its reason, and say itself in words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Self

import polars as pl
from pydantic import model_validator

from d2tra.config import Closed
from d2tra.definitions.facts import Choices, Facts, latest_visit
from d2tra.definitions.reads import Read
from d2tra.scores.bands import Limit, rounded

EDGES = {"below": "below", "up_to": "up to", "above": "above", "at_least": "at least"}


class Threshold(Limit):
    """A limit that must be stated: exactly one of below, up_to, above, at_least."""

    @model_validator(mode="after")
    def _is_stated(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("state one of below, up_to, above, at_least")
        return self

    def in_words(self) -> str:
        """Returns e.g. `above 10`."""
        return next(
            f"{EDGES[edge]} {value:g}" for edge, value in self.model_dump().items() if value is not None
        )


class Leaf(Closed, ABC):
    """One criterion of the vocabulary; its fields are the parameters that a definition states.

    A new criterion: one subclass and one line in `criteria.Criterion`.
    """

    @abstractmethod
    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows of `dates` (patient_id, evaluation_date; sorted) in their order with `met` (Boolean, null =
        unknown) and whatever `explain` needs."""

    def stage(self, choices: Choices) -> int:
        """Returns when it is asked, the cheapest first: 0 where drugs once given settle it for good, 1 where drugs or the
        patient do, 2 where it takes visits or other records."""
        reads = self.reads(choices)
        if not all(read.source.startswith(("courses.", "patients.")) for read in reads):
            return 2
        return int(any(read.within_days is not None or read.source.startswith("patients.") for read in reads))

    @abstractmethod
    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        """Returns one sentence (String) per row of what `judge` gave: the deciding records, or what is missing."""

    @abstractmethod
    def in_words(self) -> str:
        """Returns the criterion with its numbers, in plain words."""

    @abstractmethod
    def reads(self, choices: Choices) -> tuple[Read, ...]:
        """Returns everything that can change the verdict, and over which dates up to the date of judgement.

        A risk factor that looks at the same is refused as circular (d2tra.refusals). `choices`: those of the study.
        """

    def looks_at(self) -> Iterable[str]:
        """Returns the columns of `facts.visits` that judging and explaining need beside patient and date."""
        return ()

    def without_presumed(self) -> Leaf:
        """Returns the criterion that counts no presumed failures: itself, unless it counts them."""
        return self

    def asks_policy(self) -> bool:
        """Returns whether the verdict hangs on what the study does where criterion 3 is unrecorded."""
        return False

    @property
    def key(self) -> str:
        """The same for two criteria that are the same: each is judged once for all definitions."""
        return f"{type(self).__name__} {self.model_dump_json()}"


class LatestVisit(Leaf):
    """A criterion on the latest visit in [t − within_days, t] that has something to say about it."""

    within_days: int

    @abstractmethod
    def available(self) -> pl.Expr:
        """Whether a visit is looked at (over the columns of facts.visits)."""

    @abstractmethod
    def met_at_visit(self) -> pl.Expr:
        """The verdict of such a visit."""

    @abstractmethod
    def records(self) -> pl.Expr:
        """What such a visit shows, in words."""

    @abstractmethod
    def missing(self) -> str:
        """What would settle it where no visit is available."""

    def looks_at(self) -> Iterable[str]:
        asked = (self.available(), self.met_at_visit(), self.records())
        return {name for each in asked for name in each.meta.root_names()}

    def judge(self, facts: Facts, dates: pl.DataFrame) -> pl.DataFrame:
        return latest_visit(facts, dates, self.available(), self.within_days, met=self.met_at_visit())

    def explain(self, facts: Facts, judged: pl.DataFrame) -> pl.Series:
        start = day(days_before("evaluation_date", self.within_days))
        window = text(" at a visit between ", start, " and ", day("evaluation_date"))
        return (
            show_visit(facts, judged, "visit_date", self.records())
            .select(
                pl.coalesce(
                    text(pl.col("shown"), " at the visit of ", day("visit_date")),
                    text(self.missing(), window, " would settle it"),
                )
            )
            .to_series()
        )


def text(*parts: str | pl.Expr) -> pl.Expr:
    """Returns the parts as one string; null where one of them is null."""
    return pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in parts])


def joined(parts: list[pl.Expr], separator: str = ", ") -> pl.Expr:
    """Returns the parts that are not null, as one string."""
    return pl.concat_str(parts, separator=separator, ignore_nulls=True)


def day(column: str | pl.Expr) -> pl.Expr:
    """Returns a date as 2021-07-14."""
    return (pl.col(column) if isinstance(column, str) else column).dt.to_string("%Y-%m-%d")


def days_before(column: str, days: int) -> pl.Expr:
    """Returns the date that many days earlier."""
    return pl.col(column) - pl.duration(days=days)


def number(value: str | pl.Expr) -> pl.Expr:
    """Returns a number as it is compared: to 4 decimals, without needless ones."""
    return rounded(pl.col(value) if isinstance(value, str) else value).cast(pl.String).str.strip_suffix(".0")


def yes_no(column: str) -> pl.Expr:
    """Returns a Boolean as yes, no or not recorded."""
    return (
        pl.when(pl.col(column).is_null())
        .then(pl.lit("not recorded"))
        .when(pl.col(column))
        .then(pl.lit("yes"))
        .otherwise(pl.lit("no"))
    )


def show_visit(facts: Facts, judged: pl.DataFrame, day_name: str, shown: pl.Expr) -> pl.DataFrame:
    """Adds `shown` (String) to `judged`: what the visit of that day shows; null without such a visit."""
    on = ["patient_id", day_name]
    asked = facts.visits.rename({"visit_date": day_name}).join(
        judged, on=on, how="semi", maintain_order="left"
    )
    return judged.join(asked.select(*on, shown=shown), on=on, how="left", maintain_order="left")
