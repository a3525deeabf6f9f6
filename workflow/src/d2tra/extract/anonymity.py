"""How well do patients hide among each other? Sizes of classes of patients who are alike in what others may know."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Literal

import polars as pl
from pydantic import Field

from d2tra.config import Closed, parse, setting

UNKNOWN, NONE, PLUS = "unknown", "none", " + "
QuasiIdentifier = Literal["age_band", "sex", "ethnicity", "imd_quintile", "diagnosis_year", "rare_drug"]


class AnonymityPlan(Closed):
    """config/anonymity.yaml: the columns that make patients alike, and how many must be alike (k)."""

    k: int = Field(ge=2)
    age_band_years: int = Field(ge=1)
    oldest_age: int = Field(ge=1)
    columns: list[QuasiIdentifier] = Field(min_length=1)


def load_anonymity_plan() -> AnonymityPlan:
    """Returns config/anonymity.yaml, checked; StudyError names the key."""
    return parse(AnonymityPlan, setting("anonymity"), "config/anonymity.yaml")


def quasi_identifiers(
    valid: Mapping[str, pl.DataFrame], year_of_cut: int | None, plan: AnonymityPlan
) -> pl.DataFrame:
    """Returns the plan's columns, one row per valid patient, as text; what is not known is the value `unknown`.

    age_band: years of age in the year of the cut, `60-64`, the last band open (`90+`); diagnosis_year: four digits;
    rare_drug: the rarest molecule that the patient has had and fewer than k patients have had (at a tie the first by
    the alphabet), else `none`; unknown where the extract has no treatments.
    """
    age = pl.lit(year_of_cut, pl.Int64) - pl.col("birth_year")
    low = age.floordiv(plan.age_band_years) * plan.age_band_years
    patients = valid["patients"].join(_rare_drugs(valid, plan.k), on="patient_id", how="left", validate="1:1")
    last = pl.format("{}+", pl.lit(plan.oldest_age))
    known = {
        "age_band": pl.when(age >= plan.oldest_age)
        .then(last)
        .otherwise(pl.format("{}-{}", low, low + plan.age_band_years - 1)),
        "imd_quintile": pl.col("imd_quintile").cast(pl.String),
        "diagnosis_year": pl.col("diagnosis_date").dt.year().cast(pl.String),
        "rare_drug": pl.col("rare_drug").fill_null(NONE if "treatments" in valid else UNKNOWN),
    }
    return patients.select(
        known.get(name, pl.col(name)).fill_null(UNKNOWN).alias(name) for name in plan.columns
    )


def check_anonymity(
    valid: Mapping[str, pl.DataFrame], year_of_cut: int | None, plan: AnonymityPlan
) -> pl.DataFrame:
    """Returns one row per combination of columns: all of them, all but one, each alone, each pair (`view`).

    columns, n_columns, k, n_patients, n_classes, smallest_class (null without patients), n_below_k and percent_below_k
    (patients in classes smaller than k; 0–100), n_unknown (patients with an unknown among these columns; unknown counts
    as a value of its own), fewer_without (view `without`: how many patients fewer are below k than with all columns).
    Sizes only, never an id. Source: clinical reference 7.2, last paragraph.
    """
    people = quasi_identifiers(valid, year_of_cut, plan)
    every = tuple(plan.columns)
    views: dict[tuple[str, ...], str] = {every: "all"}
    for left_out in every if len(every) > 1 else ():
        views.setdefault(tuple(name for name in every if name != left_out), "without")
    for size, view in ((1, "single"), (2, "pair")):
        for some in combinations(every, size):
            views.setdefault(some, view)
    rows = [_classes(people, columns, view, plan.k) for columns, view in views.items()]
    found = pl.concat(rows)
    fewer = pl.col("n_below_k").first() - pl.col("n_below_k")
    return found.with_columns(fewer_without=pl.when(pl.col("view") == "without").then(fewer))


def anonymity_lines(found: pl.DataFrame) -> str:
    """Returns the report in a few lines: the whole combination, then which column, alone or in a pair, tells most."""
    first = found.row(0, named=True)
    lines = [
        f"{first['n_patients']} patients; alike in {first['columns']}: smallest class {first['smallest_class']}, "
        f"{first['n_below_k']} patients ({first['percent_below_k']:.1f} %) in classes below k = {first['k']}. "
        "Unknown counts as a value of its own."
    ]
    every = first["columns"].split(PLUS)
    for view, told in (("without", None), ("single", "Of single columns"), ("pair", "Of pairs")):
        mine = found.filter(pl.col("view") == view)
        if mine.is_empty():
            continue
        row = mine.sort("n_below_k", descending=told is not None, maintain_order=True).row(0, named=True)
        left_out = [name for name in every if name not in row["columns"].split(PLUS)]
        start = f"{told} {row['columns']} tells most" if told else f"{left_out[0]} adds most: without it"
        lines.append(f"{start}: {row['n_below_k']} patients below k, smallest class {row['smallest_class']}.")
    return "\n".join(lines)


def _rare_drugs(valid: Mapping[str, pl.DataFrame], k: int) -> pl.DataFrame:
    """patient_id, rare_drug: one row per patient with one."""
    if "treatments" not in valid:
        return pl.DataFrame(schema={"patient_id": pl.String, "rare_drug": pl.String})
    taken = valid["treatments"].select("patient_id", rare_drug="molecule").drop_nulls().unique()
    n_patients = pl.len().over("rare_drug")
    rare = taken.with_columns(n=n_patients).filter(pl.col("n") < k).sort("n", "rare_drug", "patient_id")
    return rare.unique("patient_id", keep="first", maintain_order=True).select("patient_id", "rare_drug")


def _classes(people: pl.DataFrame, columns: tuple[str, ...], view: str, k: int) -> pl.DataFrame:
    sizes = people.group_by(columns).len()["len"].cast(pl.Int64)
    n_below = int(sizes.filter(sizes < k).sum())
    unknown = people.select(pl.any_horizontal(pl.col(columns) == UNKNOWN).sum()).item()
    return pl.DataFrame(
        {
            "view": view, "columns": PLUS.join(columns), "n_columns": len(columns), "k": k,
            "n_patients": people.height, "n_classes": len(sizes), "smallest_class": sizes.min(), "n_below_k": n_below,
            "percent_below_k": 100 * n_below / max(people.height, 1), "n_unknown": int(unknown),
        },
        schema_overrides={"smallest_class": pl.Int64},
    )  # fmt: skip
