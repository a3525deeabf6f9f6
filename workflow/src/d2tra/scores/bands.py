"""Comparing a number with a published cut-off: round first, then say on which side the edge itself falls."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from pydantic import model_validator

from d2tra.config import Closed

DECIMALS = 4
HALF_NUDGE = 1e-6  # of the last decimal: 2.00005 is stored a hair below its half, and is still a half


class Limit(Closed):
    """One side of a cut-off, in words: `below` and `above` exclude the number itself, `up_to` and `at_least` include it."""

    below: float | None = None
    up_to: float | None = None
    above: float | None = None
    at_least: float | None = None

    @model_validator(mode="after")
    def _one_edge_at_most(self) -> Limit:
        if sum(edge is not None for edge in (self.below, self.up_to, self.above, self.at_least)) > 1:
            raise ValueError("one edge only: below, up_to, above or at_least")
        return self

    def holds(self, value: pl.Expr) -> pl.Expr:
        """Returns whether the rounded value keeps the limit (Boolean; null where the value is null)."""
        return self.holds_whole(rounded(value))

    def holds_whole(self, number: pl.Expr) -> pl.Expr:
        """Returns the same of whole numbers (days, counts), which need no rounding."""
        if self.below is not None:
            return number < self.below
        if self.up_to is not None:
            return number <= self.up_to
        if self.above is not None:
            return number > self.above
        if self.at_least is not None:
            return number >= self.at_least
        return number == number  # no limit: true, or null where the value is null


class Edge(Limit):
    """A band of a scheme and where it ends (`below` or `up_to`); the last band of a scheme has no end."""

    band: str


def rounded(value: pl.Expr, decimals: int = DECIMALS) -> pl.Expr:
    """Returns the value as Float64 rounded half away from zero, as a number to compare with a threshold.

    4.4 − 3.2 gives 1.2, equal to the literal 1.2. A value within a millionth of the last decimal below a half counts
    as that half, because few decimal halves exist in binary. Null stays null. Never store what this returns.
    Source: specification of the labels, "Rounding" (a choice; no published rule exists).
    """
    nudged = value + value.sign() * (HALF_NUDGE / 10.0**decimals)
    return nudged.cast(pl.Float64).round(decimals, mode="half_away_from_zero")


def band(score: pl.Expr, bands: Sequence[Edge]) -> pl.Expr:
    """Returns the name of the first band that the rounded score keeps within (String; null where the score is null).

    `bands` ascends and its last band is open, as `config/scores.yaml` lists them.
    """
    return banded(score, bands).cast(pl.String)


def banded(score: pl.Expr, bands: Sequence[Edge]) -> pl.Expr:
    """Returns the band as `band` does, as an Enum of the names: a byte for each score where text takes sixteen."""
    names = pl.Enum(list(dict.fromkeys(edge.band for edge in bands)))
    named = pl.lit(None, dtype=names)
    for edge in reversed(bands):
        named = pl.when(edge.holds(score)).then(pl.lit(edge.band, dtype=names)).otherwise(named)
    return named
