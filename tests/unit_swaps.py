"""Simulated extracts with and without a swap of unit, for the unit sentinel. Synthetic: nobody is described here.

Patients and visits are those of d2tra.synthetic; what departments differ in is drawn on top: how active their patients
are, how sensitive their CRP is, habits of clinics, slips of the pen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import polars as pl

from d2tra.extract.findings import collect
from d2tra.extract.mapping import Harmonised
from d2tra.synthetic.clinic import NEW_CLINIC_SYSTEM, Visit, draw_visits
from d2tra.synthetic.histories import write_history
from d2tra.synthetic.people import draw_people

MARKS = ("patient_global_mm", "physician_global_mm", "pain_mm", "fatigue_mm")
COUNTS = ("tjc28", "sjc28")
N_CLINICS = 4
N_POPULATIONS = 8
SCOPES = ("whole", "source", "year", "clinic")


@dataclass(frozen=True)
class Kind:
    """A swap to seed: the column as it stands is the right one times `factor` (null: joint counts of 66/68)."""

    name: str
    table: str
    column: str
    factor: float | None = None
    decimals: int = 4


KINDS = [
    *(Kind(f"CRP mg/dL taken for mg/L ({t})", t, "crp_mg_l", 0.1, 2) for t in ("visits", "labs")),
    *(Kind(f"CRP mg/L taken for mg/dL ({t})", t, "crp_mg_l", 10, 2) for t in ("visits", "labs")),
    *(Kind(f"{mark} in cm", "visits", mark, 0.1, 1) for mark in MARKS),
    *(Kind(f"{mark} in mm declared as cm", "visits", mark, 10, 1) for mark in MARKS),
    Kind("height in m", "visits", "height_cm", 0.01, 2),
    Kind("height in inches", "visits", "height_cm", 1 / 2.54, 0),
    Kind("height in cm declared as m", "visits", "height_cm", 100),
    Kind("weight in pounds", "visits", "weight_kg", 1 / 0.45359237, 0),
    Kind("weight in stones", "visits", "weight_kg", 1 / 6.35029318, 1),
    Kind("weight in kg declared as pounds", "visits", "weight_kg", 0.45359237),
    Kind("HAQ as a sum of 0-60", "visits", "haq_di", 20, 0),
    Kind("HAQ as a sum of 0-24", "visits", "haq_di", 8, 0),
    Kind("HAQ on 0-10", "visits", "haq_di", 10 / 3, 1),
    Kind("66/68 joints in the 28 fields", "visits", "tjc28"),
]


@dataclass(frozen=True)
class Draw:
    """One department: visits and CRP results as numbers with their groups (source, clinic, year, unit)."""

    visits: pl.DataFrame
    labs: pl.DataFrame

    def harmonised(self) -> Harmonised:
        """Returns the tables as the mapping would hand them over."""
        text = self.visits.with_columns(pl.col(pl.Float64).cast(pl.String))
        labs = self.labs.with_columns(
            test=pl.lit("crp"), value=pl.col("crp_mg_l").cast(pl.String)
        ).with_columns(value=pl.when("censored").then(pl.concat_str(pl.lit("<"), "value")).otherwise("value"))
        tables = {"visits": text, "labs": labs}
        return Harmonised(
            {t: rows.with_columns(is_duplicate=False) for t, rows in tables.items()}, collect([])
        )


@cache
def _population(number: int) -> list[tuple[list[Visit], float]]:
    """The visits of 722 synthetic patients, and how active each is."""
    people = []
    for person in draw_people(7000 + number):
        visits = draw_visits(person, write_history(person, 7000 + number), 7000 + number)
        people.append((visits, float(np.mean([visit.seen["patient"] or 0 for visit in visits]))))
    return people


def draw_extract(seed: int, varied: bool = True, populations: int = N_POPULATIONS, most: int = 722) -> Draw:
    """Returns a clean draw of 95 to `most` patients; `varied`: departments differ, else as the demo extract."""
    random = np.random.default_rng([8, seed])
    population = _population(seed % populations)
    n = int(np.exp(random.uniform(np.log(95), np.log(most))))
    tilt = random.normal(0, 0.04) if varied else 0.0
    weight = np.exp(tilt * np.array([activity for _, activity in population]))
    chosen = random.choice(len(population), size=n, replace=False, p=weight / weight.sum())
    limit = random.choice([5, 5, 4, 3, 1]) if varied else 5
    shares = random.dirichlet([4] * N_CLINICS)
    habit = random.normal(0, 1, (N_CLINICS, 3)) * (0.15 if varied else 0)
    visits, labs = [], []
    for number in chosen:
        patient, clinic = f"P{number}", int(random.choice(N_CLINICS, p=shares))
        for visit in population[number][0]:
            row, crp = _row(patient, clinic, visit, habit[clinic], random)
            if visit.on_sheet or (varied and clinic == 0):
                row["crp_mg_l"] = crp
            elif crp is not None:
                labs.append(_result(row, crp, limit))
            visits.append(row)
    drawn = pl.DataFrame(visits, infer_schema_length=None)
    return Draw(_with_slips(drawn, random), pl.DataFrame(labs, infer_schema_length=None))


def _row(
    patient: str, clinic: int, visit: Visit, habit: np.ndarray, random: np.random.Generator
) -> tuple[dict[str, object], float | None]:
    seen = visit.seen
    names = {
        "patient": "patient_global_mm",
        "physician": "physician_global_mm",
        "pain": "pain_mm",
        "fatigue": "fatigue_mm",
    }
    row: dict[str, object] = {
        "patient_id": patient, "visit_date": visit.day.isoformat(), "year": str(visit.day.year), "clinic": f"clinic {clinic}",
        "source": "new.csv" if visit.day >= NEW_CLINIC_SYSTEM else "old.csv", "unit": None, "crp_mg_l": None,
        "height_cm": visit.height and float(visit.height), "weight_kg": visit.weight and round(visit.weight * float(np.exp(habit[1] / 3)), 1),
    }  # fmt: skip
    for theirs, ours in names.items():
        mark = seen[theirs]
        row[ours] = None if mark is None else float(np.clip(round(mark * float(np.exp(habit[0]))), 0, 100))
    row["haq_di"] = seen["haq"]
    for theirs, ours in (("tjc", "tjc28"), ("sjc", "sjc28")):
        row[ours] = None if seen[theirs] is None else float(seen[theirs] or 0)
    crp = None
    if visit.has_crp:
        crp = visit.crp * float(np.exp(habit[2]))
        if crp < 5:  # the synthetic laboratory tells no more of it
            crp = 5 * float(random.beta(1.4, 1.4))
        crp = round(crp, 1)
    return row, crp


def _result(row: dict[str, object], crp: float, limit: float) -> dict[str, object]:
    return {
        "patient_id": row["patient_id"], "sample_date": row["visit_date"], "year": row["year"], "clinic": row["clinic"],
        "source": "labs.csv", "unit": "mg/L", "crp_mg_l": float(max(crp, limit)), "censored": bool(crp < limit),
    }  # fmt: skip


def _with_slips(visits: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """One cell in three hundred is mistyped: a digit too many, a point forgotten or misplaced, 99."""
    for name in (*MARKS, *COUNTS, "haq_di", "height_cm", "weight_kg", "crp_mg_l"):
        values = visits[name].to_numpy().astype(float)
        slip = random.random(len(values)) < 1 / 300
        wrong = np.where(random.random(len(values)) < 0.5, values * 10, 99 if name in COUNTS else values / 10)
        values = np.where(slip, wrong, values)
        visits = visits.with_columns(pl.Series(name, values).fill_nan(None))
    return visits


def seeded(draw: Draw, kind: Kind, scope: str, seed: int, at_least: int) -> tuple[Draw, str] | None:
    """Returns the draw with a swap in one group of a scope that has enough values, and that group; None without one."""
    random = np.random.default_rng([9, seed])
    rows = getattr(draw, kind.table)
    groups = pl.repeat("whole", rows.height, eager=True) if scope == "whole" else rows[scope]
    sizes = rows.filter(pl.col(kind.column).is_not_null()).with_columns(
        g=groups.filter(rows[kind.column].is_not_null())
    )
    large = sizes.group_by("g").len().filter(pl.col("len") >= at_least)["g"].drop_nulls().sort()
    if large.is_empty():
        return None
    group = large[int(random.integers(len(large)))]
    values = rows[kind.column].to_numpy().astype(float)
    mine = (groups == group).to_numpy()
    if kind.factor is None:  # the joints beyond the 28 are affected nearly as often as these
        for name, beyond in (("tjc28", 40), ("sjc28", 38)):
            counts = rows[name].to_numpy().astype(float)
            more = random.binomial(beyond, np.clip(np.nan_to_num(counts) / 28 * 0.8, 0, 1))
            rows = rows.with_columns(
                pl.Series(name, counts + np.where(mine & (counts <= 28), more, 0)).fill_nan(None)
            )
    else:
        swapped = np.where(mine, np.round(values * kind.factor, kind.decimals), values)
        rows = rows.with_columns(pl.Series(kind.column, swapped).fill_nan(None))
    tables = {"visits": draw.visits, "labs": draw.labs, kind.table: rows}
    return Draw(**tables), str(group)


def swaps_to_seed() -> list[tuple[Kind, str]]:
    """Returns every kind in every scope that can differ (the laboratory has one file)."""
    return [(k, s) for k, s in product(KINDS, SCOPES) if (k.table, s) != ("labs", "source")]
