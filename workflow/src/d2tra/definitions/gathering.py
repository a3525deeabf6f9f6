"""Gathering the facts: a site's tables, courses and scores up to the study's cut, patients by number."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import polars as pl
import polars.selectors as cs

from d2tra.codelists import BTS_KINDS
from d2tra.definitions.facts import (
    FAR_FUTURE,
    STRIDE,
    VISIT,
    Choices,
    Facts,
    latest,
    numbered,
    patient_and_day,
)
from d2tra.errors import StudyError, nearest
from d2tra.extract.schemas import ROW_DATES, complete, in_order, require_columns
from d2tra.scores.settings import load_score_settings
from d2tra.treatment.courses import ended
from d2tra.treatment.drug_names import recognised

NO_IMAGING = pl.DataFrame(schema={"patient_id": pl.String, "imaging_date": pl.Date})


def gather_facts(
    extract: Mapping[str, pl.DataFrame | None],
    courses: pl.DataFrame | None,
    scores: pl.DataFrame,
    choices: Choices,
    records_glucocorticoids: bool | None = None,
    rules: Mapping[str, Any] | None = None,
    looked_at: Collection[str] | None = None,
) -> Facts:
    """Returns the facts that the criteria look at: rows up to the study's cut, of patients that the extract knows.

    `extract`: canonical tables, optional tables and columns may be absent. `courses`, `scores`: traced and scored
    from the same rows, courses by the same `rules` (changes to config/exposure.yaml). `records_glucocorticoids`: what the
    site's mapping says. `looked_at`: what the criteria look at of visits and scores; the rest is left out (None: nothing is).
    StudyError: a severity score without bands.
    """
    named = up_to_cut(extract, choices.data_cut_date)
    names = named["patients"]["patient_id"].sort()
    tables = {table: numbered(rows, names) for table, rows in named.items()}
    patients = tables["patients"]
    treatments = tables.get("treatments")
    courses = None if courses is None else numbered(courses, names)
    visits = tables["visits"]
    visits = visits.drop([c for c in scores.columns if c in visits.columns and c not in VISIT])
    if looked_at is not None:
        needed = cs.by_name(*VISIT, *choices.severity_bands, *looked_at, require_all=False)
        visits, scores = visits.select(needed), scores.select(needed)
    if choices.data_cut_date is not None:
        scores = _not_after(choices.data_cut_date, scores, "visit_date")
    visits = _beside(in_order(visits, *VISIT), in_order(numbered(scores, names), *VISIT))
    _check_severity_scores(choices.severity_score, scores)
    visits = visits.with_columns(severity=pl.coalesce(choices.severity_bands))
    glucocorticoids = None if treatments is None else _glucocorticoid_rows(treatments)
    return Facts(
        names=names,
        patients=patients.select("patient_id", "disease", "csdmard_contraindicated", "diagnosis_date"),
        visits=_with_suppression(visits, None if treatments is None else courses),
        courses=None if treatments is None or courses is None else ended(courses, rules),
        glucocorticoids=glucocorticoids,
        imaging=tables.get("imaging", numbered(complete(NO_IMAGING, "imaging"), names)),
        treatments=treatments,
        diagnoses=tables.get("diagnoses"),
        records_glucocorticoids=bool(records_glucocorticoids)
        or (glucocorticoids is not None and glucocorticoids.height > 0),
        choices=choices,
        rules=rules,
    )


def up_to_cut(extract: Mapping[str, pl.DataFrame | None], cut: dt.date | None) -> dict[str, pl.DataFrame]:
    """Returns the tables that the extract has, with all canonical columns and without the rows dated after the cut.

    An undated row stays. StudyError where patients, their disease or visits are missing, or a table is unknown.
    """
    for table in ("patients", "visits"):
        rows = extract.get(table)
        if rows is None:
            raise StudyError(
                f"the extract has no table {table!r}: patients and visits are needed to judge anybody."
            )
        require_columns(rows.columns, table, ["disease"] if table == "patients" else [], "frame given")
    for table in extract:
        if table != "patients" and table not in ROW_DATES:
            raise StudyError(
                f"the extract has an unknown table {table!r}{nearest(table, ['patients', *ROW_DATES])}"
            )
    tables = {table: complete(rows, table) for table, rows in extract.items() if rows is not None}
    if cut is None:
        return tables
    return {
        table: _not_after(cut, rows, ROW_DATES[table]) if table in ROW_DATES else rows
        for table, rows in tables.items()
    }


def _not_after(cut: dt.date, rows: pl.DataFrame, day: str) -> pl.DataFrame:
    """The rows up to the cut; most extracts have no others, and then nothing is copied."""
    late = rows.select((pl.col(day) > cut).any()).item()
    return rows.filter(is_up_to(cut, day)) if late else rows


def is_up_to(cut: dt.date, day: str) -> pl.Expr:
    """Returns whether a row is not dated after the cut (Boolean); an undated one is not."""
    return (pl.col(day) <= cut) | pl.col(day).is_null()


def _beside(visits: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """The visits with their scores; both in order, so that scores of the same visits need no search."""
    if visits.select(VISIT).equals(scores.select(VISIT)):
        return visits.hstack(scores.drop(VISIT))
    return visits.join(scores, on=VISIT, how="left", maintain_order="left")


def latest_date(extract: Mapping[str, pl.DataFrame | None]) -> dt.date | None:
    """Returns the latest visit, sample, start, imaging or recorded date of an extract; null where it has none."""
    days = [
        rows[column].max()
        for table, column in ROW_DATES.items()
        if (rows := extract.get(table)) is not None and column in rows.columns
    ]
    return max((day for day in days if isinstance(day, dt.date)), default=None)


def _check_severity_scores(names: tuple[str, ...], scores: pl.DataFrame) -> None:
    banded = [name for name, score in load_score_settings().scores.items() if score.bands]
    for name in names:
        if name not in banded or f"{name}_band" not in scores.columns:
            raise StudyError(
                f"study: key 'severity_score': {name!r} is no score with bands{nearest(name, banded) or '.'}"
                f" Allowed: {', '.join(banded)}."
            )


def _glucocorticoid_rows(treatments: pl.DataFrame) -> pl.DataFrame:
    dose = pl.col("daily_dose_mg") * pl.col("prednisolone_factor")
    rows = recognised(treatments).filter(pl.col("kind") == "glucocorticoid")
    return rows.select("patient_id", "molecule", "start_date", "stop_date", dose_mg=dose)


def _with_suppression(visits: pl.DataFrame, courses: pl.DataFrame | None) -> pl.DataFrame:
    """Adds acute_phase_suppressed: a course of a b/tsDMARD that suppresses CRP and ESR is ongoing at the visit."""
    if courses is None:
        return visits.with_columns(acute_phase_suppressed=pl.lit(None, dtype=pl.Boolean))
    # one number for patient and day: the latest stop so far is the patient's own, without a window per patient
    latest_stop = patient_and_day(pl.col("course_stop_date").fill_null(FAR_FUTURE)).cum_max()
    suppressing = (
        courses.filter(pl.col("kind").is_in(BTS_KINDS) & pl.col("suppresses_crp"))
        .sort("patient_id", "start_date")
        .select(
            "patient_id",
            suppressed_from="start_date",
            suppressed_until=(latest_stop - pl.col("patient_id").cast(pl.Int64) * STRIDE)
            .cast(pl.Int32)
            .cast(pl.Date),
        )
    )
    at_visits = latest(
        visits.select("patient_id", evaluation_date="visit_date"), suppressing, "suppressed_from"
    )
    ongoing = (pl.col("suppressed_until") > pl.col("evaluation_date")).fill_null(False)
    return visits.with_columns(at_visits.select(acute_phase_suppressed=ongoing))
