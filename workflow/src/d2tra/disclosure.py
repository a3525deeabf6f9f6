"""What may leave the department: cells in, released cells out. Primary suppression and rounding."""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import Field

from d2tra.config import Closed, parse, setting, setting_path
from d2tra.errors import StudyError, nearest
from d2tra.estimates import wilson_high, wilson_low

SUPPRESSED = "suppressed"


class Profile(Closed):
    """One disclosure profile of config/release.yaml."""

    name: str
    title: str
    may_leave: bool
    suppress_up_to: int = Field(ge=0)
    rounding: Literal["none", "nearest", "midpoint"]
    base: int = Field(default=1, ge=1)
    source: str

    def in_words(self) -> str:
        """Returns what the profile does, for footnotes."""
        held = f"counts from 1 to {self.suppress_up_to} are suppressed" if self.suppress_up_to else ""
        rounded = {
            "none": "",
            "nearest": f"the others are rounded to the nearest {self.base}",
            "midpoint": f"counts are rounded up to the midpoint of {self.base}s",
        }[self.rounding]
        done = "; ".join(part for part in (held, rounded) if part)
        return f"Disclosure control ({self.name}): {done or 'none'}." + (
            " Percentages and intervals are recomputed from the released counts." if done else ""
        )


def load_profile(name: str) -> Profile:
    """Returns a profile of config/release.yaml; StudyError names the nearest known one."""
    profiles = setting("release").get("profiles", {})
    if name not in profiles:
        known = ", ".join(profiles)
        raise StudyError(
            f"{setting_path('release')}: no release profile {name!r}{nearest(name, profiles)} Known: {known}."
        )
    return parse(Profile, profiles[name], f"{setting_path('release')}: profiles.{name}", name=name)


def disclose(cells: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Returns the cells as they may be shown under the profile, same rows and columns, `smallest` emptied.

    A cell is suppressed (numbers null, note "suppressed") if its count, the rest of its total, its total, or the
    smallest count hidden in it (`smallest`: of an odds ratio's table against the outcome) is 1..suppress_up_to.
    Remaining counts are rounded; percentages and Wilson intervals are recomputed from the rounded counts;
    estimates are rounded to 2 decimals where anything is suppressed or rounded at all.
    """
    if not profile.suppress_up_to and profile.rounding == "none":
        return cells.with_columns(smallest=pl.lit(None, pl.Int64))
    share = pl.col("kind") == "proportion"
    gives_away = pl.any_horizontal(
        _is_small(pl.col("n"), profile),
        _is_small(pl.col("total"), profile),
        _is_small(pl.col("smallest"), profile),
        share & _is_small(pl.col("total") - pl.col("n"), profile),
    )
    hidden = cells.select(gives_away.fill_null(False)).to_series()
    numbers = ("n", "total", "estimate", "low", "high")
    released = cells.with_columns(
        n=_rounded_count(pl.col("n"), profile),
        total=_rounded_count(pl.col("total"), profile),
    ).with_columns(
        estimate=pl.when(share)
        .then(100 * pl.col("n") / pl.col("total"))
        .otherwise(pl.col("estimate").round(2)),
        low=pl.when(share)
        .then(100 * wilson_low(pl.col("n"), pl.col("total")))
        .otherwise(pl.col("low").round(2)),
        high=pl.when(share)
        .then(100 * wilson_high(pl.col("n"), pl.col("total")))
        .otherwise(pl.col("high").round(2)),
    )
    # A total of 0 after rounding gives 0/0: nothing to show, not "not a number".
    tidy = released.with_columns(pl.col("estimate", "low", "high").fill_nan(None))
    return tidy.with_columns(
        *[pl.when(hidden).then(None).otherwise(pl.col(name)).alias(name) for name in numbers],
        text=pl.when(~hidden).then("text"),
        note=pl.when(hidden).then(pl.lit(SUPPRESSED)).otherwise(pl.col("note")),
        smallest=pl.lit(None, pl.Int64),
    )


def _is_small(count: pl.Expr, profile: Profile) -> pl.Expr:
    return count.is_between(1, profile.suppress_up_to)


def _rounded_count(count: pl.Expr, profile: Profile) -> pl.Expr:
    base = profile.base
    if profile.rounding == "nearest":
        return ((count + base // 2) // base) * base
    if profile.rounding == "midpoint":
        return pl.when(count == 0).then(0).otherwise(-(-count // base) * base - base // 2)
    return count
