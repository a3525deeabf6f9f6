"""Who belongs to a cohort, and why the others do not: the criteria in the order written, counted as they are walked."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import polars as pl

from d2tra.codelists import BTS_KINDS
from d2tra.config import Cohort

KEYS = ["site", "patient_id"]
COLUMNS = {  # what `select_cohort` looks at, beside the site
    "patients": ("patient_id", "disease", "birth_year", "diagnosis_date", "sequence"),
    "courses": ("patient_id", "kind", "start_date"),
    "labels": ("patient_id", "index_date"),
}
FLOW = {
    "step": pl.String,
    "reason": pl.String,
    "n_before": pl.Int64,
    "n_excluded": pl.Int64,
    "n_after": pl.Int64,
}

# What a criterion asks of a register row (Boolean, null = not known), why a row fails it, and what is said
# where nothing is known.
Criterion = tuple[pl.Expr, str, str]


def sequence_of(patients: pl.DataFrame, courses: pl.DataFrame) -> pl.DataFrame:
    """Returns site, patient_id, sequence (Int64): the order of entry into each site's register, 1, 2, ….

    The site's own column if any of its cells is filled (an empty cell stays null); else the order by first b/tsDMARD
    start, patients without one last, then by patient_id. Source: specification of the extract, `patients.sequence`.
    """
    dated = patients.join(first_bts_dates(courses), on=KEYS, how="left", validate="1:1")
    in_order = dated.sort("site", "first_bts_date", "patient_id", nulls_last=True, maintain_order=True)
    position = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("site")
    has_own = pl.col("sequence").is_not_null().any().over("site")
    return in_order.select(*KEYS, sequence=pl.when(has_own).then("sequence").otherwise(position)).sort(KEYS)


def first_bts_dates(courses: pl.DataFrame) -> pl.DataFrame:
    """Returns site, patient_id, first_bts_date: the first start of a b/tsDMARD; patients without one have no row."""
    started = courses.filter(pl.col("kind").is_in(BTS_KINDS))
    return (
        started.group_by(KEYS, maintain_order=True).agg(first_bts_date=pl.col("start_date").min()).sort(KEYS)
    )


def select_cohort(
    cohort: Cohort,
    patients: pl.DataFrame,
    courses: pl.DataFrame,
    index_dates: pl.DataFrame,
    without_treatments: Collection[str] = (),
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the cohort's members and the selection flow.

    `without_treatments`: sites whose extract has no such table; whether their patients started a b/tsDMARD is not recorded.
    Every frame carries `site`; `index_dates` holds site, patient_id, index_date (labels will do; null or no row = no
    visit). Members: site, patient_id, disease, sequence, birth_year, diagnosis_date, first_bts_date, index_date, sorted
    by site and patient_id. Flow: step, reason, n_before, n_excluded, n_after, one row per criterion in the order of
    the study file after a first row for the register; patients of whom a criterion is not known are left out too, in
    a row of their own. n_before − n_excluded = n_after throughout, and is the n_before of the next row.
    """
    register = _register(patients, courses, index_dates, without_treatments)
    flow = [("register", "patients with a valid row", register.height, 0, register.height)]
    for step, value in cohort.steps().items():
        holds, failed, unknown = CRITERIA[step](value)
        judged = register.with_columns(holds=holds)
        n_before, n_failed = register.height, judged.filter(~pl.col("holds")).height
        n_unknown = judged["holds"].null_count()
        flow.append((step, failed, n_before, n_failed, n_before - n_failed))
        if n_unknown:
            flow.append((step, unknown, n_before - n_failed, n_unknown, n_before - n_failed - n_unknown))
        register = register.filter(holds)
    return register.drop("age", "started_bts"), pl.DataFrame(flow, schema=FLOW, orient="row")


def _register(
    patients: pl.DataFrame,
    courses: pl.DataFrame,
    index_dates: pl.DataFrame,
    without_treatments: Collection[str],
) -> pl.DataFrame:
    """One row per patient with all that the criteria ask for."""
    index = index_dates.select(*KEYS, "index_date").unique(maintain_order=True)
    year, is_told = pl.col("index_date").dt.year(), ~pl.col("site").is_in(list(without_treatments))
    return (
        patients.select(*KEYS, "disease", "birth_year", "diagnosis_date")
        .join(sequence_of(patients, courses), on=KEYS, how="left", validate="1:1")
        .join(first_bts_dates(courses), on=KEYS, how="left", validate="1:1")
        .join(index, on=KEYS, how="left", validate="1:1")
        # A patient without a visit has no index date; the site's latest one then stands for the day of the study.
        .with_columns(age=year.fill_null(year.max().over("site")) - pl.col("birth_year"))
        .with_columns(started_bts=pl.when(is_told).then(pl.col("first_bts_date").is_not_null()))
        .select(
            *KEYS,
            "disease",
            "sequence",
            "birth_year",
            "diagnosis_date",
            "first_bts_date",
            "index_date",
            "age",
            "started_bts",
        )
        .sort(KEYS)
    )


def _disease(disease: str) -> Criterion:
    return pl.col("disease") == disease, f"disease is not {disease}", "disease not recorded"


def _sites(sites: list[str]) -> Criterion:
    return pl.col("site").is_in(sites), f"site is not {' or '.join(sites)}", "site not recorded"


def _sequence(limits: tuple[int, int]) -> Criterion:
    first, last = limits
    within = pl.col("sequence").is_between(first, last)
    return within, f"place in the register is not {first} to {last}", "place in the register not recorded"


def _started_bts(_: bool) -> Criterion:
    return (
        pl.col("started_bts"),
        "no b/tsDMARD started",
        "whether a b/tsDMARD was started is not recorded: no treatments in the extract",
    )


def _age_min(years: int) -> Criterion:
    return pl.col("age") >= years, f"younger than {years} years at the index date", "age not known"


def _has_visit(_: bool) -> Criterion:
    return pl.col("index_date").is_not_null(), "no visit", "visits not recorded"


CRITERIA: dict[str, Callable[[Any], Criterion]] = {
    "disease": _disease,
    "sites": _sites,
    "sequence": _sequence,
    "started_bts": _started_bts,
    "age_min": _age_min,
    "has_visit": _has_visit,
}
