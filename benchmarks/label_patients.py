"""How long do courses, scores, labels and evidence take? Time and peak memory per step, on random patients."""

from __future__ import annotations

import datetime as dt
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from d2tra.config import PROJECT
from d2tra.definitions import label_patients, load_definition
from d2tra.scores import score_visits
from d2tra.treatment import trace_courses

SEED = 20240424
VISITS, DRUG_ROWS = 12, 6  # per patient
FIRST_DAY = dt.date(2015, 1, 1)
DRUGS = [
    "methotrexate",
    "sulfasalazine",
    "adalimumab",
    "etanercept",
    "tocilizumab",
    "rituximab",
    "baricitinib",
    "abatacept",
]
REASONS = ["primary_inefficacy", "secondary_inefficacy", "adverse_event", "remission", "unknown", None]


def draw_extract(n_patients: int, seed: int = SEED) -> dict[str, pl.DataFrame]:
    """Returns patients, visits (12 each) and treatments (6 rows each) of random people with RA."""
    draw = np.random.default_rng(seed)
    ids = np.char.add("R", np.arange(n_patients).astype(str))
    patients = pl.DataFrame({"patient_id": ids, "disease": "RA", "sex": "female", "birth_year": 1960}).sort(
        "patient_id"
    )
    n_visits, n_rows = n_patients * VISITS, n_patients * DRUG_ROWS
    day = pl.lit(FIRST_DAY)
    visits = pl.DataFrame(
        {
            "patient_id": np.repeat(ids, VISITS),
            "days": np.tile(np.arange(VISITS) * 120, n_patients) + draw.integers(0, 90, n_visits),
            "tjc28": np.minimum(draw.poisson(4, n_visits), 28),
            "sjc28": np.minimum(draw.poisson(2, n_visits), 28),
            "patient_global_mm": draw.uniform(0, 100, n_visits).round(),
            "physician_global_mm": draw.uniform(0, 80, n_visits).round(),
            "esr_mm_h": draw.gamma(2, 12, n_visits).clip(1, 150).round(),
            "crp_mg_l": draw.gamma(1, 8, n_visits).clip(0, 300).round(1),
            "haq_di": draw.integers(0, 25, n_visits) / 8,
            "pain_mm": draw.uniform(0, 100, n_visits).round(),
            "fatigue_mm": draw.uniform(0, 100, n_visits).round(),
            "problematic_to_patient": draw.random(n_visits) < 0.5,
        }
    ).with_columns(visit_date=day + pl.duration(days="days"))
    starts = np.tile(np.arange(DRUG_ROWS) * 240, n_patients) + draw.integers(0, 90, n_rows)
    stops = starts + draw.integers(60, 260, n_rows)
    treatments = pl.DataFrame(
        {
            "patient_id": np.repeat(ids, DRUG_ROWS),
            "drug": pl.Series(DRUGS).gather(draw.integers(0, len(DRUGS), n_rows)),
            "start": starts,
            "stop": stops,
            "stop_reason": pl.Series(REASONS).gather(draw.integers(0, len(REASONS), n_rows)),
        }
    ).with_columns(start_date=day + pl.duration(days="start"), stop_date=day + pl.duration(days="stop"))
    return {
        "patients": patients,
        "visits": visits.drop("days").sort("patient_id", "visit_date"),
        "treatments": treatments.drop("start", "stop").sort("patient_id", "start_date"),
    }


def main(n_patients: int) -> None:
    """Prints one line per step."""
    extract = draw_extract(n_patients)
    rows = {name: f"{frame.height:,}" for name, frame in extract.items()}
    names = sorted(path.stem for path in (PROJECT / "config" / "definitions").glob("*.yaml"))
    definitions = [name for name in names if load_definition(name).disease == "RA"]
    print(f"{rows}, {len(definitions)} RA definitions, {os.cpu_count()} cores")
    print(f"{'step':<34}{'seconds':>10}{'peak MB':>10}")
    cut = dt.date(2019, 12, 31)
    courses = _timed("trace_courses", lambda: trace_courses(extract["treatments"], cut))
    scores = _timed("score_visits", lambda: score_visits(extract["visits"], None, extract["patients"]))
    labels = _timed(
        "labels, no evidence",
        lambda: label_patients(extract, courses, scores, definitions, {"evidence": "none"}).labels,
    )
    met = labels.filter(pl.col("status") == "met").select("patient_id").unique()
    of_met = {name: frame.join(met, on="patient_id", how="semi") for name, frame in extract.items()}
    few = [frame.join(met, on="patient_id", how="semi") for frame in (courses, scores)]
    _timed(f"labels + evidence, {met.height:,} met by any", lambda: label_patients(of_met, *few, definitions))
    _timed("labels + evidence, everybody", lambda: label_patients(extract, courses, scores, definitions))


def _timed(step: str, work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    done = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{step:<34}{time.perf_counter() - start:>10.1f}{peak:>10.0f}", flush=True)
    return done


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
