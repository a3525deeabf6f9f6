"""Does the extract look like RA as others have described it? config/expectations.yaml against what was found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from d2tra.cohort import select_cohort
from d2tra.config import Closed, Cohort, Study, expectations_path, find, load_yaml, parse
from d2tra.errors import StudyError, nearest
from d2tra.estimates import proportion
from d2tra.extract.catalogue.values import quartiles
from d2tra.reproduction import Filter, fulfils
from d2tra.risk_factor_plan import Factor, load_plan
from d2tra.risk_factors import assemble_analysis_set

VERDICTS = ("below", "within", "above", "not_known")
NOT_ASSESSABLE = "not_assessable"
FOUND: dict[str, pl.DataType] = {
    "expectation": pl.String(), "description": pl.String(), "n": pl.Int64(), "n_known": pl.Int64(),
    "n_not_known": pl.Int64(), "found": pl.Float64(), "ci_low": pl.Float64(), "ci_high": pl.Float64(),
    "unit": pl.String(), "expected_low": pl.Float64(), "expected_high": pl.Float64(), "verdict": pl.String(),
    "note": pl.String(), "source": pl.String(),
}  # fmt: skip


class Expectation(Closed):
    """What others found: the share (`count`, %) or the median (`median`, a number) of a characteristic, `among` whom."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    says: str
    count: Filter | None = None
    median: str | None = None
    among: Filter = {}
    expected: tuple[float, float]
    unit: str = "%"
    source: str

    @model_validator(mode="after")
    def _one_number_and_a_range(self) -> Expectation:
        if (self.count is None) == (self.median is None):
            raise ValueError("say one of: count, median")
        if self.expected[0] > self.expected[1]:
            raise ValueError("the lower end of `expected` stands first")
        return self

    @property
    def names(self) -> set[str]:
        """The characteristics and definitions that it looks at."""
        return {*(self.count or {}), *self.among, *([self.median] if self.median else [])}


class Expectations(Closed):
    """All of config/expectations.yaml."""

    expectations: list[Expectation]


def compare_with_expectations(tables: Mapping[str, pl.DataFrame], study: Study, site: str) -> pl.DataFrame:
    """Returns one row per expectation: what was found in all patients with RA of the site, at their index dates.

    expectation, description, n (who have it), n_known (of whom it is known), n_not_known (left out of it), found (%, or
    the median), ci_low, ci_high (Wilson 95 % of a share; the quartiles of a number), unit, expected_low, expected_high,
    verdict (`below`, `within` both ends included, `above`; `not_known` where it is known of nobody), note, source.
    `tables`: the valid tables, courses, scores, labels, audit_counts. `outcome` is the study's primary definition; a
    label that is not assessable is not known. StudyError for a name that nothing is called.
    """
    path = expectations_path(study)
    asked = parse(Expectations, load_yaml(path), path).expectations
    people = _described(tables, study, site, _factors_for(asked, study, path))
    definition = study.definition_names[0]
    return pl.DataFrame([_compared(people, one, definition) for one in asked], schema=FOUND)


def verdict(found: float | None, low: float, high: float) -> str:
    """Returns where a number lies against a range whose ends belong to it; `not_known` for None."""
    if found is None:
        return "not_known"
    return "below" if found < low else "above" if found > high else "within"


def _described(
    tables: Mapping[str, pl.DataFrame], study: Study, site: str, factors: list[Factor]
) -> pl.DataFrame:
    """The analysis set of everyone with RA, at the index date; a label that is not assessable is null."""
    of_site = {name: rows.with_columns(site=pl.lit(site)) for name, rows in tables.items()}
    everyone = Cohort(name="everyone", disease="RA", started_bts=False, age_min=None)
    without = [] if "treatments" in tables else [site]
    members, _ = select_cohort(everyone, of_site["patients"], of_site["courses"], of_site["labels"], without)
    at_index = study.model_copy(update={"baseline": "index"})
    people = assemble_analysis_set(members, [(site, tables)], at_index, factors)
    outcomes = [name for name in study.definition_names if name in people.columns]
    return people.with_columns(
        pl.when(pl.col(name) != NOT_ASSESSABLE).then(pl.col(name)) for name in outcomes
    )


def _factors_for(asked: list[Expectation], study: Study, path: Path) -> list[Factor]:
    """The factors that the expectations look at, and those these are made of; StudyError for an unknown name."""
    plan = load_plan()
    known = [*plan.characteristics, *study.definition_names, "outcome"]
    names = {name for one in asked for name in one.names}
    for name in sorted(names - set(known)):
        try:
            find("definitions", name)  # one of which this study asks nothing: not known, and no mistake
        except StudyError:
            raise StudyError(
                f"{path}: no characteristic or definition {name!r}{nearest(name, known)}"
            ) from None
    for one in asked:
        if one.median and getattr(plan.characteristics.get(one.median), "coding", None) != "number":
            raise StudyError(
                f"{path}: expectation {one.name}: {one.median!r} is no number: `median` needs one."
            )
    parts = {part for name in names for part in plan.made_of(name)}
    return [factor for name, factor in plan.factors.items() if name in parts]


def _compared(people: pl.DataFrame, one: Expectation, definition: str) -> dict[str, Any]:
    low, high = one.expected
    row: dict[str, Any] = {
        "expectation": one.name, "description": one.says, "unit": one.unit, "expected_low": low,
        "expected_high": high, "source": one.source, "n_known": 0, "n_not_known": 0,
    }  # fmt: skip
    absent = sorted(one.names - {*people.columns, "outcome"})
    if absent:
        return {**row, "verdict": "not_known", "note": f"{absent[0]} is no definition of this study"}
    group = people.filter(fulfils(people, one.among, definition))
    return {**row, **_found(group.select(value=_value(people, one, definition))["value"], low, high)}


def _value(people: pl.DataFrame, one: Expectation, definition: str) -> pl.Expr:
    return pl.col(one.median) if one.median else fulfils(people, one.count or {}, definition)


def _found(values: pl.Series, low: float, high: float) -> dict[str, Any]:
    known = values.drop_nulls()
    counts = {"n_known": len(known), "n_not_known": values.null_count()}
    if known.is_empty():
        return {**counts, "verdict": "not_known", "note": "known of no patient"}
    if known.dtype != pl.Boolean:
        middle, (lower, upper) = float(np.median(known)), quartiles(known)
        spread = {"found": middle, "ci_low": lower, "ci_high": upper}
        return {**counts, **spread, "verdict": verdict(middle, low, high)}
    n, interval = int(known.sum()), proportion(int(known.sum()), len(known))
    found = 100 * n / len(known)  # 29 of 100 are 29 %, not 28.999…
    ci_low, ci_high = (100 * limit for limit in interval[1:] if limit is not None)
    judged = verdict(found, low, high)
    reaches = judged in ("below", "above") and ci_low <= high and ci_high >= low
    note = "the interval reaches the range: chance may explain it" if reaches else None
    return {
        **counts,
        "n": n,
        "found": found,
        "ci_low": ci_low,
        "ci_high": ci_high,
        "verdict": judged,
        "note": note,
    }
