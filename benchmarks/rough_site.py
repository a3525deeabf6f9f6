"""The synthetic patients of registry.py, roughened: every rule of courses, scores and labels has cases that need it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from d2tra.extract.schemas import complete
from d2tra.treatment.drug_names import recognised

sys.path.insert(0, str(Path(__file__).resolve().parent))

import registry  # a script beside this one, not a package

MEASURED = [
    "tjc28", "sjc28", "patient_global_mm", "physician_global_mm", "pain_mm", "fatigue_mm", "haq_di_used", "esr_mm_h",
    "crp_mg_l", "problematic_to_patient", "problematic_to_rheumatologist",
]  # fmt: skip


def draw_rough_site(n_patients: int) -> Iterator[dict[str, pl.DataFrame]]:
    """Yields what registry.draw_site does, roughened: gaps, missing stops and values, same-day starts, cycles, doses."""
    for number, tables in enumerate(registry.draw_site(n_patients)):
        draw = np.random.default_rng([registry.SEED, number, 1])
        first_row = number * registry.DRAWN_AT_ONCE * registry.PRESCRIPTIONS
        yield {
            "patients": roughen_patients(tables["patients"], draw),
            "visits": roughen_visits(tables["visits"], draw),
            "treatments": roughen_treatments(tables["treatments"], draw).with_columns(
                pl.col("source_row") + first_row
            ),
        }


def roughen_patients(patients: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    """Returns the patients, 3 % of another disease, half of them with a known contraindication or none."""
    return patients.with_columns(
        disease=_drawn(draw, patients.height, ["PsA"] * 3 + ["RA"] * 97),
        csdmard_contraindicated=_drawn(draw, patients.height, [True] + [False] * 9 + [None] * 10),
    )


def roughen_visits(visits: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    """Returns the visits with values missing, some of them for years; a few patients without visits or one after the cut."""
    n = visits.height
    of_patient = np.repeat(np.arange(n // registry.VISITS), registry.VISITS)
    sparse = (draw.random(n // registry.VISITS) < 0.2)[of_patient]
    unseen = (draw.random(n // registry.VISITS) < 0.005)[of_patient]
    late = (draw.random(n // registry.VISITS) < 0.01)[of_patient] & (np.arange(n) % registry.VISITS == 19)
    blank, how_often = draw.random(n) < 0.05, np.where(sparse, 0.7, 0.05)
    visits = visits.with_columns(
        problematic_to_rheumatologist=pl.Series(draw.random(n) < 0.6),
        esr_mm_h=pl.when(pl.Series(draw.random(n) < 0.01)).then(0.0).otherwise("esr_mm_h"),
        visit_date=pl.when(pl.Series(late)).then(pl.col("visit_date").dt.offset_by("400d")).otherwise("visit_date"),
    )  # fmt: skip
    kept = {name: pl.Series(~blank & (draw.random(n) >= how_often)) for name in MEASURED}
    measured = visits.with_columns(pl.when(kept[name]).then(name).alias(name) for name in MEASURED)
    return measured.with_columns(haq_di="haq_di_used").filter(pl.Series(~unseen))


def roughen_treatments(treatments: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    """Returns the prescriptions with glucocorticoids among them, cycles, stops and reasons missing, short and same-day ones."""
    n, each = treatments.height, registry.PRESCRIPTIONS
    of_patient, place = np.repeat(np.arange(n // each), each), np.arange(n) % each

    def some(share: float) -> pl.Series:
        return pl.Series(draw.random(n) < share)

    def some_patients(share: float, *places: int) -> pl.Series:
        return pl.Series((draw.random(n // each) < share)[of_patient] & np.isin(place, places))

    def moved(column: str, days: np.ndarray) -> pl.Expr:
        return pl.col(column) + pl.duration(days=pl.lit(pl.Series(days)))

    start, stop = pl.col("start_date"), pl.col("stop_date")
    drug = _drawn(draw, n, registry.BTS)
    steroid = _drawn(draw, n, ["prednisolone"] * 4 + ["methylprednisolone"])
    is_steroid = some_patients(0.25, 2, 3, 5)
    rough = treatments.select("patient_id", "drug", "start_date", "stop_date", "stop_reason").with_columns(
        drug=pl.when(is_steroid).then(steroid).when(some_patients(0.1, 0, 1)).then(drug).otherwise("drug"),
        daily_dose_mg=pl.when(is_steroid).then(_drawn(draw, n, [2.5, 5, 6, 7.5, 10, 15, None])),
        stop_reason=pl.when(some(0.15))
        .then(_drawn(draw, n, ["inefficacy", "intolerance", "infection", "other", "patient_choice"]))
        .otherwise("stop_reason"),
    )  # fmt: skip
    after_stop = stop.shift().is_not_null() & pl.Series(place == 3) & is_steroid & some(0.7)
    cycled = some(0.6) & (rough["drug"] == "rituximab")
    return (
        rough.with_columns(
            start_date=pl.when(after_stop)
            .then(stop.shift() + pl.duration(days=pl.lit(pl.Series(draw.integers(0, 20, n)))))
            .when(some(0.03) & pl.Series(place > 0))
            .then(start.shift())
            .when(some_patients(0.02, 5))
            .then(moved("start_date", np.full(n, 1300)))
            .otherwise("start_date"),
        )
        .with_columns(stop_date=pl.when(stop >= start).then("stop_date"))
        .with_columns(
            stop_date=pl.when(some(0.03))
            .then(None)
            .when(cycled & some(0.6))
            .then(None)
            .when(cycled)
            .then(moved("start_date", np.full(n, 14)))
            .when(some(0.08))
            .then(moved("start_date", draw.integers(0, 120, n)))
            .otherwise("stop_date"),
            stop_reason=pl.when(cycled & some(0.7)).then(None).otherwise("stop_reason"),
            source_row=pl.Series(draw.permutation(n) + 1),
        )
        .filter(~some_patients(0.01, *range(each)))
        .pipe(lambda rows: recognised(complete(rows, "treatments")))
    )


def _drawn(draw: np.random.Generator, n: int, values: list) -> pl.Series:
    return pl.Series(values).gather(draw.integers(0, len(values), n))
