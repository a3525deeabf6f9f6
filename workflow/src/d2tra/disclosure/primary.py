"""Cells in, released cells out: small counts suppressed, the others rounded, each cell looked at alone."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl
from pydantic import Field

from d2tra.config import Closed, parse, setting, setting_path
from d2tra.errors import StudyError, nearest
from d2tra.estimates import wilson_high, wilson_low

SUPPRESSED = "suppressed"
NUMBERS = ("n", "total", "estimate", "low", "high")


class Profile(Closed):
    """One disclosure profile of config/release.yaml."""

    name: str
    title: str
    may_leave: bool
    suppress_up_to: int = Field(ge=0)
    rounding: Literal["none", "nearest", "midpoint"]
    base: int = Field(default=1, ge=1)
    source: str

    @property
    def small_up_to(self) -> int:
        """The largest count that must not be known exactly: where nothing is suppressed, what is rounded to one number."""
        return max(self.suppress_up_to, self.base if self.rounding != "none" else 0)

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
    """Returns the cells as they may be shown under the profile, same rows and columns, `smallest` emptied; of a curve only
    the steps between which enough events lie.

    A cell is suppressed (numbers and text null, note "suppressed") if its count, the rest of its total, its total, or the
    smallest count hidden in it (`smallest`: of an odds ratio's table against the outcome) is 1..suppress_up_to.
    Numbers other than counts and proportions are held back up to `small_up_to`. Remaining counts are rounded; percentages and Wilson intervals are recomputed from the rounded counts;
    estimates are rounded to 2 decimals (p-values to 3) where anything is suppressed or rounded at all.
    """
    if not profile.suppress_up_to and profile.rounding == "none":
        return cells.with_columns(smallest=pl.lit(None, pl.Int64))
    cells = coarsened(cells, profile)
    hidden = gives_away(cells, profile)
    share = pl.col("kind") == "proportion"
    released = cells.with_columns(
        n=_rounded_count(pl.col("n"), profile),
        total=_rounded_count(pl.col("total"), profile),
    ).with_columns(
        estimate=pl.when(share)
        .then(100 * pl.col("n") / pl.col("total"))
        .when(pl.col("kind") == "p_value")
        .then(pl.col("estimate").round(3))  # 0.004 is not 0.00
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
    return emptied(tidy, hidden).with_columns(smallest=pl.lit(None, pl.Int64))


def gives_away(cells: pl.DataFrame, profile: Profile) -> pl.Series:
    """Returns for each cell whether it says, alone, how many patients a small group has."""
    counted = pl.col("kind").is_in(["count", "proportion"])
    limit = pl.when(counted).then(profile.suppress_up_to).otherwise(profile.small_up_to)
    rest = pl.when(pl.col("kind") == "proportion").then(pl.col("total") - pl.col("n"))
    small = [count.is_between(1, limit) for count in (pl.col("n"), pl.col("total"), pl.col("smallest"), rest)]
    return cells.select(pl.any_horizontal(small).fill_null(False)).to_series()


def emptied(cells: pl.DataFrame, hidden: pl.Series) -> pl.DataFrame:
    """Returns the cells, those `hidden` without numbers and text and with the note "suppressed"."""
    return cells.with_columns(
        *[pl.when(~hidden).then(pl.col(name)).alias(name) for name in NUMBERS],
        text=pl.when(~hidden).then("text"),
        note=pl.when(hidden).then(pl.lit(SUPPRESSED)).otherwise(pl.col("note")),
    )


def released_range(n: int, profile: Profile) -> tuple[int, int]:
    """Returns the least and the largest count that the profile shows as n."""
    if profile.rounding == "none" or n == 0:
        return n, n
    above = profile.base // 2 if profile.rounding == "midpoint" else (profile.base - 1) // 2
    return max(n + above - profile.base + 1, profile.suppress_up_to + 1), n + above


def rounded(n: int, profile: Profile) -> int:
    """Returns a count that is not suppressed as the profile shows it."""
    if profile.rounding == "none" or n == 0:
        return n
    shift = profile.base // 2
    if profile.rounding == "nearest":
        return (n + shift) // profile.base * profile.base
    return -(-n // profile.base) * profile.base - shift


def coarsened(cells: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Returns the cells with the steps of each curve taken together until they hold enough events. What is read off a
    curve closes the steps above it, and stays as it is; where too few came since the last one it is held back."""
    fewest = max(profile.suppress_up_to + 1, profile.base)
    kept: list[dict[str, Any]] = []
    waiting: dict[str, list[dict[str, Any]]] = {}
    for cell in cells.iter_rows(named=True):
        steps = waiting.setdefault(cell["column"], [])
        if cell["kind"] == "step":
            steps.append(cell)
            continue
        if cell["kind"] == "on_curve" and steps:
            n_waiting = sum(step["n"] for step in steps)
            if n_waiting < fewest:
                cell["smallest"] = n_waiting
            else:
                kept += _taken_together(steps, fewest)
                steps.clear()
        kept.append(cell)
    rest = [step for steps in waiting.values() for step in _taken_together(steps, fewest)]
    return pl.DataFrame([*kept, *rest], schema=cells.schema)


def _taken_together(steps: list[dict[str, Any]], fewest: int) -> list[dict[str, Any]]:
    """The last step of every so many events; those left over at the end go with the last. None where there are fewer."""
    taken: list[dict[str, Any]] = []
    n = 0
    for step in steps:
        n += step["n"]
        if n >= fewest:
            taken.append({**step, "n": n})
            n = 0
    if n and taken:
        taken[-1] = {**steps[-1], "n": taken[-1]["n"] + n}
    return taken


def _rounded_count(count: pl.Expr, profile: Profile) -> pl.Expr:
    base = profile.base
    if profile.rounding == "nearest":
        return ((count + base // 2) // base) * base
    if profile.rounding == "midpoint":
        return pl.when(count == 0).then(0).otherwise(-(-count // base) * base - base // 2)
    return count
