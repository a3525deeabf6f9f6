"""What the audit counted beside the label: how severe the disease was, and how many drugs had been tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from d2tra.config import Study
from d2tra.definitions.definition import load_definition
from d2tra.definitions.drug_criteria import count_csdmards
from d2tra.definitions.facts import Choices, Facts, latest_visit, of_patient
from d2tra.definitions.gathering import gather_facts
from d2tra.definitions.label import Extract
from d2tra.definitions.visit_criteria import Activity

COUNTED_BY = "eular_2021"  # whose activity criterion says at which visit the severity is counted


def audit_counts(
    extract: Extract,
    courses: pl.DataFrame | None,
    scores: pl.DataFrame,
    study: Study | Mapping[str, Any] | None = None,
) -> pl.DataFrame:
    """Returns one row per patient, sorted, as at the index date (the last visit up to the cut).

    patient_id; severity (remission, low, moderate, high: band of the first available of the study's severity scores at
    the visit that decided the activity criterion of eular_2021; null = none); n_bts_tried (distinct b/tsDMARD
    molecules started by then, ongoing included, any outcome); n_csdmards_before_bts (distinct csDMARDs started by the
    first b/tsDMARD, or by the index date where there is none yet); methotrexate_before_bts (Boolean: among those).
    Null without an index date; the drug counts also where the extract has no treatments.
    """
    return counts_of(gather_facts(extract, courses, scores, Choices.of(study)))


def counts_of(facts: Facts) -> pl.DataFrame:
    """Returns what `audit_counts` does, from facts gathered before."""
    activity = _activity_of_eular_2021()
    counted = latest_visit(
        facts, facts.index_dates, activity.available(), activity.within_days, severity=pl.col("severity")
    )
    csdmards = count_csdmards(facts, facts.index_dates, "methotrexate")
    counted = counted.with_columns(
        n_csdmards_before_bts=csdmards["n_csdmards"], methotrexate_before_bts=csdmards["includes"]
    )
    if facts.courses is None:
        tried = facts.index_dates.select("patient_id", n_bts_tried=pl.lit(None, dtype=pl.Int64))
    else:
        started = facts.bts_courses.join(facts.index_dates, on="patient_id")
        tried = (
            started.filter(pl.col("start_date") <= pl.col("evaluation_date"))
            .group_by("patient_id", maintain_order=True)
            .agg(n_bts_tried=pl.col("molecule").n_unique().cast(pl.Int64))
        )
        tried = of_patient(facts.index_dates.select("patient_id"), tried)
        tried = tried.with_columns(pl.col("n_bts_tried").fill_null(0))
    everybody = of_patient(of_patient(facts.patients.select("patient_id"), counted), tried)
    return facts.named(
        everybody.select(
            "patient_id", "severity", "n_bts_tried", "n_csdmards_before_bts", "methotrexate_before_bts"
        )
    )


def _activity_of_eular_2021() -> Activity:
    activity = load_definition(COUNTED_BY).listed["2a"].activity
    assert activity is not None, "criterion 2a of eular_2021 is its activity criterion"
    return activity
